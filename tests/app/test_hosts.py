"""The ways in which hosts start the application: variables, folders, users, what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.workbench import REPOSITORY, app, clean_environment

STRANGER = 123456
"""A user ID that no passwd entry names."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user ID")


@pytest.fixture
def public(ct: Path, models: Path) -> Iterator[Path]:
    """A folder that any user may enter, with `in`, `models` and a writable `out`."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copytree(ct, folder / "in")
    shutil.copytree(models, folder / "models")
    (folder / "out").mkdir(mode=0o777)
    (folder / "out").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def as_stranger(
    public: Path, environment: dict[str, str], *program: str
) -> subprocess.CompletedProcess[str]:
    """Run as a user without a name, who may read (the interpreter may lie anywhere), not write."""
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    reading = "-all,+dac_read_search"
    user = [f"--reuid={STRANGER}", "--regid=0", "--clear-groups"]
    rights = [f"--{kind}={reading}" for kind in ("bounding-set", "inh-caps", "ambient-caps")]
    return subprocess.run(
        ["setpriv", *user, *rights, sys.executable, *program],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def done(out: Path) -> bool:
    return sorted(path.name for path in out.iterdir()) == ["result.json", "rtstruct.dcm"]


@pytest.mark.parametrize(
    "variables",
    [
        ("HOLOSCAN_INPUT_PATH", "HOLOSCAN_OUTPUT_PATH", "HOLOSCAN_MODEL_PATH"),
        ("MONAI_INPUTPATH", "MONAI_OUTPUTPATH", "MONAI_MODELPATH"),
        ("MERCURE_IN_DIR", "MERCURE_OUT_DIR", "HOLOSCAN_MODEL_PATH"),
    ],
)
def test_folders_by_variables(
    variables: tuple[str, str, str], ct: Path, models: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out with spaces"
    named = dict(zip(variables, map(str, (ct, out, models)), strict=True))
    ran = app(environment=clean_environment(**named), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert done(out)


@needs_root
def test_user_without_name_or_home(public: Path) -> None:
    """No HOME, no USER, no passwd entry, an input that is read-only, another folder."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    folders = ["-i", f"{public}/in", "-o", f"{public}/out", "-m", f"{public}/models"]
    ran = as_stranger(public, environment, "-m", "app", *folders)
    assert ran.returncode == 0, ran.stderr
    assert done(public / "out")
    assert ran.stderr == ""


@needs_root
def test_out_that_this_user_cannot_write(public: Path) -> None:
    (public / "out").chmod(0o755)
    environment = clean_environment()
    folders = ["-i", f"{public}/in", "-o", f"{public}/out", "-m", f"{public}/models"]
    ran = as_stranger(public, environment, "-m", "app", *folders)
    assert ran.returncode == 2, ran.stderr
    assert "OUTPUT_NOT_WRITABLE" in ran.stderr
    assert str(public / "out") in ran.stderr
    assert list((public / "out").iterdir()) == []


@needs_root
def test_no_temporary_folder(public: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    hidden = (Path("/tmp"), Path("/var/tmp"))
    if any(Path(sys.executable).absolute().is_relative_to(folder) for folder in hidden):
        pytest.skip("the test hides the temporary folders, and the interpreter lies in one")
    read_only = (
        f"mount -t tmpfs -o ro none {public}/out && for d in /tmp /var/tmp /usr/tmp; do "
        f'[ -d "$d" ] && mount -t tmpfs -o ro none "$d"; done; cd /proc && '
        f'exec "{sys.executable}" -m app -i / -o /nowhere -m /'
    )
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", read_only],
        env=clean_environment(TMPDIR="/nonexistent"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare failed" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("mounts are not allowed here")
    assert ran.returncode == 2, ran.stderr
    assert "NO_TEMPORARY_FOLDER" in ran.stderr


def test_as_it_lies_in_the_image(ct: Path, models: Path, tmp_path: Path) -> None:
    """`python3 /opt/holoscan/app`: packages beside a __main__.py, nothing on the path."""
    root = tmp_path / "opt" / "app"
    root.mkdir(parents=True)
    for package in ("app", "operators", "oarflow"):
        (root / package).symlink_to(REPOSITORY / package)
    (root / "__main__.py").write_text(
        "import sys\nfrom app.__main__ import main\nsys.exit(main())\n"
    )
    shutil.copy(REPOSITORY / "models" / "organs.yaml", tmp_path / "organs.yaml")
    environment = clean_environment()
    del environment["PYTHONPATH"]
    folders = ("-i", ct, "-o", tmp_path / "out", "-m", models)
    ran = app(*folders, environment=environment, cwd=Path("/"), program=("-I", str(root)))
    assert ran.returncode == 0, ran.stderr
    assert done(tmp_path / "out")


def test_same_bytes_twice_with_a_fixed_time(ct: Path, models: Path, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("outputs: {seg: true}\nthreads: 1\n")
    files = []
    for name in ("one", "two"):
        fixed = clean_environment(SOURCE_DATE_EPOCH="1700000000")
        folders = ("-i", ct, "-o", tmp_path / name, "-m", models, "-c", tmp_path / "app.yaml")
        assert app(*folders, environment=fixed).returncode == 0
        files.append([(tmp_path / name / f).read_bytes() for f in ("rtstruct.dcm", "seg.dcm")])
    assert files[0] == files[1]
    assert b"20231114" in files[0][0]


def test_two_runs_without_a_fixed_time_share_no_uid(ct: Path, models: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert app("-i", ct, "-o", tmp_path / name, "-m", models).returncode == 0
    one, two = ((tmp_path / name / "rtstruct.dcm").read_bytes() for name in ("one", "two"))
    assert one != two


def test_a_time_that_is_none(ct: Path, models: Path, tmp_path: Path) -> None:
    wrong = clean_environment(SOURCE_DATE_EPOCH="yesterday")
    ran = app("-i", ct, "-o", tmp_path / "out", "-m", models, environment=wrong)
    assert ran.returncode == 2
    assert "SOURCE_DATE_EPOCH" in ran.stderr


@needs_root
def test_without_an_installed_cuda_toolkit(ct: Path, models: Path, tmp_path: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    hidden = (
        'for d in /usr/local/cuda*; do [ -d "$d" ] && mount -t tmpfs none "$(realpath "$d")"; '
        f'done; exec "{sys.executable}" -m app "$@"'
    )
    folders = ["-i", str(ct), "-o", str(tmp_path / "out"), "-m", str(models)]
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", hidden, "sh", *folders],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unshare failed" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("mounts are not allowed here")
    assert ran.returncode == 0, ran.stderr
    assert done(tmp_path / "out")


def test_print_config_and_codes_need_no_folders(tmp_path: Path) -> None:
    ran = app("--print-config")
    assert ran.returncode == 0
    assert "organ_seconds: null" in ran.stdout
    ran = app("--explain-codes")
    assert ran.returncode == 0
    assert "AMBIGUOUS_SERIES" in ran.stdout
