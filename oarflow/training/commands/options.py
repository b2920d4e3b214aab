"""What the commands share: the device, the data and the configuration that their options name."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from oarflow.errors import ConfigurationError
from oarflow.training.data.data_set import TrainingData

Options = argparse.Namespace


def prepare(threads: int, device: str) -> None:
    """Before a command. Raises ConfigurationError for a device that torch does not have here."""
    torch.set_num_threads(threads)
    with usage_errors():
        _check_device(device)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a ValueError into a ConfigurationError: the options are wrong, not the data."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError("USAGE", str(error)) from error


def open_data(options: Options) -> TrainingData:
    """The data set that the options name, split as they say.

    Raises ConfigurationError for --everyone with --fold, FileNotFoundError, ValueError.
    """
    data = TrainingData.open(options.data, options.split, options.derived, options.data_name)
    data = replace(data, proposed=options.proposed)
    if options.leave_out is not None:
        data = data.without(options.leave_out)
    if options.everyone and options.fold is not None:
        raise ConfigurationError(
            "USAGE", "--everyone and --fold contradict each other: give one of them"
        )
    if options.everyone:
        return data.everyone()
    return data if options.fold is None else data.fold(*options.fold)


def configured_keys(options: Options) -> dict[str, Any]:
    """The keys of the configuration that the command line sets itself, with their values."""
    named = {"steps": options.steps, "seed": options.seed}
    return {key: value for key, value in named.items() if value is not None} | dict(options.set)


def patients_flag(options: Options) -> str:
    """The flag that says how many patients at most, as a page's command has it."""
    return "" if options.patients is None else f" --patients {options.patients}"


def _check_device(text: str) -> None:
    """Raises ValueError for a device that torch does not have here."""
    try:
        device = torch.device(text)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {text!r} is none of cpu, cuda, cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {text}: torch finds no such GPU here; leave it out, or use cpu")
