"""The command line: settings that are wrong, doctor, batch, and pulling from a real PACS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from oarflow.commands import main
from oarflow.errors import ConfigurationError
from oarflow.node.assembly.locking import lock
from oarflow.node.batch import batch as batch_module
from oarflow.node.batch.batch import BatchRun, own_settings
from oarflow.node.database import Database
from oarflow.node.doctor import application, machine, peers, ports, results
from oarflow.node.doctor.results import CheckResult, CheckStatus
from oarflow.node.pulling.dimse import DimsePacs, echo
from oarflow.node.pulling.query import FoundSeries, PullFailed, Query
from oarflow.node.settings import NodeSettings, load_settings
from oarflow.node.settings.fields import Peer
from oarflow.node.states import State
from oarflow.settings_files import checked
from tests.oarflow.node.node_bench import (
    Bench,
    HereEngine,
    free_port,
    settings_at,
    uid,
    wait_for,
    write_series,
)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"listner": {}}, "unknown key 'listner'; did you mean listener?"),
        ({"listener": {"prot": 1}}, "unknown key 'listener.prot'; did you mean port?"),
        ({"listener": {"port": 0}}, "listener.port: Input should be greater than or equal to 1"),
        ({"listener": {"ae_title": "A" * 17}}, "listener.ae_title"),
        ({"listener": {"allow": [{"addresses": ["10.0.0.300"]}]}}, "listener.allow.0.addresses.0"),
        ({"series": {"quiet_seconds": 60, "gap_seconds": 5}}, "gap_seconds must not be shorter"),
        (
            {"execution": {"scheduler": "tls://host:8786"}},
            "a scheduler at tls:// needs scheduler_tls",
        ),
        ({"execution": {"lease_seconds": 5}}, "at least three times heartbeat_seconds"),
        ({"pull": {"pacs": {}}}, "give either peer or dicomweb"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, document: dict[str, Any], said: str) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigurationError) as error:
        load_settings(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_settings_survive_being_printed(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    file = tmp_path / "printed.yaml"
    file.write_text(settings.as_yaml())
    assert load_settings(file) == settings


def test_a_password_in_the_database_s_url_is_not_printed() -> None:
    settings = NodeSettings.model_validate({"database": {"url": "postgresql://a:secret@host/b"}})
    assert "secret" not in settings.as_yaml()
    assert "secret" not in repr(settings)


def test_an_error_in_the_settings_is_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.yaml"
    file.write_text("listener: [1]")
    assert main(["node", "-c", str(file), "doctor"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("oarflow: SETTINGS:")
    assert "listener" in said


def test_explain_names_every_problem_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        checked(NodeSettings, {"listener": {"port": "x", "max_pdu": 1}}, "site")
    assert str(error.value).count(";") == 1


def test_a_second_node_does_not_get_into_the_folder(tmp_path: Path) -> None:
    held = lock(tmp_path)
    with pytest.raises(ConfigurationError, match="another node uses"):
        lock(tmp_path)
    assert held > 0


def found(settings: NodeSettings, check: results.Check, subject: str) -> CheckResult:
    return next(one for one in check(settings) if one.subject == subject)


def test_doctor_is_content_with_a_good_set_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_at(tmp_path, listener={"port": free_port()})
    file = tmp_path / "node.yaml"
    file.write_text(settings.as_yaml())
    assert main(["node", "-c", str(file), "doctor"]) == 0
    said = capsys.readouterr().out
    assert "BAD" not in said
    assert "storage" in said


def test_doctor_names_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = settings_at(tmp_path, listener={"port": other.getsockname()[1]})
        finding = found(settings, ports.listener, "listener")
    assert finding.status is CheckStatus.BAD
    assert "ss -ltnp" in finding.remedy


def test_doctor_names_a_full_disk_and_a_missing_model_folder(tmp_path: Path) -> None:
    settings = settings_at(
        tmp_path, storage={"min_free_mb": 1 << 40}, execution={"models": "/nowhere"}
    )
    assert found(settings, machine.storage, "disk").status is CheckStatus.BAD
    assert found(settings, application.application, "models").status is CheckStatus.BAD


def test_doctor_warns_of_an_open_door(tmp_path: Path) -> None:
    settings = settings_at(
        tmp_path, listener={"port": free_port(), "allow": [{"addresses": ["0.0.0.0/0"]}]}
    )
    marks = [one.status for one in ports.listener(settings)]
    assert marks == [CheckStatus.GOOD, CheckStatus.DOUBTFUL]


def test_doctor_names_a_peer_that_does_not_answer(tmp_path: Path) -> None:
    peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": free_port()}
    settings = settings_at(tmp_path, pull={"pacs": {"peer": peer}})
    finding = found(settings, peers.peers, "pull pacs")
    assert finding.status is CheckStatus.BAD
    port = peer["port"]
    assert finding.text == f"no TCP connection to 127.0.0.1:{port}: Connection refused"


def test_batch_contours_a_folder_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_at(tmp_path)
    bench = Bench(tmp_path / "bench")
    source, out = tmp_path / "studies", tmp_path / "out"
    write_series(source / "one", "a", range(12))
    write_series(source / "two", "b", [k for k in range(12) if k != 5])
    (source / "notes.txt").write_text("no image")
    engine = HereEngine()
    monkeypatch.setattr(
        batch_module,
        "Executor",
        lambda settings, database: bench_executor(settings, database, engine),
    )
    own = own_settings(settings, out)
    own.storage.root.mkdir(parents=True)
    database = Database(own.database_url)
    database.migrate()
    batch = BatchRun(own, database, out)
    tally = batch.take(source, lambda: None)
    assert (tally.taken, tally.other, tally.refused) == (23, 1, [])
    batch.executor.tick()
    engine.run_last()
    batch.executor.tick()
    batch.hand_over()
    assert [(line.state, line.slices) for line in batch.lines()] == [
        (State.SEGMENTED, 12),
        (State.REFUSED, 11),
    ]
    (folder,) = [one for one in out.iterdir() if not one.name.startswith(".")]
    assert (folder / "rtstruct.dcm").is_file()
    assert folder.name == batch.lines()[0].folder
    again = BatchRun(own, database, out)
    assert again.take(source, lambda: None).taken == 23
    again.executor.tick()
    assert len(engine.submitted) == 1
    assert bench.jobs() == []


def bench_executor(settings: NodeSettings, database: Database, engine: HereEngine) -> Any:
    from oarflow.node.execution.executor import Executor

    return Executor(settings, database, engine)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Peer]:
    """dcmtk's dcmqrscp with one study."""
    program, sender = shutil.which("dcmqrscp"), shutil.which("storescu")
    if program is None or sender is None:
        pytest.skip("dcmqrscp and storescu (Debian: dcmtk) are not installed")
    store, port = tmp_path / "archive", free_port()
    store.mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nPACS {store} RW (100, 1024mb) ANY\nAETable END\n"
    )
    process = subprocess.Popen([program, "-c", str(configuration)])
    try:
        peer = Peer(ae_title="PACS", host="127.0.0.1", port=port)
        wait_for(lambda: _answers(peer), 20, "dcmqrscp")
        files = write_series(tmp_path / "ct", "a", range(4))
        place = ["-aec", "PACS", "127.0.0.1", str(port)]
        subprocess.run([sender, *place, *map(str, files)], check=True)
        yield peer
    finally:
        process.kill()
        process.wait()


def _answers(peer: Peer) -> bool:
    try:
        echo("OARFLOW", peer)
    except PullFailed:
        return False
    return True


def test_a_study_is_pulled_by_its_accession_number(archive: Peer, tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")
    pacs = DimsePacs("OARFLOW", archive, "get")
    assert pacs.find(Query(accession_number="NOBODY")) == []
    (series,) = pacs.find(Query(accession_number="A-a"))
    assert (series.study_uid, series.series_uid) == (uid("a"), uid("a", "series"))
    assert pacs.find(Query(date="20260101-20260103")) == [series]
    taken = pacs.fetch(series, bench.receiver.receive)
    assert (taken.instances, taken.refused) == (4, 0)
    assert len(bench.instances()) == 4
    with bench.database.read() as session:
        one = bench.instances()[0]
        assert session.get_one(type(one), one.id).series.study.calling_ae == "PACS"


def test_a_pacs_that_is_away_is_named(tmp_path: Path) -> None:
    pacs = DimsePacs("OARFLOW", Peer(ae_title="PACS", host="127.0.0.1", port=free_port()), "get")
    with pytest.raises(PullFailed, match=r"no TCP connection to 127\.0\.0\.1"):
        pacs.fetch(FoundSeries("1.2", "1.3"), print)


def test_without_its_extra_the_node_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['sqlalchemy'] = None; "
        "from oarflow.commands import main; sys.exit(main(['node', 'doctor']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "install OARflow with the extra [node]" in run.stderr
    assert "Traceback" not in run.stderr
