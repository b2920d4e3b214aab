"""Where the program's own files are: in a checkout, in the image, or in the wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

ROOT = PACKAGE.parent
"""The folder that holds the package: a checkout, `/opt/holoscan/app`, or `site-packages`."""

DATA = PACKAGE / "data"
"""The wheel's copy of the files that a checkout keeps beside the package."""

IMAGE_MODELS = Path("/opt/holoscan/models")
"""The folder of networks in the container image."""

SAMPLE = Path("samples") / "openkbp_validation"


def has_application(root: Path = ROOT) -> bool:
    """Whether the MONAI Deploy application lies beside the package: a checkout, or the image."""
    return (root / "app.yaml").is_file() and (root / "app" / "__main__.py").is_file()


def places(name: Path | str, root: Path = ROOT) -> tuple[Path, ...]:
    """Where a file or folder of the program, such as `models`, may be; the first place first.

    `site-packages` is no checkout: a folder of that name there belongs to another package.
    """
    return (root / name, DATA / name) if has_application(root) else (DATA / name,)


def shipped(name: Path | str, root: Path = ROOT) -> Path:
    """A file or folder of the program, such as `app.yaml`; it need not exist."""
    found = places(name, root)
    return next((place for place in found if place.exists()), found[0])


def default_models(root: Path = ROOT) -> Path:
    """The folder of networks if none is named: the image's, or the program's; it need not exist."""
    return IMAGE_MODELS if IMAGE_MODELS.is_dir() else shipped("models", root)
