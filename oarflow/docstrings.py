"""The docstrings under the fields of a class, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap


def of_fields(owner: type) -> dict[str, str]:
    """Docstring of each field of a class and its bases, on one line.

    Fields without a docstring are left out; all are, if the source is not at hand.
    """
    found: dict[str, str] = {}
    for one in reversed(owner.__mro__):
        found |= _own(one)
    return found


def _own(owner: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):
        return {}
    (definition,) = ast.parse(source).body
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    found = {}
    for field, after in itertools.pairwise(statements):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[field.target.id] = " ".join(str(after.value.value).split())
    return found
