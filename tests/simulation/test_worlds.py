"""Whole sessions in simulated worlds: what they must show, and that a seed decides everything in them."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tacita.deploy.simulate.network import COUNTED
from tacita.deploy.simulate.plan import KINDS, LONGEST_CUT, Cut, Misbehaviour, Plan, chosen
from tacita.deploy.simulate.report import Report, Scope, cores, simulate
from tacita.deploy.simulate.world import World
from tacita.protocols.faults import Absent, Equivocation, SuspectFault, VerificationFailed
from tacita.protocols.party import Result
from tacita.protocols.verify import verify
from tests.simulation.conftest import SEED


def reasons(report: Report) -> list[str]:
    return [f"{report.scope.replay(v.seed)}: {v.ending}: {v.reasons}" for v in report.failing]


def assert_no_bug(report: Report) -> None:
    assert not report.failing, reasons(report)


def test_within_the_deadlines_sessions_complete_whatever_the_network_does(sample: Report) -> None:
    assert_no_bug(sample)
    plans = sample.scope.plans()
    assert all(plan.within_deadlines and plan.misbehaviour is None for plan in plans)
    assert sample.tree()["completed"] >= 0.9 * len(plans)


def test_every_kind_of_fault_happens(sample: Report) -> None:
    tree = sample.tree()
    assert all(tree[what] > 0 for what in COUNTED), tree


def test_different_seeds_have_different_histories(sample: Report) -> None:
    assert len({v.digest for v in sample.verdicts}) == len(sample.verdicts)


def test_a_seed_has_one_history(sample: Report) -> None:
    again = World(Plan.draw(SEED)).run()
    assert again == sample.verdicts[0]


def test_a_seed_has_one_history_in_another_process_with_other_hashes(sample: Report) -> None:
    script = f"from tacita.deploy.simulate.report import *\nprint(simulate(Scope({SEED + 1}, 1)).verdicts[0].digest)"
    environment = {**os.environ, "PYTHONHASHSEED": "42"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [sample.verdicts[1].digest]


def test_certificates_of_a_toy_key_are_accepted_nowhere_else() -> None:
    world = World(Plan.draw(SEED))
    world.run()
    end = world.endings["node1"]
    assert isinstance(end, Result)
    with pytest.raises(VerificationFailed, match="the key was dealt"):
        verify(end.certificate, world.members.roster)


# ---- faults beyond the deadlines, and nodes that misbehave ----------------------------------------------------------


def test_a_long_cut_ends_the_session_without_blame_and_without_real_time() -> None:
    seconds = 50 * LONGEST_CUT
    plan = replace(Plan.draw(SEED), cuts=(Cut(6.0, seconds, frozenset({"node2"})),))
    assert not plan.within_deadlines
    world = World(plan)
    verdict = world.run()
    assert (verdict.ending, verdict.false_blame, verdict.reasons) == ("aborted", False, ())
    assert isinstance(world.endings["node2"], Absent)
    assert verdict.counts["cut"] > 0


def test_deadlines_pass_on_the_virtual_clock() -> None:
    silent = Misbehaviour("node3", "silent", 0, "node1")
    world = World(replace(Plan.draw(SEED), misbehaviour=silent, cuts=()))
    verdict = world.run()
    assert verdict.ending == "aborted"
    assert verdict.seconds > 60  # the deadline of the real nodes, although nobody sits here for a minute
    assert isinstance(world.endings["node1"], Absent)


@pytest.mark.parametrize(
    ("kind", "number", "family"),
    [("equivocating", 2, Equivocation), ("garbage", 2, Equivocation), ("wrong product", 1, SuspectFault)],
)
def test_who_misbehaves_stops_the_session_and_nobody_else_is_blamed(kind: str, number: int, family: type) -> None:
    plan = replace(Plan.draw(SEED), misbehaviour=Misbehaviour("node2", kind, number, "node1"))
    world = World(plan)
    verdict = world.run()
    assert verdict.misbehaved, "the deviation never happened"
    assert (verdict.ending, verdict.reasons) == ("aborted", ())
    assert any(isinstance(world.endings[name], family) for name in plan.honest), world.endings


def test_misbehaviour_of_every_kind_never_makes_a_bug() -> None:
    report = simulate(Scope(1, 12, misbehaving=100))
    assert {plan.misbehaviour.kind for plan in report.scope.plans() if plan.misbehaviour} == set(KINDS)
    assert_no_bug(report)
    assert report.tree()["misbehaved"] == report.scope.worlds


@pytest.mark.parametrize("percent", [0, 2, 5, 33, 100])
def test_chosen_worlds_are_as_many_as_announced_in_any_hundred_seeds(percent: int) -> None:
    for first in (0, 1, 17, 999):
        assert sum(chosen(seed, percent) for seed in range(first, first + 100)) == percent


def test_nothing_waits_in_real_time() -> None:
    """The virtual loop refuses threads, and a wait of a day is over when the next callback runs."""
    from tacita.deploy.simulate.clock import Stuck, run_virtual

    async def day() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    async def thread() -> None:
        await asyncio.to_thread(print)

    assert run_virtual(day()) == pytest.approx(86_400)
    with pytest.raises(Stuck):
        run_virtual(forever())
    with pytest.raises(RuntimeError, match="threads"):
        run_virtual(thread())


# ---- long ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_worlds() -> None:
    report = simulate(Scope(1, 100, jobs=cores()))
    assert_no_bug(report)
    tree = report.tree()
    assert all(tree[what] > 0 for what in COUNTED)
    assert 4 <= tree["misbehaved"] <= 5  # a cut may end a session before its deviating node comes to it
    fair = [
        v
        for v, plan in zip(report.verdicts, report.scope.plans(), strict=True)
        if plan.within_deadlines and plan.misbehaviour is None
    ]
    assert sum(v.ending == "completed" for v in fair) >= 0.9 * len(fair)
    assert tree["completed"] >= 90


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_worlds_with_a_misbehaving_node_each() -> None:
    assert_no_bug(simulate(Scope(1000, 100, misbehaving=100, jobs=cores())))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("nodes", [5, 7])
def test_larger_clusters(nodes: int) -> None:
    assert_no_bug(simulate(Scope(1, 10, nodes=nodes, misbehaving=30, jobs=cores())))
