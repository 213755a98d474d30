"""A committee through a real cluster: the command line, the certificate, and nothing but the listed openings."""

import json
import stat
from pathlib import Path

import pytest

from tests.integration.running import Running, outcome, succeeded, tacita, tree_of
from tests.policies.interest_rate.committees import P4, P4_PATH

pytestmark = pytest.mark.cluster

TERMS = """policy = "interest_rate"
[session]
name = "may-meeting"
[economy]
slope = 0.11
persistence = 0.62
sensitivity = 0.19
inflation_target = 0
real_rate = 4
[bounds]
output_gap = [-10, 10]
inflation = [-10, 10]
"""


def check(folder: Path, out: Path) -> dict[str, object]:
    arguments = [out / "certificate.json", "--roster", out / "roster.json", "--terms", folder / "terms.toml"]
    return dict(json.loads(succeeded(tacita("verify", *arguments, "--format", "json")).out))


def test_a_committee_decides_and_the_certificate_shows_it(idle: Path, tmp_path: Path) -> None:
    (tmp_path / "terms.toml").write_text(TERMS)
    (tmp_path / "inputs.csv").write_text(P4)
    out, files = tmp_path / "out", ["--terms", tmp_path / "terms.toml", "--inputs", tmp_path / "inputs.csv"]
    said = succeeded(tacita("run", "interest-rate", *files, "--out", out, "--cluster", idle, "--plain")).out
    result = outcome(out)
    assert [rate - 4 for rate in result["rates"]] == pytest.approx(P4_PATH, abs=1e-6)
    assert result["recoverable"] is False and "no policy recovers" in said
    assert "rate 0.2119 %, security abort, key dealerless, inputs_bound yes" in said
    assert "gap to the plain solution: rates" in said
    verified = check(tmp_path, out)
    assert verified["valid"] and verified["outcome"]["rates"] == result["rates"]  # type: ignore[index]
    opened = json.loads((out / "certificate.json").read_text())["opened"]
    assert sum(len(values) for values in opened.values()) == 5, "four rates and one bit"
    committee = Running(idle)
    for name in committee.names:
        assert committee.openings(name, "may-meeting") == list(committee.announced("may-meeting").openings)
    picture = out / "interest_rate.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600, "it shows what the members kept secret"
    assert sorted(tree_of(out)) == ["certificate.json", "interest_rate.png", "outcome.json", "roster.json"]
