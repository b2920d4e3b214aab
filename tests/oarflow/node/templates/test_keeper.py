"""Templates in the node: reload, jobs that keep their set, the AE titles, and faults."""

from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.node import Node
from oarflow.node.database import jobs, template_sets
from oarflow.node.database.models import StoredTemplates
from oarflow.node.database.receiving import Origin
from oarflow.node.execution.application import default_command
from oarflow.node.execution.executor import Executor
from oarflow.node.states import State
from oarflow.node.templates.keeper import RECHECK_SECONDS, TemplateKeeper
from oarflow.node.templates.source import check, configured
from tests.app.workbench import write_models
from tests.oarflow.node.node_bench import Bench, Clock, HereEngine, ct_slice

LARYNX = "rules: [{context: {calling_ae: SCANNER}}]\norgans: [Larynx]\n"
BRAIN = "organs: [Brain]\n"


class Site:
    """A node's core whose application settings name a folder of templates."""

    def __init__(self, tmp_path: Path, **sections: dict[str, Any]) -> None:
        self.folder = tmp_path / "templates"
        self.folder.mkdir()
        self.write(larynx=LARYNX)
        self.config = tmp_path / "app.yaml"
        self.config.write_text("templates: templates\n")
        execution = {"config": str(self.config)}
        self.bench = Bench(tmp_path, execution=execution, **sections)
        self.clock = Clock()
        self.keeper = self.new_keeper()
        self.engine = HereEngine()
        self.executor = Executor(self.bench.settings, self.bench.database, self.engine)

    def new_keeper(self) -> TemplateKeeper:
        return TemplateKeeper(self.bench.settings, self.bench.database, clock=self.clock)

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.yaml").write_text(text)

    def in_force(self) -> dict[str, str]:
        with self.bench.database.read() as session:
            found = template_sets.current(session)
            return {} if found is None else found.texts

    def queue(self, study: str = "a", origin: Origin | None = None) -> None:
        for k in range(12):
            if origin is None:
                self.bench.send(ct_slice(study, k))
            else:
                self.bench.send(ct_slice(study, k), origin)
        self.bench.silence(5)

    def begun(self) -> tuple[dict[str, str], list[str]]:
        """Begin a run: the templates that it gets, and its context."""
        self.executor.attempt()
        order, _ = self.engine.submitted[-1]
        words = list(order.command)
        context = [value for word, value in pairwise(words) if word == "--context"]
        if "--templates" not in words:
            return {}, context
        folder = Path(words[words.index("--templates") + 1])
        assert folder.parent == Path(order.workspace)
        return {path.name: path.read_text() for path in folder.iterdir()}, context


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.keeper.open()
    return made


def test_a_run_gets_the_templates_and_the_ae_titles(site: Site) -> None:
    site.queue()
    templates, context = site.begun()
    assert templates == {"larynx.yaml": LARYNX}
    assert context == ["calling_ae=SCANNER", "called_ae=OARFLOW"]
    site.engine.run_last()
    site.executor.attempt()
    job = site.bench.job()
    assert job.state is State.SEGMENTED
    assert not list(site.bench.settings.storage.root.glob("jobs/*/*/templates"))


def test_titles_that_are_empty_or_hidden_are_not_passed_on(site: Site) -> None:
    site.queue(origin=Origin("CT\x1b1"))
    assert site.begun()[1] == ["calling_ae=CT1"]


def test_changed_templates_are_taken_up_and_a_job_keeps_its_own(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.queue("first")
    site.write(brain=BRAIN)
    with caplog.at_level(logging.INFO):
        site.keeper.attempt()
    assert "templates in force: larynx, brain" in caplog.text
    assert site.begun()[0] == {"larynx.yaml": LARYNX}
    site.engine.run_last()
    site.executor.attempt()
    site.queue("second")
    assert site.begun()[0] == {"larynx.yaml": LARYNX, "brain.yaml": BRAIN}


def test_a_run_that_is_repeated_has_the_same_templates(site: Site) -> None:
    site.queue()
    site.bench.behave(do="fault", times=1)
    first = site.begun()
    site.engine.run_last()
    site.write(larynx=BRAIN)
    site.keeper.attempt()
    assert site.begun() == first
    assert len(site.engine.submitted) == 2


def test_a_person_s_new_run_has_the_templates_of_then(site: Site) -> None:
    site.queue()
    site.bench.behave(do="hold")
    site.begun()
    site.engine.run_last()
    site.executor.attempt()
    site.write(larynx=BRAIN)
    site.keeper.attempt()
    with site.bench.database.write() as session:
        jobs.retry(session, jobs.load(session, 1), "jane")
    assert site.begun()[0] == {"larynx.yaml": BRAIN}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "bad.yaml: line 1"),
        ("rules: [{protocol_name: '('}]", "not a regular expression"),
        ("device: cpu", "a setting of the whole run"),
    ],
)
def test_a_faulty_set_keeps_the_old_one_and_is_reported(
    site: Site, text: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.write(bad=text)
    site.keeper.attempt()
    site.keeper.attempt()
    trouble = site.keeper.trouble()
    assert trouble is not None
    assert reason in trouble
    assert "The templates accepted before stay in force" in trouble
    assert caplog.text.count(reason) == 1
    assert site.in_force() == {"larynx.yaml": LARYNX}
    site.queue()
    assert site.begun()[0] == {"larynx.yaml": LARYNX}
    (site.folder / "bad.yaml").unlink()
    site.keeper.attempt()
    assert site.keeper.trouble() is None


def test_a_faulty_settings_file_keeps_the_old_set(site: Site) -> None:
    site.config.write_text("templates: 7\n")
    site.keeper.attempt()
    assert "templates: name a folder" in str(site.keeper.trouble())
    site.config.write_text("templates: [\n")
    site.keeper.attempt()
    assert "cannot be read" in str(site.keeper.trouble())
    assert site.in_force() == {"larynx.yaml": LARYNX}


def test_templates_that_are_taken_out_of_the_settings(site: Site) -> None:
    site.queue("first")
    site.config.write_text("strict: true\n")
    site.keeper.attempt()
    assert site.in_force() == {}
    assert site.begun()[0] == {"larynx.yaml": LARYNX}
    site.engine.run_last()
    site.executor.attempt()
    site.queue("second")
    assert site.begun() == ({}, [])


def test_a_start_with_a_faulty_set_needs_an_earlier_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(bad="[")
    with pytest.raises(ConfigurationError, match=r"bad\.yaml"):
        site.keeper.open()
    (site.folder / "bad.yaml").unlink()
    site.keeper.open()
    site.write(bad="[")
    again = site.new_keeper()
    again.open()
    assert "bad.yaml" in str(again.trouble())
    assert site.in_force() == {"larynx.yaml": LARYNX}


def test_a_node_with_a_faulty_set_does_not_open(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(bad="[")
    node = Node(site.bench.settings)
    with pytest.raises(ConfigurationError, match=r"bad\.yaml") as caught:
        node.open()
    node.close()
    assert caught.value.code == "TEMPLATES"


def test_without_templates_nothing_is_stored(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    TemplateKeeper(bench.settings, bench.database).open()
    with bench.database.read() as session:
        assert session.scalars(select(StoredTemplates)).all() == []
    bench.send_series("a", range(12))
    bench.silence(5)
    engine = HereEngine()
    Executor(bench.settings, bench.database, engine).attempt()
    command = engine.submitted[0][0].command
    assert "--templates" not in command
    assert "--context" not in command


def test_the_program_s_own_command_is_told_that_there_are_none(tmp_path: Path) -> None:
    """So that a job from before keeps none, whatever the settings name by then."""
    site = Site(tmp_path)
    site.config.write_text("strict: true\n")
    execution = site.bench.settings.execution.model_copy(update={"command": default_command()})
    site.bench.settings = site.bench.settings.model_copy(update={"execution": execution})
    site.executor = Executor(site.bench.settings, site.bench.database, site.engine)
    site.queue()
    site.executor.attempt()
    words = list(site.engine.submitted[0][0].command)
    assert words[words.index("--templates") + 1] == "none"


class TestTheApplicationsCheck:
    """The application checks what only it knows: settings, organs, names."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        models = write_models(tmp_path / "networks")
        made = Site(tmp_path)
        made.write(larynx="rules: [{station: x}]\norgans: [Parotid_L]\n")
        update = {"command": default_command(), "models": models}
        execution = made.bench.settings.execution.model_copy(update=update)
        made.bench.settings = made.bench.settings.model_copy(update={"execution": execution})
        made.keeper = made.new_keeper()
        return made

    def test_what_is_good_and_what_is_not(self, site: Site) -> None:
        execution = site.bench.settings.execution
        check(execution, configured(execution))
        site.write(nose="rules: [{station: x}]\norgans: [Nose]\n")
        with pytest.raises(ConfigurationError) as caught:
            check(execution, configured(execution))
        assert str(caught.value).startswith("TEMPLATES: template nose: unknown organ 'Nose'")

    def test_a_refused_set_is_not_checked_at_every_tick(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checked: list[int] = []

        def refuse(*_: object) -> None:
            checked.append(1)
            raise ConfigurationError("TEMPLATES", "template nose: unknown organ 'Nose'")

        monkeypatch.setattr("oarflow.node.templates.keeper.check", refuse)
        for _ in range(3):
            site.keeper.attempt()
        assert len(checked) == 1
        assert "unknown organ" in str(site.keeper.trouble())
        site.clock.seconds += RECHECK_SECONDS
        site.keeper.attempt()
        assert len(checked) == 2
        site.write(other=BRAIN)
        site.keeper.attempt()
        assert len(checked) == 3
        assert site.in_force() == {}
