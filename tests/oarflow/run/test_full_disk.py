"""A full disk is the site's to mend, however a library reports it."""

from __future__ import annotations

import errno
import os

import pytest

from oarflow.errors import ConfigurationError
from oarflow.run.delivery import require_room


def raised_anew(number: int) -> OSError:
    """An error as pydicom raises it: its own, without the first one's number."""
    try:
        try:
            raise OSError(number, os.strerror(number))
        except OSError as first:
            raise OSError(f"{first}, for data_element") from first
    except OSError as error:
        return error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_an_error_that_a_library_raised_anew(number: int) -> None:
    with pytest.raises(ConfigurationError) as error:
        require_room(raised_anew(number))
    assert error.value.code == "OUTPUT_NOT_WRITABLE"


def test_any_other_error_is_no_full_disk() -> None:
    require_room(OSError(errno.EIO, "device"))
