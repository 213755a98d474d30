"""The reference instances through the policy's program: on ClearEngine and on a whole cluster in one event loop."""

import asyncio
from typing import Any

import numpy as np
import pytest

from tacita.deploy.attack.instance import auction
from tacita.protocols.admm.plain import gap, solve_plain
from tests.cluster_in_memory import Cluster
from tests.economics import references as ref
from tests.economics.generator import Files, run_clear

NOISES = [None, 1, 2, 3]


def on_cluster(files: Files, parties: int) -> dict[str, Any]:
    """A session with keys, proofs, shares and certificate; all nodes must publish the same outcome."""
    terms, inputs = auction(files.tree, files.lines, files.budgets)
    results = asyncio.run(Cluster(parties, seed=f"reference {parties}").run(terms, inputs))
    outcomes = [dict(r.outcome) for r in results.values()]
    assert len(outcomes) == parties and all(o == outcomes[0] for o in outcomes)
    return outcomes[0]


def close(mine: Any, expected: Any, tolerance: float) -> None:
    np.testing.assert_allclose(np.array(mine, float), np.array(expected, float), rtol=0, atol=tolerance)


def check_a1(outcome: dict[str, Any], tolerance: float = 1e-5) -> None:
    for name in "abc":
        close(outcome["allocation"][name], ref.A1_ALLOCATION[name], tolerance)
        close(outcome["payment"][name], ref.A1_CLARKE[name], tolerance)
    close(outcome["price"], [ref.A1_PRICE], tolerance)
    close(outcome["supply"], [ref.A1_SUPPLY], tolerance)
    close(outcome["welfare"], ref.A1_WELFARE, tolerance)


def check_a2(outcome: dict[str, Any]) -> None:
    """60 iterations in slack form, Clarke payments from warm copies."""
    for name in "abcde":
        close(outcome["allocation"][name], ref.A2_ALLOCATION[name], 1e-4)
        close(outcome["payment"][name], ref.A2_CLARKE[name], 1e-3)
    close(outcome["price"], ref.A2_PRICE, 1e-3)
    close(outcome["welfare"], ref.A2_WELFARE, 1e-4)


def check_a4(outcome: dict[str, Any], tolerance: float = 1e-5) -> None:
    auction, inputs = ref.A4.read()
    for name in "abcd":
        close(outcome["allocation"][name], ref.A4_ALLOCATION[name], tolerance)
    close(outcome["price"], ref.A4_PRICE, tolerance)
    close(outcome["supply"], ref.A4_SUPPLY, tolerance)
    close(outcome["welfare"], ref.A4_WELFARE, tolerance)
    assert gap(solve_plain(auction.terms, inputs), outcome)["payment"] < tolerance


@pytest.mark.parametrize("noise", NOISES)
def test_a1_on_the_clear_engine(noise: int | None) -> None:
    check_a1(run_clear(*ref.A1.read(), noise)[0])


@pytest.mark.parametrize("noise", NOISES)
def test_a2_on_the_clear_engine(noise: int | None) -> None:
    check_a2(run_clear(*ref.A2.read(), noise)[0])


@pytest.mark.parametrize("noise", NOISES)
def test_a4_on_the_clear_engine_publishes_the_lower_end(noise: int | None) -> None:
    check_a4(run_clear(*ref.A4.read(), noise)[0])


def test_a1_by_the_table_and_by_admm_agree() -> None:
    table = Files({**ref.A1.tree, "solver": {"method": "table"}}, ref.A1.lines)
    check_a1(run_clear(*table.read(), 1)[0], 1e-6)


@pytest.mark.parametrize("rule", ["paper", "uniform"])
def test_the_other_payment_rules_on_a1(rule: str) -> None:
    outcome, _ = run_clear(*ref.changed(ref.A1, payment_rule=rule).read(), 1)
    expected = {n: x[0] * ref.A1_PRICE for n, x in ref.A1_ALLOCATION.items()} if rule == "uniform" else ref.A1_PAPER
    for name in "abc":
        close(outcome["payment"][name], expected[name], 1e-5)


def test_a_loser_pays_nothing_and_a_minimum_never_costs_more_than_its_value() -> None:
    outcome, _ = run_clear(*ref.A1_LOSER.read(), 1)
    for name in "abc":
        close(outcome["payment"][name], ref.A1_LOSER_CLARKE[name], 1e-5)
    outcome, _ = run_clear(*ref.A1_MINIMUM.read(), 1)
    close([outcome["payment"][n] for n in "abc"], [20, 7.125, 6 * 1.5 - 2 * 1.5**2], 1e-5)


@pytest.mark.parametrize("parties", [3, 4, 5, 7], ids=["m3", "m4", "m5", "m7"])
def test_a1_on_a_cluster(parties: int) -> None:
    check_a1(on_cluster(ref.A1, parties))


def test_a4_on_a_cluster() -> None:
    check_a4(on_cluster(ref.A4, 3))


@pytest.mark.slow  # and on real nodes in every run: tests/integration/test_reference_instances.py
def test_a2_on_a_cluster() -> None:
    check_a2(on_cluster(ref.A2, 3))
