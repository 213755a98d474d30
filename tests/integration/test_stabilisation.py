"""A stabilisation on real node processes: outcome, certificate, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.integration.running import Running, outcome, succeeded, tacita
from tests.integration.samples import Sample, named

pytestmark = pytest.mark.cluster

SMALL = Sample(
    """
policy = "stabilisation"
[stabilisation]
horizon = 2
shared = 1
weight = 0.6
control_cost = 0.4
[price]
now = 1.03
previous = 1.01
[supply]
outstanding = 1000.0
maximum = 1200.0
block_reward = 2.0
growth = [-0.05, 0.05]
[bounds]
persistence = [0.8, 1.0]
effect = [-1.5, -0.5]
shock = [-0.05, 0.05]
[solver]
iterations = 30
""",
    "party,scenario,persistence,effect,shock_1,shock_2\n"
    "alice,1,0.95,-1.1,0.0131415926,-0.01\n"
    "bob,1,0.85,-0.8,-0.004,0.02\nbob,2,0.85,-0.8,0.004,-0.02\n",
)
NAME = "issue-of-may"


def test_a_session_leaves_a_decision_that_anyone_can_check(running: Running, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [
        "run",
        "stabilisation",
        *named(SMALL, NAME).write(tmp_path / "in"),
        "--cluster",
        running.folder,
        "--out",
        out,
    ]
    ran = succeeded(tacita(*arguments, "--plain"))
    result = outcome(out)
    assert (result["security"], result["provenance"], result["inputs_bound"]) == ("abort", "dealerless", True)
    assert "gap to the plain solution" in ran.out and "auction of" in ran.out
    gaps = [float(g) for g in ran.out.split("plain solution: ")[1].splitlines()[0].split()[1::2]]
    assert max(gaps) < 1e-5
    assert result["auction_size"] == pytest.approx(
        result["outstanding_next"] - result["outstanding"] - result["block_reward"], abs=1e-9
    )
    assert set(result) >= {"growth", "maximum", "minted"} and not {"mean", "variance"} & set(result)
    assert (out / "stabilisation.png").exists() and not (out / "private").exists()
    certificate = (out / "certificate.json").read_text()
    assert "131415926" not in certificate and "131415926" not in json.dumps(result) + ran.out + ran.err
    for name in running.names:
        assert running.openings(name, NAME) == list(running.announced(NAME).openings)
    checked = succeeded(tacita("verify", out / "certificate.json", "--roster", out / "roster.json"))
    assert "is valid" in checked.out


def test_a_scenario_outside_the_bounds_is_refused_in_one_sentence(running: Running, tmp_path: Path) -> None:
    bad = Sample(SMALL.terms, SMALL.inputs.replace("0.0131415926", "0.131415926"))
    arguments = ["run", "stabilisation", *bad.write(tmp_path / "in"), "--cluster", running.folder]
    sentence = tacita(*arguments, "--out", tmp_path / "out").refused(2)
    assert "alice, scenario 1: shock_1 lies outside the public bounds" in sentence and "131415926" not in sentence
