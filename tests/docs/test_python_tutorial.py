"""Every snippet of the Python tutorial, run in order on the sample."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from oarflow.rtstruct import RTStruct

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorials" / "python.md"


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_the_pages_snippets_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "samples" / "openkbp_validation" / "ct", tmp_path / "CT_FOLDER")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, snippet in enumerate(snippets(), start=1):
        exec(compile(snippet, f"{PAGE.name}, snippet {number}", "exec"), names)
    told = capsys.readouterr().out
    assert "Brainstem segmented" in told
    assert "NO_FILES" in told
    assert "['Brainstem', 'Parotid_L']" in told
    assert (tmp_path / "OUTPUT_FOLDER" / "result.json").is_file()
    changed = RTStruct.open("changed.dcm", ct="CT_FOLDER")
    assert {"Brainstem", "Brainstem_grown"} <= set(changed.masks)
    assert len(list(tmp_path.glob("mask_*.nii.gz"))) == len(changed.masks)
    image = SimpleITK.ReadImage("mask_Brainstem_grown.nii.gz")
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image) > 0, names["grown"])
    manual = RTStruct.open("manual.dcm", ct="CT_FOLDER")
    np.testing.assert_array_equal(manual.masks["Brainstem"], names["brainstem"])


def test_every_snippet_is_found() -> None:
    assert len(snippets()) == PAGE.read_text(encoding="utf-8").count("```python")
    assert len(snippets()) >= 9
