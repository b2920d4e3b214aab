"""The core's requirements, each extra and the lock, compared with what the code imports."""

from __future__ import annotations

from functools import cache
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.map_package.packages import image_packages
from tests.requirements import ROOT, declared, installed_with, lacking, others, project, reached
from tests.test_architecture import Imports

NOT_CORE = ("datasets", "evaluation", "node", "training")
COMMANDS_NOT_CORE = ("commission", "data", "evaluate", "node", "train")
EXTRAS = {
    "monai-deploy": ("app", "operators"),
    "node": ("oarflow.node",),
    "evaluate": ("oarflow.datasets", "oarflow.evaluation"),
    "train": ("oarflow.training",),
}
ASKED_FOR = {"SimpleITK": "sitk", "skimage": "evaluate", "monai": "train"}
"""What the core imports only for those who ask: it says which extra is missing."""
DECODERS = {
    "pyjpegls",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
}
"""pydicom finds them by their entry points."""
OF_HOLOSCAN = {"cloudpickle", "holoscan-cu13", "nvidia-cuda-runtime", "wheel-axle-runtime"}
PEERS = {"rt_utils", "nnunetv2"}
"""Run in environments of their own, for a comparison."""


@cache
def imports() -> Imports:
    return Imports(ROOT)


def modules(*packages: str) -> set[str]:
    return {
        name
        for name in imports().files
        if any(name == package or name.startswith(f"{package}.") for package in packages)
    }


def core() -> set[str]:
    beside = modules(
        *(f"oarflow.{name}" for name in NOT_CORE),
        *(f"oarflow.commands.{name}" for name in COMMANDS_NOT_CORE),
    )
    return modules("oarflow") - beside


def test_the_core_has_what_it_imports() -> None:
    imported = others(reached(imports(), core()))
    assert {"torch", "pydicom", "shapely"} <= imported
    assert lacking(imported - set(ASKED_FOR) - PEERS, installed_with(declared())) == set()
    for name, extra in ASKED_FOR.items():
        assert lacking({name}, installed_with(declared(extra))) == set()


def test_the_core_installs_nothing_that_it_does_not_import() -> None:
    imported = others(reached(imports(), core()))
    brought_by = metadata.packages_distributions()
    used = {canonicalize_name(one) for name in imported for one in brought_by.get(name, ())}
    assert {canonicalize_name(one.name) for one in declared()} - used - DECODERS == set()


def test_the_core_is_the_images_list_without_holoscan() -> None:
    of_torch = installed_with([Requirement("torch")])  # its build decides about CUDA's libraries
    image = image_packages(ROOT)
    assert "torch" in image
    assert image - OF_HOLOSCAN - of_torch == installed_with(declared()) - of_torch


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_has_what_its_code_imports(extra: str) -> None:
    imported = others(reached(imports(), modules(*EXTRAS[extra])))
    have = installed_with(declared(extra))
    assert lacking(imported - set(ASKED_FOR) - PEERS, have) == set()


def test_all_has_every_extra() -> None:
    every = {one.name for extra in (*EXTRAS, "sitk") for one in declared(extra)}
    assert {one.name for one in declared("all")} == every


def test_what_holoscan_needs_is_exact_and_in_its_extra_alone() -> None:
    pinned = {one.name: str(one.specifier) for one in declared("monai-deploy")}
    for name in ("holoscan-cu13", "holoscan-cli", "nvidia-cuda-runtime", "packaging"):
        assert pinned[name].startswith("==")
    extras = project()["optional-dependencies"]
    alone = {Requirement(line).name for line in extras["monai-deploy"]}
    rest = {one.name for extra in ("node", "train") for one in declared(extra)}
    assert alone & rest == set()


def test_the_lock_has_a_version_of_everything_within_its_range() -> None:
    lines = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    locked = {canonicalize_name(name): version for name, version in pairs}
    outside = {
        str(one)
        for one in declared("all", "test")
        if not one.specifier.contains(locked.get(canonicalize_name(one.name), "0"))
    }
    assert outside == set()
    assert not {str(one) for one in declared("all") if not one.specifier}
