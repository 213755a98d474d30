"""The reference instances through real clusters with `tacita run`: exact results, for 3 to 7 nodes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration import samples
from tests.integration.running import Running, outcome, succeeded, tacita

pytestmark = pytest.mark.cluster


def close(mine: Mapping[str, Any], expected: Mapping[str, Any], tolerance: float) -> None:
    assert set(mine) == set(expected)
    for name, value in expected.items():
        near(mine[name] if isinstance(value, Sequence) else [mine[name]], value, tolerance)


def near(mine: Sequence[float], expected: Any, tolerance: float) -> None:
    wanted = [float(x) for x in (expected if isinstance(expected, Sequence) else [expected])]
    assert mine == pytest.approx(wanted, rel=0, abs=tolerance)


def check_a1(result: Mapping[str, Any]) -> None:
    close(result["allocation"], samples.A1_ALLOCATION, 1e-5)
    close(result["payment"], samples.A1_CLARKE, 1e-5)
    near(result["price"], samples.A1_PRICE, 1e-5)
    near(result["supply"], samples.A1_SUPPLY, 1e-5)
    near([result["welfare"]], samples.A1_WELFARE, 1e-5)
    assert (result["security"], result["provenance"]) == ("abort", "dealerless")
    assert result["inputs_bound"] is True


def test_a1_with_forty_iterations(a1: Path) -> None:
    check_a1(outcome(a1))


def test_a4_by_table_publishes_the_lower_end_of_the_flat_price(running: Running, tmp_path: Path) -> None:
    succeeded(running.run(samples.A4.write(tmp_path), tmp_path / "out"))
    result = outcome(tmp_path / "out")
    close(result["allocation"], samples.A4_ALLOCATION, 1e-5)
    close(result["payment"], samples.A4_CLARKE, 1e-5)
    near(result["price"], samples.A4_PRICE, 1e-5)
    near(result["supply"], samples.A4_SUPPLY, 1e-5)
    near([result["welfare"]], samples.A4_WELFARE, 1e-5)


@pytest.mark.slow  # it also runs in one process: tests/economics/test_reference_on_engine.py
def test_a2_with_budgets_and_cumulative_limits(running: Running, tmp_path: Path) -> None:
    ran = succeeded(running.run(samples.A2.write(tmp_path), tmp_path / "out", "--plain"))
    result = outcome(tmp_path / "out")
    close(result["allocation"], samples.A2_ALLOCATION, 1e-4)
    near([result["welfare"]], samples.A2_WELFARE, 1e-4)
    assert "gap to the plain solution" in ran.out


def test_json_output_is_the_outcome_alone(running: Running, tmp_path: Path) -> None:
    ran = succeeded(running.run(samples.TINY.write(tmp_path), tmp_path / "out", "--format", "json", "--plain"))
    printed = json.loads(ran.out)
    assert abs(printed.pop("gap")["welfare"]) < 1e-5
    assert printed == outcome(tmp_path / "out")
    assert {"terms", "commit", "share", "solve", "release"} <= set(printed["seconds"])


@pytest.mark.slow  # they also run in one process: tests/economics/test_reference_on_engine.py
@pytest.mark.parametrize("nodes", [4, 5, 7])
def test_a1_on_larger_clusters_that_the_command_founds_itself(nodes: int, tmp_path: Path) -> None:
    arguments = samples.A1.write(tmp_path)
    cluster, out = tmp_path / "cluster", tmp_path / "out"
    ran = tacita("run", "auction", *arguments, "--nodes", nodes, "--cluster", cluster, "--out", out)
    assert "nobody will ever know its factors" in succeeded(ran).err
    check_a1(outcome(out))
    folders = [cluster / "nodes" / f"node{i + 1}" / "sessions" for i in range(nodes)]
    certificates = [next(folder.rglob("certificate.json")).read_bytes() for folder in folders]
    assert set(certificates) == {(out / "certificate.json").read_bytes()}
    assert len(json.loads(certificates[0])["partials"]) == (nodes - 1) // 2 + 1
    verified = tacita("verify", out / "certificate.json", "--roster", cluster / "roster.json")
    assert f"all {nodes} nodes signed the frozen set of bids" in succeeded(verified).out
