"""Imports point one way, as docs/explanation/architecture.md says; planted faults are found."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOPS = ("app", "operators", "oarflow")

LAYERS = {
    # layer: (what it stands on, its rooms)
    "ground": (
        "",
        "errors flags types geometry masks structures faces organs reason_codes priors clock "
        "console shown locations runtime version yaml_files json_files settings_files tables "
        "docstrings patterns templates licences warm",
    ),
    "values": ("ground", "volume result sitk commissioning"),
    "steps": (
        "values",
        "intake rules networks segmentation plausibility rtstruct derived writing compare dose",
    ),
    "importing": ("steps", "importing"),
    "pipeline": ("steps", "pipeline"),
    "serving": ("pipeline", "report run api"),
    "operators": ("pipeline", "operators"),
    "app": ("serving operators", "app"),
    "datasets": ("steps", "datasets"),
    "training": ("datasets", "training"),
    "evaluation": ("datasets serving importing", "evaluation"),
    "node": ("", "node"),
    "commands": ("serving training evaluation node importing", "commands __main__"),
}
"""From the ground up. A room is a module or package of `oarflow`, or `app` or `operators`. It may
import rooms of its own layer, but not in circles, and of all layers that this one stands on."""

KNOWS = {
    "oarflow": {"oarflow.version"},
    "oarflow.errors": set[str](),
    "oarflow.types": set[str](),
    "oarflow.geometry": {"oarflow.types"},
    "oarflow.version": set[str](),
    "oarflow.docstrings": set[str](),
    "oarflow.organs": {"oarflow.locations", "oarflow.yaml_files", "oarflow.settings_files"},
    "oarflow.yaml_files": set[str](),
    "oarflow.json_files": set[str](),
    "oarflow.node": {
        "oarflow.result",
        "oarflow.errors",
        "oarflow.reason_codes",
        "oarflow.version",
        "oarflow.console",
        "oarflow.shown",
        "oarflow.tables",
        "oarflow.locations",
        "oarflow.intake.headers",
        "oarflow.intake.elements",
        "oarflow.intake.files",
        "oarflow.settings_files",
        "oarflow.yaml_files",
        "oarflow.patterns",
        "oarflow.templates.folder",
        "oarflow.templates.template",
        "oarflow.warm.child",
        "oarflow.warm.order",
        "oarflow.warm.process",
    },
}
"""All that these modules and packages import of ours beside themselves. The node runs the
application as a process."""

OPTIONAL = ("torch", "monai", "skimage", "SimpleITK", "matplotlib", "oarflow.networks")

UNREACHABLE = {
    "oarflow": ("monai.deploy", "holoscan", "deploy", "tests"),
    "oarflow.rtstruct": ("torch", "monai", "oarflow.networks"),
    "oarflow.networks": ("pydicom", "highdicom"),
    "oarflow.rules": OPTIONAL,
    "oarflow.compare": OPTIONAL,
    "oarflow.dose": OPTIONAL,
}
"""What no module of a package reaches, whichever way."""

LAZY = ("oarflow", "oarflow.rtstruct")
"""Packages that import their public names on first use."""

QUICK = ("oarflow", "oarflow.__main__", "oarflow.commands")
"""Modules, and all within the last, that the command line imports before it knows its work."""

SLOW = ("numpy", "torch")
"""What these do not import when they are imported themselves."""


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in TOPS


def room(module: str) -> str:
    """The room that a module of ours lies in; "" for the package `oarflow` itself."""
    parts = module.split(".")
    return parts[0] if parts[0] != "oarflow" else "".join(parts[1:2])


def layers() -> dict[str, str]:
    """{room: its layer}"""
    return {name: layer for layer, (_, rooms) in LAYERS.items() for name in rooms.split()}


def under(layer: str) -> set[str]:
    """A layer and all that it stands on."""
    return {layer}.union(*(under(lower) for lower in LAYERS[layer][0].split()))


class Imports:
    """What each module of a tree imports: {module: names}, with members of packages resolved."""

    def __init__(self, root: Path) -> None:
        self.files = {
            module_name(root, file): file
            for top in TOPS
            for file in sorted((root / top).rglob("*.py"))
        }
        self._trees = {
            name: ast.parse(file.read_text(encoding="utf-8")) for name, file in self.files.items()
        }

    @cached_property
    def every(self) -> dict[str, set[str]]:
        """Within functions and for types alone, too, but for what LAZY packages hand on."""
        return {
            name: self._names(name, executed(tree) if name in LAZY else ast.walk(tree))
            for name, tree in self._trees.items()
        }

    @cached_property
    def at_import(self) -> dict[str, set[str]]:
        """Those that are carried out when a module is imported."""
        return {name: self._names(name, executed(tree)) for name, tree in self._trees.items()}

    def _names(self, name: str, nodes: Iterator[ast.AST]) -> set[str]:
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(name, node)
                members = [f"{base}.{alias.name}" for alias in node.names]
                found.add(base)
                found.update(m for m in members if self._is_module(base, m))
        return found

    def _is_module(self, base: str, member: str) -> bool:
        """Whether a member counts as a module: what `oarflow` hands on comes from above."""
        if base == "oarflow":
            return member != "oarflow.__version__"
        return member in self.files or not ours(base)

    def _base(self, name: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = name.split(".")
        if self.files[name].name == "__init__.py":
            parts.append("")
        package = parts[: len(parts) - node.level]
        return ".".join(package + ([node.module] if node.module else []))

    def reached(self, start: str, direct: dict[str, set[str]]) -> dict[str, str]:
        """Every module reached from one, and from which module it was reached first."""
        way: dict[str, str] = {start: ""}
        queue = [start]
        while queue:
            current = queue.pop(0)
            parents = [p for p in packages(current) if p in self.files]
            for target in [*sorted(direct.get(current, ())), *parents]:
                if target not in way:
                    way[target] = current
                    queue.append(target)
        return way


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module without bodies of functions and what stands there for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from executed(child)


def module_name(root: Path, file: Path) -> str:
    parts = list(file.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def violations(imports: Imports) -> list[str]:
    """Every import against the rules, in words."""
    return sorted(
        {*_upward(imports), *_circles(imports), *_unreachable(imports), *_slow(imports)},
    )


def _upward(imports: Imports) -> Iterator[str]:
    layer_of = layers()
    for module in imports.files:
        own = room(module)
        if own and own not in layer_of:
            yield f"{module} stands on no layer: name it in LAYERS"
        allowed = under(layer_of[own]) if own in layer_of else set()
        known = KNOWS.get(f"oarflow.{own}" if own else "oarflow")
        for target in filter(ours, imports.every[module]):
            other = room(target)
            if other in ("", own):
                continue
            if layer_of.get(other) not in allowed if known is None else target not in known:
                yield f"{module} imports {target}"


def _circles(imports: Imports) -> Iterator[str]:
    """Rooms that import each other."""
    rooms: dict[str, set[str]] = {}
    for module, targets in imports.every.items():
        others = {room(target) for target in targets if ours(target)} - {"", room(module)}
        if room(module):
            rooms.setdefault(room(module), set()).update(others)
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        yield "a circle: " + " <- ".join(error.args[1])


def _unreachable(imports: Imports) -> Iterator[str]:
    for package, banned in UNREACHABLE.items():
        for module in [name for name in imports.files if within(name, package)]:
            way = imports.reached(module, imports.every)
            for target in way:
                if any(within(target, name) for name in banned):
                    yield f"{module} reaches {target} through {way[target]}"


def _slow(imports: Imports) -> Iterator[str]:
    for module in imports.files:
        if module in QUICK or within(module, QUICK[-1]):
            way = imports.reached(module, imports.at_import)
            for target in way:
                if any(within(target, name) for name in SLOW):
                    yield f"{module} imports {target} at once, through {way[target]}"


@pytest.fixture(scope="module")
def house() -> Imports:
    return Imports(ROOT)


def test_imports_point_one_way(house: Imports) -> None:
    assert violations(house) == []


def test_the_table_names_every_room_and_no_other(house: Imports) -> None:
    assert {room(name) for name in house.files} - {""} == set(layers())
    assert set(KNOWS).union(*KNOWS.values()) <= set(house.files)


def test_the_page_names_every_room() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("| layer | modules and packages |")[1].split("\n\n")[0]
    cells = [line.split("|")[2] for line in table.splitlines() if line.count("|") >= 3]
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) >= set(layers())
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) - set(layers()) <= {"intake"}


def test_the_command_line_starts_without_what_is_slow(house: Imports) -> None:
    verbs = [name for name in house.files if within(name, "oarflow.commands")]
    asked = f"import sys, {', '.join(verbs)}\nprint([m for m in {SLOW} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


TREE = {
    "oarflow/__init__.py": "",
    "oarflow/errors.py": "",
    "oarflow/volume.py": "V = 1",
    "oarflow/sitk.py": "def late():\n    import torch",
    "oarflow/segmentation/__init__.py": "import torch",
    "oarflow/writing/__init__.py": "import pydicom\nfrom oarflow import rtstruct",
    "oarflow/networks/__init__.py": "",
    "oarflow/intake/__init__.py": "",
    "oarflow/intake/gate.py": "",
    "oarflow/intake/headers.py": "import pydicom",
    "oarflow/rtstruct/__init__.py": "import pydicom",
    "oarflow/pipeline.py": "import oarflow.segmentation, oarflow.writing",
    "oarflow/run/__init__.py": "from oarflow.pipeline import run",
    "oarflow/datasets/__init__.py": "from oarflow.volume import V",
    "oarflow/training/__init__.py": "import oarflow.datasets",
    "oarflow/evaluation/__init__.py": "import oarflow.datasets, oarflow.run",
    "oarflow/node/__init__.py": "from oarflow.intake.headers import H\nimport oarflow.errors",
    "oarflow/commands/__init__.py": (
        "import json\nfrom typing import TYPE_CHECKING\nfrom oarflow import errors, __version__\n"
        "if TYPE_CHECKING:\n    import numpy\n"
        "def run():\n    import oarflow.node, oarflow.training"
    ),
    "oarflow/__main__.py": "from oarflow.commands import main",
    "operators/scan.py": "from monai.deploy.core import Operator\nimport oarflow.pipeline",
    "app/graph.py": "import operators.scan, oarflow.run",
}
"""A small house in which every import is allowed."""


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    plant(tmp_path, TREE)
    assert violations(Imports(tmp_path)) == []


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("oarflow/a.py", "", "oarflow.a stands on no layer"),
        # Layers
        ("operators/a.py", "import oarflow.run.settings", "operators.a imports oarflow.run"),
        ("operators/a.py", "from app import graph", "operators.a imports app"),
        (
            "oarflow/segmentation/a.py",
            "import operators",
            "segmentation.a imports operators",
        ),
        ("oarflow/run/a.py", "import app", "oarflow.run.a imports app"),
        ("oarflow/intake/a.py", "from oarflow import pipeline", "imports oarflow.pipeline"),
        ("oarflow/rtstruct/a.py", "import oarflow.pipeline", "imports oarflow.pipeline"),
        ("oarflow/networks/a.py", "import oarflow.pipeline", "imports oarflow.pipeline"),
        ("oarflow/plausibility/a.py", "import oarflow.pipeline", "imports oarflow.pipeline"),
        ("oarflow/pipeline.py", "from oarflow.run import paths", "imports oarflow.run"),
        ("oarflow/pipeline.py", "import oarflow.report", "imports oarflow.report"),
        ("oarflow/pipeline.py", "from oarflow import contour", "imports oarflow.contour"),
        ("oarflow/volume.py", "from . import segmentation", "imports oarflow.segmentation"),
        ("oarflow/run/a.py", "def f():\n    import oarflow.datasets", "imports oarflow.datasets"),
        ("oarflow/run/a.py", "from oarflow.importing import x", "imports oarflow.importing"),
        ("oarflow/run/a.py", "import oarflow.training.loop", "imports oarflow.training.loop"),
        ("oarflow/report/a.py", "from ..evaluation import b", "imports oarflow.evaluation"),
        ("oarflow/compare/a.py", "from oarflow.datasets import c", "imports oarflow.datasets"),
        ("oarflow/dose/a.py", "import oarflow.evaluation", "imports oarflow.evaluation"),
        ("oarflow/api.py", "import oarflow.node", "oarflow.api imports oarflow.node"),
        ("app/a.py", "import oarflow.evaluation", "app.a imports oarflow.evaluation"),
        ("operators/a.py", "import oarflow.node", "operators.a imports oarflow.node"),
        ("oarflow/datasets/a.py", "from oarflow.training import x", "imports oarflow.training"),
        ("oarflow/datasets/a.py", "from oarflow.run import x", "datasets.a imports oarflow.run"),
        ("oarflow/training/a.py", "from oarflow import evaluation", "imports oarflow.evaluation"),
        ("oarflow/evaluation/a.py", "import oarflow.training", "imports oarflow.training"),
        ("oarflow/run/a.py", "from oarflow.commands import main", "imports oarflow.commands"),
        ("oarflow/evaluation/a.py", "import oarflow.commands", "imports oarflow.commands"),
        ("app/a.py", "import oarflow.commands.segment", "app.a imports oarflow.commands"),
        ("app/a.py", "import oarflow.__main__", "app.a imports oarflow.__main__"),
        # Circles
        ("oarflow/rtstruct/a.py", "import oarflow.writing", "a circle"),
        # Who knows little
        ("oarflow/node/a.py", "from oarflow.volume import V", "node.a imports oarflow.volume"),
        ("oarflow/node/a.py", "from oarflow.intake import headers, gate", "imports oarflow.intake"),
        ("oarflow/node/a.py", "import oarflow.run", "oarflow.node.a imports oarflow.run"),
        ("oarflow/geometry.py", "from .volume import V", "oarflow.geometry imports oarflow.volume"),
        ("oarflow/organs.py", "from oarflow import errors", "organs imports oarflow.errors"),
        ("oarflow/errors.py", "import oarflow.shown", "oarflow.errors imports oarflow.shown"),
        # Who reaches what
        ("oarflow/run/a.py", "from monai.deploy.core import A", "run.a reaches monai.deploy"),
        ("oarflow/node/a.py", "from monai import deploy", "node.a reaches monai.deploy"),
        ("oarflow/run/a.py", "import holoscan", "oarflow.run.a reaches holoscan"),
        ("oarflow/run/a.py", "from tests import phantoms", "oarflow.run.a reaches tests"),
        ("oarflow/rtstruct/a.py", "import torch.nn", "oarflow.rtstruct.a reaches torch.nn"),
        ("oarflow/rtstruct/a.py", "from ..sitk import x", "reaches torch through oarflow.sitk"),
        ("oarflow/rtstruct/a.py", "from oarflow import networks", "reaches oarflow.networks"),
        ("oarflow/networks/a.py", "from oarflow.writing import x", "reaches pydicom through"),
        ("oarflow/compare/a.py", "def f():\n    import skimage", "compare.a reaches skimage"),
        ("oarflow/dose/a.py", "import oarflow.segmentation", "reaches torch through oarflow.segm"),
        # Who is imported at every start
        ("oarflow/__init__.py", "import numpy", "oarflow imports numpy at once"),
        ("oarflow/errors.py", "import torch", "oarflow.commands imports torch at once, through"),
        ("oarflow/commands/a.py", "if 1:\n    from numpy import f", "commands.a imports numpy at"),
        ("oarflow/commands/a.py", "import oarflow.segmentation", "commands.a imports torch at"),
    ],
)
def test_a_planted_violation_is_found(
    tmp_path: Path, file: str, source: str, complaint: str
) -> None:
    plant(tmp_path, {**TREE, file: source})
    found = violations(Imports(tmp_path))
    assert any(complaint in line for line in found), found


def plant(root: Path, tree: dict[str, str]) -> None:
    for name, text in tree.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
