"""Settings of the section `execution`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from oarflow.locations import default_models
from oarflow.node.execution.application import default_command
from oarflow.node.settings.fields import Megabytes, Seconds, Section

Device = Annotated[str, BeforeValidator(str), Field(pattern=r"^[A-Za-z0-9/:-]+$")]
"""A GPU: its number, or a name such as GPU-5ebe9f43."""


class SchedulerTls(Section):
    """Certificates for a Dask cluster with TLS."""

    ca: Path
    """Certificates of the authority that signs the cluster's certificates, a PEM file."""
    certificate: Path
    """The node's certificate, a PEM file."""
    key: Path
    """The private key of the node's certificate, a PEM file."""


class ExecutionSettings(Section):
    """The section `execution`: the application, its workers and its limits."""

    command: tuple[str, ...] = Field(default_factory=default_command, min_length=1)
    """The application's command line. The node replaces {python}, {input}, {output}, {models} and
    {config}. Default: `python -m app` in a checkout or image, otherwise `oarflow segment`."""
    models: Path = Field(default_factory=default_models)
    """The folder of the networks. Default: the networks that come with OARflow."""
    config: Path | None = None
    """The application's settings file, such as `app.yaml`. Default: the application's defaults.
    The node also reads the key `templates` of this file, and passes the AE titles to the rules of
    the templates."""
    environment: dict[str, str] = Field(default={})
    """Further environment variables of the application. The application also gets the node's PATH,
    HOME, LANG and its variables for threads and devices."""
    workers: int = Field(default=1, ge=1, le=64)
    """Worker processes of the node. Each contours one study at a time."""
    studies_per_process: int = Field(default=50, ge=1)
    """The most studies that one process of OARflow contours before a new process replaces it. The
    process keeps the networks loaded and holds their memory while it waits. 1: each study gets a
    process of its own. If `command` names another program, each study always gets one."""
    gpus: tuple[Device, ...] = ()
    """GPUs of this machine, as CUDA_VISIBLE_DEVICES names them. Each worker gets one."""
    scheduler: str | None = None
    """The address of a Dask scheduler. Its workers must see the storage folder under the same path.
    Default: the node starts its own workers."""
    scheduler_tls: SchedulerTls | None = None
    """Certificates for a scheduler at tls://."""
    resources: dict[str, float] = Field(default={})
    """Dask resources that one study takes from a worker of `scheduler`, such as {GPU: 1}."""
    time_limit_seconds: Seconds = 3600
    """The longest time that one run may take."""
    memory_limit_mb: Megabytes | None = 8192
    """The most resident memory that all processes of one run may use together. null: no limit."""
    attempts: int = Field(default=3, ge=1)
    """The greatest number of runs of a job whose runs fail."""
    heartbeat_seconds: Seconds = 5
    """Pause between two reports (heartbeats) of a worker."""
    lease_seconds: Seconds = 60
    """When a worker has not reported for this long, another worker gets its job. The value must be
    at least three times `heartbeat_seconds`."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lease_seconds < 3 * self.heartbeat_seconds:
            raise ValueError("lease_seconds must be at least three times heartbeat_seconds")
        encrypted = self.scheduler is not None and self.scheduler.startswith("tls://")
        if encrypted != (self.scheduler_tls is not None):
            raise ValueError("a scheduler at tls:// needs scheduler_tls; others do not take it")
        self._check_devices()
        return self

    def _check_devices(self) -> None:
        """Each worker of the node needs a GPU of its own. Raises ValueError."""
        if self.scheduler is not None and self.gpus:
            raise ValueError(
                "gpus apply to the node's own workers; with a scheduler, use resources"
            )
        if self.scheduler is None and self.resources:
            raise ValueError("resources apply to a scheduler's workers; without one, use gpus")
        if len(set(self.gpus)) < len(self.gpus):
            raise ValueError("a GPU is listed twice in gpus")
        if self.gpus and self.workers > len(self.gpus):
            count = len(self.gpus)
            raise ValueError(f"{self.workers} workers, but {count} gpus: each worker needs one")
