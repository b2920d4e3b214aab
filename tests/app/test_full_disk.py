"""A full disk is the site's to mend, however a library reports it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.run.session import _full_disk


def write(number: int) -> None:
    """Fail as pydicom does: with an error of its own, without the first one's number."""
    with _full_disk(Path("out")):
        try:
            raise OSError(number, os.strerror(number))
        except OSError as first:
            raise OSError(f"{first}, for data_element") from first


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_an_error_that_a_library_raised_anew(number: int) -> None:
    with pytest.raises(ConfigurationError) as error:
        write(number)
    assert error.value.code == "OUTPUT_NOT_WRITABLE"


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="device"), _full_disk(Path("out")):
        raise OSError(errno.EIO, "device")
