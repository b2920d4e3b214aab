"""The transforms after the network, as facts of a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from oarflow.importing.bundle.configuration import OTHERWISE, Component, Configuration, steps
from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.numbers import whole

ENTRY = "postprocessing"
PREPROCESSED = ("@preprocessing", "$@preprocessing")
"""How Invertd names the preprocessing. The second form is compared, not evaluated."""

KEYS = ("keys", "allow_missing_keys")
MOST_LABEL = 255


@dataclass(frozen=True)
class Postprocessing:
    """How the network's output becomes labels on the CT.

    output: the key of the prediction. image: the key of the image. activation: what is applied
    before the values return to the CT's grid. activated: what is applied at all. order: of the
    interpolation with which they return; None: not yet. kind: argmax of the channels, or a
    threshold of 0.5; None: not yet. largest: groups of labels whose largest component alone stays;
    an empty group: each label alone.
    """

    output: str
    image: str
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    activated: Literal["", "softmax", "sigmoid"] = ""
    order: Literal[0, 1] | None = None
    kind: Literal["argmax", "threshold"] | None = None
    largest: tuple[tuple[int, ...], ...] = ()


def postprocessing(configuration: Configuration, image: str) -> Postprocessing:
    """The entry of that name. image: the image's key. Raises NotImportedError."""
    transforms = steps(configuration, ENTRY)
    if not transforms:
        raise NotImportedError(f"{ENTRY} has no transforms: {OTHERWISE}")
    found = Postprocessing(str(transforms[0].value("keys")), image)
    for transform in transforms:
        handler = HANDLERS.get(transform.name)
        if transform.name == "SaveImaged":
            continue
        if handler is None:
            raise transform.refuse("is unknown to OARflow")
        if transform.value("keys") != found.output:
            raise transform.refuse(
                f"works on {shown(transform.value('keys'))}, not on {shown(found.output)} alone"
            )
        found = handler(transform, found)
    if found.order is None:
        raise NotImportedError(
            f"{ENTRY} has no Invertd, which returns labels to the CT: {OTHERWISE}"
        )
    if found.kind is None:
        raise NotImportedError(f"{ENTRY} has no AsDiscreted, which makes labels: {OTHERWISE}")
    if (found.kind == "threshold") != (found.activated == "sigmoid"):
        raise NotImportedError(
            f"{ENTRY} must have softmax or nothing with argmax, or sigmoid with a threshold:"
            f" {OTHERWISE}"
        )
    return found


def _activations(step: Component, found: Postprocessing) -> Postprocessing:
    step.allow((*KEYS, "softmax", "sigmoid", "other"))
    step.fixed("other", None)
    softmax, sigmoid = (step.fixed(key, False, True, None) for key in ("softmax", "sigmoid"))
    if bool(softmax) == bool(sigmoid):
        raise step.refuse("must have softmax or sigmoid")
    if found.activated or found.kind is not None:
        raise step.refuse("must stand before AsDiscreted, once")
    name: Literal["softmax", "sigmoid"] = "softmax" if softmax else "sigmoid"
    return replace(
        found, activated=name, activation=name if found.order is None else found.activation
    )


def _invert(step: Component, found: Postprocessing) -> Postprocessing:
    step.allow(
        (*KEYS, "transform", "orig_keys", "nearest_interp", "post_func"),
        ("meta_keys", "orig_meta_keys", "meta_key_postfix", "to_tensor", "device"),
    )
    step.fixed("post_func", None)
    if step.arguments.get("transform") not in PREPROCESSED:
        raise step.refuse("does not invert @preprocessing")
    if step.value("orig_keys") != found.image:
        raise step.refuse(f"has other orig_keys than {shown(found.image)}")
    if found.order is not None:
        raise step.refuse("stands there twice")
    nearest = step.fixed("nearest_interp", True, False)
    if found.kind is not None and not nearest:
        raise step.refuse("interpolates the numbers of labels", "set nearest_interp to true")
    return replace(found, order=0 if nearest else 1)


def _discrete(step: Component, found: Postprocessing) -> Postprocessing:
    step.allow((*KEYS, "argmax", "to_onehot", "threshold", "rounding"))
    step.fixed("to_onehot", None)
    step.fixed("rounding", None)
    argmax, threshold = step.fixed("argmax", False, True), step.fixed("threshold", None, 0.5)
    if argmax == (threshold is not None):
        raise step.refuse("must have argmax, or a threshold of 0.5")
    if found.kind is not None:
        raise step.refuse("stands there twice")
    return replace(found, kind="argmax" if argmax else "threshold")


def _largest(step: Component, found: Postprocessing) -> Postprocessing:
    step.allow(
        (*KEYS, "applied_labels", "is_onehot", "independent", "connectivity", "num_components")
    )
    step.fixed("is_onehot", None, False)
    step.fixed("connectivity", None, 3)
    step.fixed("num_components", 1)
    independent = step.fixed("independent", True, False)
    if found.kind is None or found.order is None:
        raise step.refuse("must stand after AsDiscreted and Invertd")
    given = step.value("applied_labels")
    if given is None:
        if not independent:
            raise step.refuse("has no applied_labels", "list them")
        return replace(found, largest=(*found.largest, ()))
    listed = given if isinstance(given, list) else [given]
    labels = tuple(whole(step.named("applied_labels"), item, 1, MOST_LABEL) for item in listed)
    rules = tuple((label,) for label in labels) if independent else (labels,)
    return replace(found, largest=(*found.largest, *rules))


HANDLERS: dict[str, Callable[[Component, Postprocessing], Postprocessing]] = {
    "Activationsd": _activations,
    "Invertd": _invert,
    "AsDiscreted": _discrete,
    "KeepLargestConnectedComponentd": _largest,
}
