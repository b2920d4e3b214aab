"""Reads the templates of a folder, within limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.locations import PACKAGE
from oarflow.settings_files import checked
from oarflow.templates.template import Template, TemplateKeys, TemplateSet
from oarflow.yaml_files import YamlError, parse_yaml

SHIPPED = "shipped"
"""In place of a folder: the templates that come with OARflow."""

NO_TEMPLATES = "none"
"""In place of a folder on the command line: no templates, whatever the settings say."""

SHIPPED_FOLDER = PACKAGE / "templates" / "shipped"

SUFFIX = ".yaml"

MAX_TEMPLATES = 200
"""Most templates of a folder."""

MAX_BYTES = 256 * 2**10
"""Greatest size of a template in bytes. The shipped ones have less than 2 kB."""

RUN_KEYS = frozenset(
    {
        "series",
        "device",
        "threads",
        "run_seconds",
        "memory_gb",
        "trusted_models",
        "commissioned",
        "commissioned_key",
        "templates",
        "application",
        "resources",
    }
)
"""Settings of a whole run. They are in use before the CT is known, so no template sets them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def templates_folder(value: str | None, beside: Path) -> Path | None:
    """The folder that the setting `templates` names. beside: where a relative folder starts."""
    if value is None:
        return None
    return SHIPPED_FOLDER if value == SHIPPED else beside / value


def read_templates(folder: Path) -> TemplateSet:
    """The templates of a folder: its files `*.yaml`. Hidden files are left out.

    Raises ConfigurationError TEMPLATES with the file and the reason.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
        visible = [name for name in names if not name.startswith(".")]
        return parse_templates({name: _text(folder, name) for name in _templates(visible, folder)})
    except OSError as error:
        raise _wrong(f"{folder} cannot be read: {error.strerror}") from error


def parse_templates(texts: Mapping[str, str]) -> TemplateSet:
    """Templates from the content of files by name. Raises ConfigurationError TEMPLATES."""
    found = [_template(name, text) for name, text in texts.items()]
    seen: dict[str, str] = {}
    for template in found:
        other = seen.setdefault(template.name.casefold(), template.name)
        if other != template.name:
            raise _wrong(f"{other} and {template.name} differ only in letter case: rename one")
    defaults = [template.name for template in found if template.is_default]
    if len(defaults) > 1:
        raise _wrong(f"{' and '.join(sorted(defaults))} have no rules: only one can be the default")
    found.sort(key=lambda one: (one.is_default, one.keys.order, one.name))
    return TemplateSet(tuple(found), dict(texts))


def _templates(names: list[str], folder: Path) -> list[str]:
    """The names of the templates among a folder's files."""
    other = next((name for name in names if name.lower().endswith((".yml", ".yaml.txt"))), None)
    if other is not None:
        raise _wrong(f"{other}: a template's name ends in {SUFFIX}")
    found = [name for name in names if name.endswith(SUFFIX)]
    if not found:
        raise _wrong(f"{folder} holds no template (*{SUFFIX})")
    if len(found) > MAX_TEMPLATES:
        raise _wrong(f"{folder} holds more than {MAX_TEMPLATES} templates")
    return found


def _text(folder: Path, name: str) -> str:
    """The content of a template. A link may lead to a file of the folder, as Kubernetes makes them.

    Raises OSError.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise _wrong(f"{name} is a link that leads out of the folder: copy the file")
    if not path.is_file():
        raise _wrong(f"{name} is not a file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _wrong(f"{name} is larger than {MAX_BYTES // 2**10} KiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong(f"{name} is not encoded as UTF-8") from error


def _template(file: str, text: str) -> Template:
    name = file.removesuffix(SUFFIX)
    if not _NAME.fullmatch(name):
        raise _wrong(f"{file!r:.80}: a name has letters, digits, _ and -, at most 64")
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise _wrong(f"{file}: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise _wrong(f"{file} must hold keys and values")
    fixed = sorted(RUN_KEYS & set(document))
    if fixed:
        raise _wrong(f"{file}: {fixed[0]} is a setting of the whole run: set it in app.yaml")
    try:
        keys = checked(TemplateKeys, document, file)
    except ConfigurationError as error:
        raise _wrong(str(error)) from error
    own = TemplateKeys.model_fields
    return Template(name, keys, {key: document[key] for key in document if key not in own})


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError("TEMPLATES", f"templates: {message}")
