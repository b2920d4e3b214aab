"""Experts' contours on patients of OpenKBP: two observers, one guideline, 21 organs.

The contours (Nikolov et al., arXiv 1809.04430; CC BY 4.0) lie on scans of TCIA from which
OpenKBP's CTs were made. `<part>/pt_N.npz` holds, on the voxels of OpenKBP's CT, `<organ>.o` and
`<organ>.r`: the area of each voxel that the oncologist's and the radiographer's contour covers, 0
to 255. `index.json` beside the parts has the share of each organ that lies inside the CT. The CTs
are in a folder `openkbp` beside the experts'.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.datasets.openkbp import OpenKbp
from oarflow.datasets.split import Split
from oarflow.organs import Catalogue, load_catalogue
from oarflow.types import Mask

OBSERVERS = {"oncologist": "o", "radiographer": "r"}
"""Each observer's letter in the files. The oncologist's contours are the reference."""

FIRST, SECOND = OBSERVERS

INSIDE = 127
"""A voxel is in where more than this of 255 of its area is covered."""

COMPLETE = 0.965
"""An organ with a smaller share inside the CT is no label: a cut contour teaches a wrong end."""

CUT_BY_THE_CT = {
    "Brain": 0.1,
    "SpinalCord": 0.1,
    "SpinalCanal": 0.1,
    "Lung_L": 0.1,
    "Lung_R": 0.1,
    "Eye_L": 0.85,
    "Eye_R": 0.85,
}
"""Organs that go on beyond most CTs and are labels for what a CT shows of them, with the share that
it has to show. Eyes, which few CTs show whole, are drawn rightly up to the last slice, too."""


class Experts(Mapping[str, Case]):
    """Each patient twice, as each observer drew it: `pt_N-oncologist`, `pt_N-radiographer`.

    folder: `train` or `validation`. A patient is read when asked for, a mask when asked for. Raises
    FileNotFoundError where the folder, its index or the CTs are missing.
    """

    def __init__(self, folder: Path, catalogue: Catalogue | None = None) -> None:
        index = folder.parent / "index.json"
        if not is_experts(folder):
            raise FileNotFoundError(f"no contours of experts (pt_N.npz, index.json) in {folder}")
        self._folder = folder
        self._patients = OpenKbp(folder.parent.parent / "openkbp" / folder.name)
        self._catalogue = catalogue or load_catalogue()
        self._coverage = {
            row["patient"]: row["coverage"]
            for row in json.loads(index.read_text(encoding="utf-8"))
            if (folder / f"{row['patient']}.npz").is_file()
        }

    @property
    def patients(self) -> tuple[str, ...]:
        """OpenKBP's ids, in order of their numbers."""
        return tuple(one for one in self._patients if one in self._coverage)

    def __getitem__(self, case_id: str) -> Case:
        patient, _, observer = case_id.rpartition("-")
        if patient not in self._coverage or observer not in OBSERVERS:
            raise KeyError(case_id)
        return self.drawn_by(observer, patient, case_id)

    def __iter__(self) -> Iterator[str]:
        return (f"{patient}-{observer}" for patient in self.patients for observer in OBSERVERS)

    def __len__(self) -> int:
        return len(self.patients) * len(OBSERVERS)

    def clinical(self, patient: str) -> Case:
        """The same patient with the clinic's own contours, OpenKBP's."""
        return self._patients[patient]

    def drawn_by(self, observer: str, patient: str, case_id: str | None = None) -> Case:
        """A patient with one observer's contours of the organs that are labels."""
        case = self._patients[patient]
        path = self._folder / f"{patient}.npz"
        letter = OBSERVERS[observer]
        names = {self._organ(name): name for name in self._labels(patient)}
        shape = case.ct.shape

        def load(organ: str) -> Mask:
            with np.load(path, allow_pickle=False) as arrays:
                covered = arrays[f"{names[organ]}.{letter}"]
            if covered.shape != shape:
                raise ValueError(f"{path.name}: {organ} {covered.shape}, CT {shape}")
            return np.asarray(covered > INSIDE)

        return replace(case, id=case_id or patient, masks=LazyMasks(tuple(names), load))

    def split(self) -> Split:
        """All of them fit; the observers' cases of a patient are one patient."""
        same = tuple(
            frozenset(f"{patient}-{observer}" for observer in OBSERVERS)
            for patient in self.patients
        )
        return Split(tuple(self), (), same=same)

    def _labels(self, patient: str) -> list[str]:
        """Names, as the files have them, of the organs that are labels."""
        return [
            name
            for name, share in self._coverage[patient].items()
            if share >= CUT_BY_THE_CT.get(self._organ(name), COMPLETE)
        ]

    def _organ(self, name: str) -> str:
        organ = self._catalogue.resolve(name)
        if organ is None:
            raise ValueError(f"{name!r} is no name of an organ in the catalogue")
        return organ.name


def is_experts(folder: Path) -> bool:
    """Whether a folder holds such contours."""
    return (folder.parent / "index.json").is_file() and any(folder.glob("pt_*.npz"))
