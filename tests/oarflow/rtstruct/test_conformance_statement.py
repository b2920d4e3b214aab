"""The conformance statement names exactly the attributes that a written file has."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from tests.oarflow.rtstruct.cases import ball, make_case

STATEMENT = Path(__file__).parents[3] / "docs" / "reference" / "conformance.md"
CONDITIONAL = {"IssuerOfPatientID"}
"""Written only where the CT has them; the phantom has not."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    case = make_case(tmp_path_factory.mktemp("conformance"), {"Brain": ball((0, 0, 0), 20.0)})
    return pydicom.dcmread(case.path)


def top_level() -> dict[str, tuple[str, str]]:
    """Type and value by attribute, from the statement's table."""
    rows = re.findall(r"^\| [^|]+ \| (\w+) \| ([123]C?) \| (.+) \|$", STATEMENT.read_text(), re.M)
    return {keyword: (kind, value) for keyword, kind, value in rows}


def test_top_level_attributes_are_those_stated(dataset: Dataset) -> None:
    written = {element.keyword for element in dataset}
    assert written == set(top_level()) - CONDITIONAL


def test_no_type_1_attribute_is_empty(dataset: Dataset) -> None:
    for keyword, (kind, _) in top_level().items():
        if kind == "1":
            assert dataset.get(keyword), keyword


def test_attributes_within_sequences_are_those_stated(dataset: Dataset) -> None:
    text = STATEMENT.read_text().split("### Within the sequences")[1].split("\n## ")[0]
    stated = {
        name: {word for word in re.findall(r"\w+", attributes) if tag_for_keyword(word)}
        for name, attributes in re.findall(r"^\| (\w+Sequence) \| (.+) \|$", text, re.M)
    }
    optional = {"RTROIIdentificationCodeSequence", "ROIDerivationAlgorithmIdentificationSequence"}
    optional |= {"ROIGenerationDescription", "ROIDescription"}
    seen: dict[str, set[str]] = {}
    collect(dataset, seen)
    for name, attributes in stated.items():
        assert seen[name] - attributes == set(), name
        assert attributes - seen[name] <= optional, name
    assert set(seen) - set(stated) <= {
        "ContributingEquipmentSequence",
        "PurposeOfReferenceCodeSequence",
    }


def collect(dataset: Dataset, seen: dict[str, set[str]]) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                seen.setdefault(element.keyword, set()).update(e.keyword for e in item)
                collect(item, seen)


def test_the_file_is_as_stated(dataset: Dataset) -> None:
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert not [element for element in dataset if element.tag.is_private]
    assert len(dataset.StructureSetLabel) <= 16
