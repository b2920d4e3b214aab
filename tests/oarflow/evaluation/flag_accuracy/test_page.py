"""The page counts what the flags caught."""

from __future__ import annotations

from dataclasses import replace

from oarflow.evaluation.flag_accuracy.judging import (
    NETWORK,
    REFERENCE,
    JudgedContour,
)
from oarflow.evaluation.flag_accuracy.page import page
from oarflow.evaluation.flag_accuracy.simulated_errors import (
    SHIFTED,
)
from oarflow.plausibility.limits import Limits
from oarflow.plausibility.signs import Family


def test_the_page_counts() -> None:
    verdicts = [
        JudgedContour("pt_1", "Larynx", REFERENCE, dice=1.0),
        JudgedContour("pt_2", "Larynx", REFERENCE, codes=("VOLUME_LOW",), dice=1.0),
        JudgedContour("pt_3", "Larynx", REFERENCE, codes=("VOLUME_LOW",), dice=1.0, doubt="airway"),
        JudgedContour("pt_1", "Larynx", NETWORK, dice=0.8, status="segmented"),
        JudgedContour("pt_2", "Larynx", NETWORK, dice=0.2, status="segmented"),
        JudgedContour(
            "pt_3",
            "Larynx",
            NETWORK,
            codes=("UNSTABLE",),
            dice=0.1,
            status="segmented",
        ),
        JudgedContour("pt_4", "Larynx", NETWORK, dice=0.0, status="absent"),
        JudgedContour("pt_1", "Larynx", SHIFTED, "upward", ("CENTRE_SHIFTED",), 0.3, "segmented"),
        JudgedContour("pt_1", "Larynx", SHIFTED, "downward", (), 0.9, "segmented"),
    ]
    text = page(verdicts, Limits({Family.DOUBT: 2.5}, {}, {}, "made"), "command", "2026-01-02")
    assert "| Larynx | 1 of 2 (50.0%; 1.3% to 98.7%) | 0 of 1 (0.0%; 0.0% to 97.5%) |" in text
    assert "| **shifted by 15 mm** | 1/1 | **1 of 1 (100.0%; 2.5% to 100.0%)** |" in text
    assert "Dice under 0.5: 3 of 4 organs with a reference. Without a contour: 1." in text
    assert "**1 of 2 (50.0%; 1.3% to 98.7%)**" in text
    assert "1 of 2 contours that stay `segmented` have a Dice under 0.3" in text


def test_organs_learned_from_rules_have_their_own_section() -> None:
    drawn = JudgedContour("pt_1", "Larynx", NETWORK, dice=0.8, status="segmented")
    brain = JudgedContour("pt_1", "Brain", NETWORK, dice=0.9, status="truncated", derived=True)
    verdicts = [
        drawn,
        brain,
        replace(brain, case="pt_2", codes=("ODD_SHAPE",)),
        replace(brain, case="pt_3", dice=0.6, codes=("UNSTABLE",)),
        replace(brain, case="pt_4", dice=None),
        replace(brain, kind=SHIFTED, way="upward", codes=("CENTRE_SHIFTED",), dice=0.3),
    ]
    text = page(verdicts, Limits({}, {}, {}, "made"), "command", "2026-01-02")
    head, own = text.split("## Organs learned from derived labels")
    assert "Brain" not in head
    assert "1 of 3 (33.3%; 0.8% to 90.6%) of the networks' good" in head
    assert "| Brain | 3 | 1 of 2 (50.0%; 1.3% to 98.7%) |" in own
    assert "1 contours have a Dice of at most 0.7: Brain of pt_3, Dice 0.60, status" in own
    assert "| **shifted by 15 mm** | 1/1 | **1 of 1 (100.0%; 2.5% to 100.0%)** |" in own
    unjudged = page([drawn, replace(brain, dice=None)], Limits({}, {}, {}), "c", "d")
    assert "Brain: not measured." in unjudged
