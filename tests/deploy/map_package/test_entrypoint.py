"""The entrypoint's commands, and that it adds nothing to what the application says."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

from tests.deploy.map_package.imitation import Container, needs_root, open_folder, run

pytestmark = needs_root


def test_show(laid_out: Path, tmp_path: Path) -> None:
    manifests = laid_out / "etc" / "holoscan"
    app, package = ((manifests / name).read_text() for name in ("app.json", "pkg.json"))
    assert run(laid_out, tmp_path, Container(), "show", "app").stdout == app
    assert run(laid_out, tmp_path, Container(), "show", "pkg").stdout == package
    assert run(laid_out, tmp_path, Container(), "show").stdout == app + package
    assert json.loads(app)["version"] == json.loads(package)["version"]
    wrong = run(laid_out, tmp_path, Container(), "show", "all of it")
    assert wrong.returncode == 2
    assert "'all of it'" in wrong.stderr


def test_help_and_env(laid_out: Path, tmp_path: Path) -> None:
    text = run(laid_out, tmp_path, Container(), "help")
    assert text.returncode == 0
    assert "extract" in text.stdout
    given = Container(environment={"HOLOSCAN_INPUT_PATH": "/a b", "PASSWORD": "hidden"})
    shown = run(laid_out, tmp_path, given, "env")
    assert shown.returncode == 0
    assert "HOLOSCAN_INPUT_PATH=/a b\n" in shown.stdout
    assert "USER=oarflow\n" in shown.stdout
    assert "PASSWORD" not in shown.stdout


def same_trees(one: Path, other: Path) -> bool:
    compared = filecmp.dircmp(one, other, ignore=[])
    alone = [*compared.left_only, *compared.right_only, *compared.diff_files]
    return not alone and all(same_trees(one / d, other / d) for d in compared.common_dirs)


def test_extract_everything(laid_out: Path, tmp_path: Path) -> None:
    export = open_folder(tmp_path / "export")
    mounted = Container(mounts={"/var/run/holoscan/export": export})
    for _ in range(2):  # over an earlier copy, too
        ran = run(laid_out, tmp_path, mounted, "extract")
        assert ran.returncode == 0, ran.stderr
    root = laid_out / "opt" / "holoscan"
    for name in ("app", "models", "docs"):
        assert same_trees(root / name, export / name)
    config = sorted(path.name for path in (export / "config").iterdir())
    assert config == ["app.json", "app.yaml", "pkg.json"]


def test_extract_only_what_is_mounted(laid_out: Path, tmp_path: Path) -> None:
    config, docs = open_folder(tmp_path / "config"), open_folder(tmp_path / "docs")
    export = "/var/run/holoscan/export"
    mounted = Container(mounts={f"{export}/config": config, f"{export}/docs": docs})
    ran = run(laid_out, tmp_path, mounted, "extract")
    assert ran.returncode == 0, ran.stderr
    assert same_trees(laid_out / "opt" / "holoscan" / "docs", docs)
    assert len(list(config.iterdir())) == 3


def test_extract_without_or_with_a_locked_folder(laid_out: Path, tmp_path: Path) -> None:
    assert run(laid_out, tmp_path, Container(), "extract").returncode == 2
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    ran = run(laid_out, tmp_path, Container(mounts={"/var/run/holoscan/export": locked}), "extract")
    assert ran.returncode == 2
    assert "cannot be written" in ran.stderr


def test_anything_else_is_the_application(laid_out: Path, tmp_path: Path) -> None:
    wrong = run(laid_out, tmp_path, Container(), "--outpt")
    assert wrong.returncode == 2
    assert "--outpt" in wrong.stderr
    shown = run(laid_out, tmp_path, Container(), "--print-config")
    assert shown.returncode == 0
    assert "run_seconds: 3600" in shown.stdout
