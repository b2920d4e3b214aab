"""The node with the real application: storescu sends the sample, the RTSTRUCT lies in a folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from pydicom import dcmread

from oarflow.node.settings import NodeSettings
from tests.oarflow.node.node_bench import ROOT, free_port, node_process, wait_for

pytestmark = pytest.mark.node

SAMPLE = ROOT / "samples" / "openkbp_validation" / "ct"


def test_the_sample_comes_back_as_an_rtstruct_of_its_study(tmp_path: Path) -> None:
    program = shutil.which("storescu")
    if program is None:
        pytest.skip("storescu (Debian: dcmtk) is not installed")
    port, arrived = free_port(), tmp_path / "arrived"
    arrived.mkdir()
    document = {
        "listener": {"port": port, "allow": [{"ae_title": "CT1"}]},
        "series": {"quiet_seconds": 3, "gap_seconds": 10},
        "storage": {"folder": str(tmp_path / "node"), "min_free_mb": 100},
        "execution": {"models": str(ROOT / "models"), "environment": {"OMP_NUM_THREADS": "1"}},
        "delivery": {
            "destinations": {"tps": {"kind": "folder", "path": str(arrived)}},
            "otherwise": ["tps"],
        },
    }
    NodeSettings.model_validate(document)
    config, log = tmp_path / "node.yaml", tmp_path / "node.log"
    config.write_text(yaml.safe_dump(document))
    with node_process(config, log) as node:
        wait_for(lambda: "the node is running" in log.read_text(), 180, "the node")
        place = ["-aet", "CT1", "-aec", "OARFLOW", "127.0.0.1", str(port)]
        subprocess.run([program, *place, "+sd", str(SAMPLE)], check=True)
        (file,) = wait_for(lambda: list(arrived.rglob("*.dcm")), 1500, "the RTSTRUCT")
        node.send_signal(signal.SIGTERM)
        assert node.wait(60) == 0
    images = [dcmread(one, stop_before_pixels=True) for one in sorted(SAMPLE.iterdir())]
    contours = dcmread(file)
    assert contours.Modality == "RTSTRUCT"
    assert contours.StudyInstanceUID == images[0].StudyInstanceUID
    assert contours.PatientID == images[0].PatientID
    referenced = {
        item.ReferencedSOPInstanceUID
        for roi in contours.ROIContourSequence
        for contour in roi.ContourSequence
        for item in contour.ContourImageSequence
    }
    assert referenced
    assert referenced <= {image.SOPInstanceUID for image in images}
    (result,) = (tmp_path / "node" / "jobs").glob("*/*/out-*/result.json")
    organs = {organ["name"] for organ in json.loads(result.read_text())["organs"]}
    assert {"Brainstem", "SpinalCord"} <= organs
    said = log.read_text()
    assert str(images[0].PatientName) not in said
    assert str(images[0].StudyInstanceUID) not in said
