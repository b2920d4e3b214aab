"""Pages on the node: their settings are valid, and the tests and metrics that they name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from oarflow.node import metrics
from oarflow.node.settings import NodeSettings
from tests.oarflow.node.delivery import bench

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FAULTS = DOCS / "reference" / "node-faults.md"
METRICS = DOCS / "how-to" / "monitor-the-node.md"
SECTIONS = set(NodeSettings.model_fields)


def settings() -> Iterator[tuple[str, dict[str, object]]]:
    """Every block of YAML in the guides whose keys are sections of the node's settings."""
    for page in sorted((DOCS / "how-to").glob("*.md")):
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        for number, block in enumerate(blocks, start=1):
            document = yaml.safe_load(block)
            if isinstance(document, dict) and set(document) & SECTIONS:
                yield f"{page.stem}-{number}", document


SHOWN = dict(settings())


def complete(document: dict[str, object]) -> dict[str, object]:
    """The document with destinations that its rules name and another block of the page defines."""
    delivery = document.get("delivery")
    if not isinstance(delivery, dict) or "destinations" in delivery:
        return document
    named = {*delivery.get("otherwise", ())}
    named |= {name for rule in delivery.get("rules", ()) for name in rule["to"]}
    folders = {name: {"kind": "folder", "path": "/x"} for name in named}
    return {**document, "delivery": {**delivery, "destinations": folders}}


@pytest.mark.parametrize("name", SHOWN)
def test_settings_in_the_guides_are_valid(name: str) -> None:
    document = {key: value for key, value in SHOWN[name].items() if key != "series"}
    NodeSettings.model_validate(complete(document))


def test_guides_show_every_section_that_sites_need() -> None:
    shown = {key for document in SHOWN.values() for key in document}
    assert {"listener", "pull", "delivery", "web", "housekeeping", "execution"} <= shown


def test_every_fault_names_a_test_that_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", FAULTS.read_text(encoding="utf-8"))
    assert len(named) > 70
    for file, test in named:
        source = ROOT / "tests" / "oarflow" / "node" / file
        assert source.is_file(), file
        assert f"def {test}(" in source.read_text(encoding="utf-8"), f"{file}::{test}"


def test_metrics_in_the_guide_exist(tmp_path: Path) -> None:
    share = bench.to_folder(tmp_path / "share")
    rendered = metrics.render(bench.make_context(tmp_path, delivery=share)).decode()
    named = set(re.findall(r"\boarflow_[a-z_]+", METRICS.read_text(encoding="utf-8")))
    assert len(named) > 5
    for name in named - {"oarflow_part_up", "oarflow_refused_jobs"}:
        assert f"\n{name}{{" in rendered or f"\n{name} " in rendered, name
