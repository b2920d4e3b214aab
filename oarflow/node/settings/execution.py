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
    """Certificate of the authority."""
    certificate: Path
    """The node's certificate."""
    key: Path
    """Key of the node's certificate."""


class ExecutionSettings(Section):
    """How the application runs."""

    command: tuple[str, ...] = Field(default_factory=default_command, min_length=1)
    """Command that starts the application, with the placeholders {python}, {input}, {output},
    {models} and {config}."""
    models: Path = Path("models")
    """Folder of the networks."""
    config: Path | None = None
    """Settings file of the application; null: its default."""
    environment: dict[str, str] = Field(default={})
    """Further environment variables of the application."""
    workers: int = Field(default=1, ge=1, le=64)
    """Number of the node's own worker processes. Each contours one study at a time."""
    gpus: tuple[Device, ...] = ()
    """GPUs of this machine as CUDA_VISIBLE_DEVICES names them, at least one per worker."""
    scheduler: str | None = None
    """Address of a Dask scheduler; null: worker processes of the node."""
    scheduler_tls: SchedulerTls | None = None
    """Certificates for a scheduler at `tls://`."""
    resources: dict[str, float] = Field(default={})
    """Resources of a scheduler's worker that one study needs, such as `{GPU: 1}`."""
    time_limit_seconds: Seconds = 3600
    """Longest time of a run."""
    memory_limit_mb: Megabytes | None = 8192
    """Most memory of a run, all its processes together; null: no limit."""
    attempts: int = Field(default=3, ge=1)
    """How often a study is tried before it is `failed`."""
    heartbeat_seconds: Seconds = 5
    """How often a worker reports."""
    lease_seconds: Seconds = 60
    """Silence after which a worker counts as lost; at least three times `heartbeat_seconds`."""

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
