"""Each image holds the modules that its program imports, and the packages that they import."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.map_package.packages import image_packages
from tests.oarflow.node.test_node_images import copies
from tests.requirements import ROOT, installed_with, lacking, others, reached
from tests.test_architecture import Imports, ours

APPLICATION = ("app.__main__", "oarflow.run.self_test")
NODE_ALONE = ("commands", "node")
NOT_SERVING = (*NODE_ALONE, "datasets", "evaluation", "importing", "training")
ON_DEMAND = {"SimpleITK", "skimage"}
"""Imported with an MR, for the Python interface or for surface distances; no image has them."""
DOCKERFILE = "deploy/node/Dockerfile"
INSIDE = "/opt/holoscan/app/"


@cache
def imports() -> Imports:
    return Imports(ROOT)


def node_starts() -> list[str]:
    """The node's modules, which load one another by name, and its verb."""
    names = [name for name in imports().files if f"{name}.".startswith("oarflow.node.")]
    return [*names, "oarflow.__main__", *({"oarflow.commands.node"} & set(imports().files))]


def own(modules: set[str]) -> set[str]:
    return {name for name in modules if name in imports().files}


def held(folder: Path) -> set[str]:
    return set(Imports(folder).files)


@pytest.fixture
def node_image(laid_out: Path, tmp_path: Path) -> Path:
    """The application's folder with what the node's Dockerfile copies into it."""
    folder = tmp_path / "app"
    shutil.copytree(laid_out / INSIDE.strip("/"), folder)
    for line, sources in copies(DOCKERFILE):
        target = line.split()[-1]
        for source in sources if target.startswith(INSIDE) else ():
            place = folder / target.removeprefix(INSIDE)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place)
            else:
                shutil.copy(ROOT / source, place)
    return folder


def test_the_application_s_image_has_the_modules_that_it_imports(laid_out: Path) -> None:
    needed = own(reached(imports(), APPLICATION))
    assert {"app.application", "operators.sdk", "oarflow.pipeline"} <= needed
    assert needed - held(laid_out / INSIDE.strip("/")) == set()


@pytest.mark.parametrize("part", NOT_SERVING)
def test_the_application_s_image_lacks_what_it_does_not_import(part: str, laid_out: Path) -> None:
    assert (ROOT / "oarflow" / part).is_dir()
    assert not (laid_out / INSIDE.strip("/") / "oarflow" / part).exists()


def test_the_application_s_image_has_the_packages_that_it_imports() -> None:
    imported = others(reached(imports(), APPLICATION))
    assert {"torch", "holoscan"} <= imported
    assert lacking(imported - ON_DEMAND, set(image_packages(ROOT))) == set()


def test_the_node_s_image_has_the_modules_that_it_imports(node_image: Path) -> None:
    needed = own(reached(imports(), node_starts()))
    assert {"oarflow.node.assembly.worker", "oarflow.commands"} <= needed
    there = held(node_image)
    assert needed - there == set()
    left_out = ("oarflow.training", "oarflow.datasets", "oarflow.evaluation")
    assert not [name for name in there if name.startswith(left_out)]


def test_the_node_s_image_has_the_packages_that_it_imports() -> None:
    lines = (ROOT / "deploy" / "node" / "requirements.txt").read_text().splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    have = image_packages(ROOT) | installed_with(listed)
    imported = others(reached(imports(), node_starts()))
    assert {"pynetdicom", "fastapi", "sqlalchemy"} <= imported
    assert lacking(imported - ON_DEMAND, have) == set()


def test_our_modules_are_told_from_other_people_s() -> None:
    assert ours("oarflow.node.web")
    assert not ours("holoscan.core")
