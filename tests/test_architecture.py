"""Imports point one way, as docs/design.md says: read from the source, planted faults included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOPS = ("app", "operators", "oarflow", "datasets", "training", "evaluation", "service")

ALLOWED = {
    "app": {"app", "operators", "oarflow"},
    "operators": {"operators", "oarflow"},
    "oarflow": {"oarflow"},
    "datasets": {"datasets", "oarflow"},
    "training": {"training", "datasets", "oarflow"},
    "evaluation": {"evaluation", "datasets", "oarflow"},
    "service": {"service", "oarflow"},
}
SERVICE_KNOWS = {
    "oarflow",
    "oarflow.result",
    "oarflow.errors",
    "oarflow.console",
    "oarflow.shown",
    "oarflow.intake.headers",
    "oarflow.intake.elements",
    "oarflow.intake.files",
    "oarflow.yaml_files",
}
ALONE = ("oarflow.geometry", "oarflow.organs", "oarflow.errors", "oarflow.yaml_files")
FOR_ALL = ("oarflow.yaml_files",)
# Who must never reach what, by whatever way.
UNREACHABLE = {
    "oarflow.rtstruct": ("torch", "monai", "oarflow.networks"),
    "oarflow.networks": ("pydicom", "highdicom"),
    "oarflow": ("monai.deploy", "holoscan"),
}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


class Imports:
    """What each module of a tree imports: {module: names}, with members of packages resolved."""

    def __init__(self, root: Path) -> None:
        self.files = {
            name: file
            for top in TOPS
            for file in sorted((root / top).rglob("*.py"))
            for name in [module_name(root, file)]
        }
        self.direct = {name: set(self._read(name)) for name in self.files}

    def _read(self, name: str) -> Iterator[str]:
        file = self.files[name]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(name, node)
                yield base
                yield from (
                    full
                    for alias in node.names
                    if (full := f"{base}.{alias.name}") in self.files or not ours(base)
                )

    def _base(self, name: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = name.split(".")
        if self.files[name].name == "__init__.py":
            parts.append("")
        package = parts[: len(parts) - node.level]
        return ".".join(package + ([node.module] if node.module else []))

    def reached(self, start: str) -> dict[str, str]:
        """Every module reached from one, and from which module it was reached first."""
        way: dict[str, str] = {start: ""}
        queue = [start]
        while queue:
            current = queue.pop(0)
            parents = [p for p in packages(current) if p in self.files]
            for target in [*sorted(self.direct.get(current, ())), *parents]:
                if target not in way:
                    way[target] = current
                    queue.append(target)
        return way


def module_name(root: Path, file: Path) -> str:
    parts = list(file.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in TOPS


def violations(root: Path) -> list[str]:
    """Every import against the rules, in words."""
    imports = Imports(root)
    found = []
    for module, targets in imports.direct.items():
        top = module.split(".")[0]
        for target in sorted(filter(ours, targets)):
            if target.split(".")[0] not in ALLOWED[top]:
                found.append(f"{module} imports {target}")
            if top == "service" and target.startswith("oarflow") and target not in SERVICE_KNOWS:
                found.append(f"{module} imports {target}")
            if module in ALONE and target not in ("oarflow", *FOR_ALL):
                found.append(f"{module} imports {target}")
    for package, banned in UNREACHABLE.items():
        for module in [name for name in imports.files if within(name, package)]:
            way = imports.reached(module)
            for target in way:
                if any(within(target, name) for name in banned):
                    found.append(f"{module} reaches {target} through {way[target]}")
    return sorted(set(found))


def test_imports_point_one_way() -> None:
    assert violations(ROOT) == []


def test_every_package_is_seen() -> None:
    names = Imports(ROOT).files
    assert {"oarflow.geometry", "oarflow.rtstruct.model", "oarflow.organs"} <= set(names)


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        (
            "operators/a.py",
            "import oarflow.run.settings",
            "operators.a imports oarflow.run.settings",
        ),
        ("oarflow/a.py", "from operators import scan", "oarflow.a imports operators"),
        (
            "oarflow/a.py",
            "from monai.deploy.core import Operator",
            "oarflow.a reaches monai.deploy",
        ),
        ("oarflow/a.py", "from monai import deploy", "oarflow.a reaches monai.deploy"),
        ("oarflow/a.py", "def f():\n    import training.loop", "oarflow.a imports training.loop"),
        ("app/a.py", "import evaluation", "app.a imports evaluation"),
        ("oarflow/datasets/a.py", "from training import cases", "datasets.a imports training"),
        ("oarflow/training/a.py", "import app", "training.a imports app"),
        ("oarflow/geometry.py", "from .volume import V", "oarflow.geometry imports oarflow.volume"),
        ("oarflow/organs.py", "from oarflow import errors", "organs imports oarflow.errors"),
        ("oarflow/rtstruct/a.py", "import torch.nn", "oarflow.rtstruct.a reaches torch.nn"),
        ("oarflow/rtstruct/a.py", "from ..deep import x", "reaches torch through oarflow.deep"),
        ("oarflow/rtstruct/a.py", "from oarflow import networks", "reaches oarflow.networks"),
        ("oarflow/networks/a.py", "from oarflow.dicom import x", "reaches pydicom through"),
        ("oarflow/node/a.py", "from oarflow.volume import V", "service.a imports oarflow.volume"),
        ("oarflow/node/a.py", "from oarflow.intake import headers, gate", "imports oarflow.intake"),
    ],
)
def test_a_planted_violation_is_found(
    tmp_path: Path, file: str, source: str, complaint: str
) -> None:
    tree = {
        "oarflow/__init__.py": "",
        "oarflow/errors.py": "",
        "oarflow/volume.py": "V = 1",
        "oarflow/deep.py": "import torch",
        "oarflow/dicom.py": "import pydicom",
        "oarflow/networks/__init__.py": "",
        "oarflow/intake/__init__.py": "",
        "oarflow/intake/gate.py": "",
        "oarflow/intake/headers.py": "",
        file: source,
    }
    plant(tmp_path, {name: text for name, text in tree.items() if name != file})
    assert violations(tmp_path) == []
    plant(tmp_path, tree)
    assert any(complaint in line for line in violations(tmp_path)), violations(tmp_path)


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "oarflow/__init__.py": "",
            "oarflow/result.py": "import json",
            "oarflow/intake/__init__.py": "",
            "oarflow/intake/headers.py": "import pydicom",
            "operators/scan.py": "from monai.deploy.core import Operator\nimport oarflow.result",
            "app/graph.py": "import operators.scan, oarflow.result",
            "oarflow/node/node.py": "import oarflow.intake.headers\nfrom oarflow.result import ResultDocument",
            "oarflow/evaluation/run.py": "import datasets.cases",
            "oarflow/datasets/cases.py": "import oarflow.result",
        },
    )
    assert violations(tmp_path) == []


def plant(root: Path, tree: dict[str, str]) -> None:
    for name, text in tree.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
