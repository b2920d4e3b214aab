"""Check the manifests against Kubernetes' schemas and Argo's models: `make deploy-lint`.

Needs kubernetes-validate and hera-workflows, which have an environment of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from hera.workflows.models import WorkflowTemplate

DEPLOY = Path(__file__).resolve().parent
FOLDERS = (DEPLOY / "kubernetes", DEPLOY / "node" / "kubernetes")
KUBERNETES = "1.31"


def check(document: dict[str, Any]) -> str:
    """Which schema a document satisfies. Raises the tools' errors."""
    if str(document["apiVersion"]).startswith("argoproj.io/"):
        template = WorkflowTemplate.model_validate(document, extra="forbid")
        for step in template.spec.templates or ():
            _pod(step.model_dump(by_alias=True, exclude_none=True, mode="json"))
        return "Argo's WorkflowTemplate"
    used = kubernetes_validate.validate(document, KUBERNETES, strict=True)
    return f"Kubernetes {used}"


def _pod(step: dict[str, Any]) -> None:
    """An Argo step's container and volumes as a pod, for Kubernetes' stricter schema."""
    container = {"name": "main", **step["container"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "step"},
        "spec": {"containers": [container], "volumes": step.get("volumes", [])},
    }
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def main() -> int:
    """Returns 0; an invalid document ends in the tool's error."""
    for path in sorted(path for folder in FOLDERS for path in folder.glob("*.yaml")):
        name = path.relative_to(DEPLOY)
        for document in filter(None, yaml.safe_load_all(path.read_text(encoding="utf-8"))):
            sys.stdout.write(f"{name}: {document['kind']}: {check(document)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
