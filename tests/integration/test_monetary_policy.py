"""Two periods of the chain demo on real nodes, and `tacita verify` on what they leave."""

import asyncio
import json
from dataclasses import replace
from importlib.resources import files as package_files
from pathlib import Path

import pytest

from tacita.cli import monetary_policy
from tacita.cli.monetary_policy import Market
from tests.integration.running import Running, tacita

pytestmark = pytest.mark.cluster
EXAMPLE = Path(str(package_files("tacita") / "examples" / "monetary-policy"))


def test_two_periods_leave_a_chain_that_verifies(running: Running, tmp_path: Path) -> None:
    market = Market.read((EXAMPLE / "market.toml").read_text())
    two = replace(market, shocks=market.shocks[:2])
    out = tmp_path / "out"
    periods, links = asyncio.run(monetary_policy._periods(running.manifest, EXAMPLE, two, out, True))
    assert [link.terms.policy for link in links] == ["prediction", "stabilisation", "auction"] * 2
    assert abs(periods[-1].price - two.target) < abs(two.price - two.target)
    roster = running.manifest.folder / "roster.json"
    ran = tacita("verify", out, "--roster", roster, "--format", "json")
    assert ran.code == 0, ran.err
    assert len(json.loads(ran.out)["chain"]) == 5
    (out / "period-1" / "3-auction" / "certificate.json").unlink()
    ran = tacita("verify", out, "--roster", roster)
    assert (ran.code, "does not follow" in ran.sentence) == (1, True)
