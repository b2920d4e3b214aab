"""docs/node-connecting.md: its settings are valid, its tests and metrics exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from oarflow.node import metrics
from oarflow.node.settings import NodeSettings
from tests.oarflow.node.delivery import bench

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "node-connecting.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.split(":")[0].strip())
def test_settings_on_the_page_are_valid(snippet: str) -> None:
    document = yaml.safe_load(snippet)
    assert document
    NodeSettings.model_validate(document)


def test_faults_name_tests_that_exist() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 10
    for file, test in named:
        source = (ROOT / "tests" / "oarflow" / "node" / "delivery" / file).read_text(
            encoding="utf-8"
        )
        assert f"def {test}(" in source


def test_metrics_on_the_page_exist(tmp_path: Path) -> None:
    share = bench.to_folder(tmp_path / "share")
    rendered = metrics.render(bench.make_context(tmp_path, delivery=share)).decode()
    named = set(re.findall(r"\boarflow_[a-z_]+", PAGE.split("**Watching it.**")[1]))
    assert len(named) > 5
    for name in named - {"oarflow_part_up", "oarflow_refused_jobs"}:
        assert f"\n{name}{{" in rendered or f"\n{name} " in rendered, name


def test_pictures_on_the_page_exist() -> None:
    for picture in re.findall(r"\]\((pictures/[^)]+)\)", PAGE):
        assert (ROOT / "docs" / picture).is_file()
