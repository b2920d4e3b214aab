"""`python -m deploy.map_package`: write the package's manifests, or check a package."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.map_package.lint import lint
from deploy.map_package.manifests import read_source, write_manifests
from deploy.map_package.packages import image_packages, licence_report, only, packages
from deploy.map_package.readers import readers
from deploy.map_package.report import as_document, as_text
from deploy.map_package.targets import open_target
from oarflow.console import ignore_closed_pipes
from oarflow.errors import ConfigurationError
from oarflow.locations import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 1 where a requirement is not met; 2 where a file cannot be used."""
    ignore_closed_pipes()
    flags = _parse(argv)
    try:
        if flags.command == "manifests":
            for path in write_manifests(read_source(flags.source), flags.out):
                sys.stdout.write(f"{path}\n")
            return 0
        if flags.command == "licences":
            chosen = None if flags.source is None else image_packages(flags.source)
            sys.stdout.write(licence_report(packages(chosen)))
            return 0
        if flags.command == "sbom":
            bom = json.loads(flags.bom.read_text(encoding="utf-8"))
            reduced = only(bom, image_packages(flags.source))
            sys.stdout.write(json.dumps(reduced, indent=2) + "\n")
            return 0
        return _lint(flags)
    except ConfigurationError as error:
        sys.stderr.write(f"oarflow: {error.code}: {error}\n")
        return 2


def _lint(flags: argparse.Namespace) -> int:
    with open_target(flags.target, flags.config) as target:
        findings = lint(target)
        verdicts = readers(target)
    document = as_document(flags.target, findings, verdicts)
    if flags.json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(findings, verdicts, flags.all))
    return 0 if document["passed"] else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.map_package", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    manifests = commands.add_parser("manifests", help="write app.json and pkg.json")
    manifests.add_argument("out", type=Path, metavar="OUT_DIR")
    manifests.add_argument("--source", type=Path, default=ROOT, help="the source tree")
    licences = commands.add_parser("licences", help="list this interpreter's packages' licences")
    licences.add_argument("--source", type=Path, help="only the image's packages, by this tree")
    sbom = commands.add_parser("sbom", help="reduce a CycloneDX document to the image's packages")
    sbom.add_argument("bom", type=Path, metavar="BOM", help="of this interpreter's environment")
    sbom.add_argument("--source", type=Path, default=ROOT, help="the source tree")
    check = commands.add_parser("lint", help="check a package against the specification")
    check.add_argument(
        "target",
        type=Path,
        metavar="TARGET",
        help="a root file system, an image archive (docker or OCI, a tar file), an OCI layout's "
        "folder, or a source tree",
    )
    check.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="for a root file system: the image's configuration, as `podman inspect` prints it",
    )
    check.add_argument("--json", action="store_true", help="print a JSON document")
    check.add_argument("--all", action="store_true", help="list what is met, too")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
