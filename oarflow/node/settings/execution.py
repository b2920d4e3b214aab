"""Settings of the section `execution`: the application, its workers and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from oarflow.node.execution.application import default_command
from oarflow.node.settings.fields import Megabytes, Seconds, Section

Device = Annotated[str, BeforeValidator(str), Field(pattern=r"^[A-Za-z0-9/:-]+$")]
"""A GPU: its number, or a name such as GPU-5ebe9f43."""


class SchedulerTls(Section):
    """Certificates of a Dask cluster, as PEM files."""

    ca: Path
    certificate: Path
    key: Path


class ExecutionSettings(Section):
    """How the application runs.

    command: with {python}, {input}, {output}, {models} and {config}; by default
    oarflow/node/execution/application.py's. config: the application's
    settings, None for its own default. environment: set for the application besides the node's
    PATH, HOME, LANG and what names threads and devices. scheduler: address of a Dask scheduler
    whose workers see the storage folder under the same path; None for worker processes of the
    node's own. gpus: those of this machine, as CUDA_VISIBLE_DEVICES names them, one for each of the
    node's own workers: one study a GPU. resources: what one job takes of a scheduler's worker,
    such as {GPU: 1}.
    """

    command: tuple[str, ...] = Field(default_factory=default_command, min_length=1)
    models: Path = Path("models")
    config: Path | None = None
    environment: dict[str, str] = Field(default={})
    workers: int = Field(default=1, ge=1, le=64)
    gpus: tuple[Device, ...] = ()
    scheduler: str | None = None
    scheduler_tls: SchedulerTls | None = None
    resources: dict[str, float] = Field(default={})
    time_limit_seconds: Seconds = 3600
    memory_limit_mb: Megabytes | None = 8192
    attempts: int = Field(default=3, ge=1)
    heartbeat_seconds: Seconds = 5
    lease_seconds: Seconds = 60

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("lease_seconds must be at least three times heartbeat_seconds")
        encrypted = self.scheduler is not None and self.scheduler.startswith("tls://")
        if encrypted != (self.scheduler_tls is not None):
            raise ValueError("scheduler_tls goes with a scheduler of the form tls://host:port")
        self._check_devices()
        return self

    def _check_devices(self) -> None:
        """One study a GPU. Raises ValueError."""
        if self.scheduler is not None and self.gpus:
            raise ValueError("gpus are for the node's own workers; a scheduler's have --resources")
        if self.scheduler is None and self.resources:
            raise ValueError("resources are for a scheduler's workers; the node's own have gpus")
        if len(set(self.gpus)) < len(self.gpus):
            raise ValueError("gpus names a GPU twice")
        if self.gpus and self.workers > len(self.gpus):
            count = len(self.gpus)
            raise ValueError(f"workers: {self.workers}, but gpus: {count}; one study a GPU")
