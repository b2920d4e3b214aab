"""The files of recipes, checked strictly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oarflow.errors import Fault
from oarflow.importing.errors import NotImportedError
from oarflow.importing.organ_map import Assignment, SidedLabels, assigned
from oarflow.licences import Commercial
from oarflow.networks.imported.card import CropRule, SplineOrder
from oarflow.organs import Catalogue
from oarflow.settings_files import explain
from oarflow.yaml_files import YamlError, read_yaml

FOLDER = Path(__file__).parent
PROGRAM = "program.yaml"

Millimetres = Annotated[float, Field(gt=0, le=10)]
Words = Annotated[str, Field(min_length=1, max_length=200)]
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LicenceTerms(_Strict):
    """The licence of weights. number: whether its holder needs a licence number."""

    name: Words
    commercial: Commercial
    number: bool = False


class WeightsPlace(_Strict):
    """A folder in which a program keeps its weights.

    variable: the environment variable that names it; "": the user's home. below: path within.
    """

    variable: str = ""
    below: str = ""


class PublicProgram(_Strict):
    """What the networks of a program share.

    orientation: of its input. image_order: of the spline between the centres of the outermost
    voxels by which it resamples CTs to whole HU. places: where its weights are, the first one that
    applies. variants: licences by the weights' subfolder. unsorted: the variant of weights that lie
    in no subfolder. fetch: its command that fetches weights. number_from: where to get a licence
    number.
    """

    title: Words
    version: Words
    orientation: Words
    image_order: SplineOrder
    places: tuple[WeightsPlace, ...] = Field(min_length=1)
    variants: dict[str, LicenceTerms] = Field(min_length=1)
    unsorted: str = ""
    fetch: Words
    number_from: str = ""


class ImportRecipe(_Strict):
    """How to import one network.

    key: name of the program's folder of recipes. number, task: of the program. folder: of the
    weights. trained: its result folder: trainer, plans and configuration. spacing_mm: (z, y, x) of
    the network's voxels. step: distance of tiles as a share of the patch. crop: the searched part
    of the CT. licence: other than the program's. labels: the program's names, the first for label
    1. organs: labels by organ of the catalogue. not_done: steps of the program that OARflow leaves
    out.
    """

    key: str
    program: PublicProgram
    number: Annotated[int, Field(ge=1, le=999)]
    task: Words
    folder: FolderName
    trained: FolderName
    fold: Annotated[str, Field(pattern="^([0-9]|all)$")]
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres]
    step: Annotated[float, Field(gt=0, le=1)] = 0.5
    crop: CropRule = CropRule()
    licence: LicenceTerms | None = None
    labels: tuple[Words, ...] = Field(min_length=1, max_length=255)
    organs: dict[str, Annotated[tuple[str, ...], Field(min_length=1)] | SidedLabels] = Field(
        min_length=1
    )
    not_done: str = ""

    @model_validator(mode="after")
    def _labels_known(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label is named twice")
        for organ, given in self.sided.items():
            if unknown := set(given.labels) - set(self.labels):
                raise ValueError(f"{organ} is made of an unknown label: {unknown.pop()}")
        return self

    @property
    def name(self) -> str:
        """Of the recipe, and of the imported network: such as totalsegmentator_775."""
        return f"{self.key}_{self.number}"

    @property
    def sided(self) -> dict[str, SidedLabels]:
        """Labels by organ."""
        return {
            organ: given if isinstance(given, SidedLabels) else SidedLabels(labels=given)
            for organ, given in self.organs.items()
        }

    @property
    def terms(self) -> Mapping[str, LicenceTerms]:
        """Licences by variant of the weights."""
        return self.program.variants if self.licence is None else {"": self.licence}

    def fetch(self, variant: str = "") -> str:
        """The other program's command that fetches the weights."""
        shown = variant or next(iter(self.terms))
        return self.program.fetch.format(task=self.task, number=self.number, variant=shown)

    def assignment(self, catalogue: Catalogue) -> Assignment:
        """The organs with their labels. Raises NotImportedError for one without an entry."""
        if missing := [organ for organ in self.organs if organ not in catalogue]:
            raise NotImportedError(
                f"organs.yaml of the models folder lacks {missing[0]}: copy that of this version"
            )
        return assigned(self.sided, {name: (n,) for n, name in enumerate(self.labels, start=1)})


Checked = TypeVar("Checked", bound=BaseModel)


def programs() -> tuple[str, ...]:
    """The keys of the programs with recipes."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob(f"*/{PROGRAM}")))


@cache
def read_recipes(key: str) -> dict[int, ImportRecipe]:
    """A program's recipes by number. Raises Fault where a file is not valid."""
    program = _checked(PublicProgram, FOLDER / key / PROGRAM)
    files = sorted(FOLDER.glob(f"{key}/[0-9]*.yaml"))
    shared = {"key": key, "program": program}
    return {
        int(file.stem): _checked(ImportRecipe, file, shared | {"number": int(file.stem)})
        for file in files
    }


def chosen(key: str, task: str) -> tuple[ImportRecipe, ...]:
    """The recipes of a task, by its number or name. Raises NotImportedError."""
    recipes = read_recipes(key)
    found = tuple(r for r in recipes.values() if task in (str(r.number), r.task))
    if not found:
        known = ", ".join(f"{number} {recipe.task}" for number, recipe in recipes.items())
        raise NotImportedError(f"there is no recipe {task!r:.40}; choose from {known}")
    return found


def _checked(model: type[Checked], file: Path, shared: Mapping[str, Any] | None = None) -> Checked:
    try:
        return model.model_validate({**read_yaml(file), **(shared or {})})
    except (OSError, YamlError, TypeError) as error:
        raise Fault(f"{file} cannot be read: {error}") from error
    except ValidationError as error:
        raise Fault(f"{file}: {explain(error, model)}") from error
