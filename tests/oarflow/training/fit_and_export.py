"""Trainings of made-up patients, exported into a models folder."""

from __future__ import annotations

from pathlib import Path

from oarflow.training.configuration import Configuration
from oarflow.training.export.model_folder import export
from oarflow.training.fitting.loop import train
from oarflow.training.fitting.record import TrainingOrigin
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.training.patients import patient

CASES = [patient(number) for number in range(4)]


def fit_and_export(configuration: Configuration, work: Path, models: Path) -> None:
    train(sampler_for(CASES, configuration), configuration, work / configuration.name)
    export(
        configuration,
        work / configuration.name,
        models,
        origin=TrainingOrigin("made-up patients", len(CASES)),
        version="1.0.0",
    )
