"""`tacita bench --quick` measures what it says and adds up; no test here looks at how long anything takes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.threshold import deal
from tacita.deploy.bench import ceremonies, encryption, instances, processes, report, stock
from tacita.deploy.bench.measure import Goal, interleaved, ratio
from tacita.protocols.admm.plain import solve_plain
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.policies.auction.terms import AuctionTerms
from tacita.protocols.policies.registry import POLICIES, complete_with_inputs

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv" / "bench" / "bin" / "python"
KEYGEN_PEER = ROOT / ".venv" / "bench-keygen" / "bin" / "python"
needs_peers = pytest.mark.skipif(not PEERS.exists(), reason="make .venv/bench.done makes the peers' environment")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of one quick run without peers, as printed and as written."""
    out = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tacita.cli", "bench", "--quick", "--format", "json", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads((out / "bench.json").read_text())
    return dict(printed)


@pytest.mark.cluster
def test_the_stages_of_a_session_add_up_to_its_total_within_five_percent(quick: dict[str, Any]) -> None:
    for session in quick["sessions"].values():
        for run in session["runs"]:
            assert abs(sum(run["stages"].values()) - run["total"]) <= 0.05 * run["total"]
        solve = sum(session["solve"].values())
        assert abs(solve - session["stages"]["solve"]) <= 0.1 * session["stages_of_total"]


@pytest.mark.cluster
def test_every_figure_of_a_quick_run_is_there_and_positive(quick: dict[str, Any]) -> None:
    parts = {"encryption", "ranges", "keygen", "sessions", "demo"}
    assert set(quick) == {"quick", "machine", "load", "other_programs_cores", "goals", *parts}
    assert quick["quick"] is True and quick["demo"] is None
    assert set(quick["encryption"]["operations"]) == {"encrypt", "add", "multiply"}
    assert all(row["milliseconds"]["tacita"] > 0 for row in quick["encryption"]["operations"].values())
    (ceremony,) = quick["keygen"]["nodes"].values()
    assert ceremony["ceremonies"] == 1 and ceremony["candidates"] > 0 == ceremony["runs"][0]["aborts"]
    assert ceremony["cpu_milliseconds_per_candidate_and_party"] > 0
    assert 0 < ceremony["min"] == ceremony["median"] == ceremony["max"]
    assert quick["keygen"]["peer"] is None
    assert quick["ranges"]["values"] == 24 and min(quick["ranges"]["milliseconds"].values()) > 0
    (session,) = quick["sessions"].values()
    assert session["iterations"] == 20 and session["iteration_milliseconds"] > 0
    stages = ["read", "terms", "commit", "share", "masks", "bind", "solve", "release", "certify", "collect"]
    assert list(session["stages"]) == stages
    assert session["memory_mib"] > 10 and min(session["runs"][0]["cpu"].values()) > 0


@pytest.mark.cluster
def test_goals_say_what_was_measured_and_nothing_else(quick: dict[str, Any]) -> None:
    goals = {goal["name"]: goal for goal in quick["goals"]}
    assert goals["encryption, 2048 bits, beside phe"]["met"] is None
    assert goals["session (12, 8), Clarke payments"]["met"] is None
    assert goals["make demo, again"]["met"] is None
    assert goals["key ceremony, 5 nodes, median"]["met"] is None
    assert goals["key ceremony, 3 nodes, median"]["value"] == quick["keygen"]["nodes"]["3"]["median"]
    small = goals["session (3, 1), 20 iterations"]
    assert small["value"] == quick["sessions"]["(3, 1)"]["slowest_total"]
    assert goals["stages add up to the total"]["met"] is True


def test_a_goal_is_met_by_its_value_alone() -> None:
    assert Goal("at most", 5.0, 5.0, "s").met is True
    assert Goal("at most", 5.0, 5.1, "s").met is False
    assert Goal("at least", 10.0, 9.9, "times", at_least=True).met is False
    assert Goal("at least", 10.0, 10.0, "times", at_least=True).met is True
    assert Goal("unknown", 10.0, None, "s").met is None


def test_goals_judge_the_slowest_session_and_a_ratio_only_at_2048_bits() -> None:
    operations = {"encrypt": {"milliseconds": {"tacita": 1.0, "phe": 12.0}, "ratio": {"phe": 12.0}}}
    session = {"slowest_total": 50.0, "median_total": 40.0, "memory_mib": 100.0, "unaccounted": -0.07}
    result = {"encryption": {"bits": 2048, "operations": operations}, "sessions": {"(12, 8)": session}}
    met = {goal.name: goal.met for goal in report.goals(result)}
    assert met["encryption, 2048 bits, beside phe"] is True
    assert met["session (12, 8), Clarke payments"] is False
    assert met["stages add up to the total"] is False
    shorter = {"encryption": {"bits": 1024, "operations": operations}}
    assert {goal.name: goal.met for goal in report.goals(shorter)}["encryption, 2048 bits, beside phe"] is None


def test_rounds_alternate_between_the_competitors() -> None:
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    seconds = interleaved({"a": lambda: run("a"), "b": lambda: run("b")}, 3)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert seconds == {"a": [1, 3, 5], "b": [2, 4, 6]}
    assert ratio([4.0, 100.0, 9.0], [2.0, 1.0, 3.0]) == 3.0


def test_memory_and_processor_time_of_a_child_are_read_until_it_ends() -> None:
    program = "import sys; sum(range(3_000_000)); print(1, flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout and child.stdout.readline()
        assert child.pid in processes.family(os.getpid())
        assert processes.peak_mib(child.pid) > 1 and processes.cpu_of(child.pid) > 0
    finally:
        child.communicate()
    assert child.pid not in processes.family(os.getpid())
    assert processes.peak_mib(child.pid) == 0


def test_memory_that_a_child_still_shares_with_its_parent_counts_once() -> None:
    """Between fork and exec; afterwards the child has memory of its own."""
    script = "import os, sys; os.fork() or sys.stdin.read(); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        forked = processes.family(parent.pid)
        assert len(forked) == 2 and processes.separate(parent.pid) == [parent.pid]
        parent.communicate()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        assert other.pid in processes.separate(os.getpid())
        other.kill()


def test_timed_auctions_have_the_class_and_the_size_that_they_are_named_after() -> None:
    classes = {}
    for case in instances.cases(quick=False):
        terms, bidders = complete_with_inputs(case.tree, case.inputs.splitlines(), None)
        auction = POLICIES["auction"].instance(terms, {n: sorted(b.slots) for n, b in bidders.items()})
        assert (auction.market.bidders, auction.market.slots) == (case.bidders, case.slots)
        assert auction.terms.payment_rule == "clarke"
        classes[case.name] = (auction.market.class_name, auction.iterations)
    assert classes == {"(3, 1)": ("Q0", 20), "(12, 8)": ("Qc", 80), "(3, 24)": ("Qc", 80)}


def test_the_problem_for_stock_mpyc_is_the_auction_itself() -> None:
    """Its iterations in floating point reach the plain optimum of the auction in the caller's units."""
    for case in instances.cases(quick=False):
        terms, bidders = complete_with_inputs(case.tree, case.inputs.splitlines(), None)
        auction = POLICIES["auction"].instance(terms, {n: sorted(b.slots) for n, b in bidders.items()})
        problem = instances.normalised(auction, bidders)
        unit = 2.0**auction.terms.quantity_exponent
        plain = solve_plain(AuctionTerms.read(terms.tree), bidders)
        optimum = np.array([plain.allocation[name] for name in auction.participants]) / unit
        assert np.abs(stock.in_floating_point(problem) - optimum).max() < stock.OUTCOME_TOLERANCE
        wrong = (optimum + 0.02).tolist()
        with pytest.raises(VerificationFailed, match="from floating point"):
            stock.check(problem, wrong, optimum.tolist())


def test_time_per_candidate_is_over_all_ceremonies_and_whole_ones_are_a_distribution() -> None:
    def run(seconds: float, candidates: int, wall: float, cpu: float) -> dict[str, Any]:
        return {"seconds": seconds, "candidates": candidates, "search_wall": wall, "search_cpu": cpu}

    figures = ceremonies.summary([run(3.0, 1000, 2.0, 3.0), run(11.0, 4000, 9.0, 12.0), run(5.0, 0, 4.0, 0.0)], 3, 2000)
    assert (figures["min"], figures["median"], figures["max"], figures["candidates"]) == (3.0, 5.0, 11.0, 5000)
    assert figures["wall_milliseconds_per_candidate"] == 3.0
    assert figures["cpu_milliseconds_per_candidate_and_party"] == 1.0
    assert figures["expected_seconds"] == 7.0


def test_only_named_parts_are_measured_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tacita.cli", "bench", "--quick", "--out", str(tmp_path), "--only"]
    done = subprocess.run([*command, "nothing"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "choose from encryption" in done.stderr
    done = subprocess.run([*command, "ranges"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "bench.json").read_text())
    assert "ranges" in result and not {"encryption", "keygen", "sessions"} & set(result)


@pytest.mark.skipif(not KEYGEN_PEER.exists(), reason="make .venv/bench-keygen.done makes the peer's environment")
def test_the_keygen_peer_tries_candidates() -> None:
    figures = ceremonies.peer(KEYGEN_PEER, 1.0, lambda _: None)
    assert figures["candidates"] >= 100 and figures["cpu_milliseconds_per_candidate_and_party"] > 0


@needs_peers
@pytest.mark.parametrize("name", encryption.PEERS)
def test_ciphertexts_of_a_peer_decrypt_under_our_key_and_a_wrong_one_is_noticed(name: str) -> None:
    public, shares = deal(2048, 3, 1, SeededEntropy(f"peer {name}"))
    peer = encryption.Peer(PEERS, name, public.modulus)
    numbers = {"a": 2**63 + 5, "b": 12345, "scalar": 2**40 + 1}
    try:
        encryption.check(peer, public, shares, numbers)
        honest = peer.ask
        peer.ask = lambda operation, repeats, given: honest(operation, repeats, {**given, "b": 12346})  # type: ignore[method-assign]
        with pytest.raises(VerificationFailed, match="another number"):
            encryption.check(peer, public, shares, numbers)
    finally:
        peer.close()


@needs_peers
def test_stock_mpyc_agrees_with_the_iterations_in_floating_point() -> None:
    (case,) = instances.cases(quick=True)
    terms, bidders = complete_with_inputs(case.tree, case.inputs.splitlines(), None)
    auction = POLICIES["auction"].instance(terms, {n: sorted(b.slots) for n, b in bidders.items()})
    problem = {**instances.normalised(auction, bidders), "iterations": 3}
    allocation = stock.run(PEERS, problem)["allocation"]
    stock.check(problem, allocation, allocation)


def test_missing_peers_are_refused_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tacita.cli", "bench", "--peers", str(tmp_path / "python"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "make bench" in done.stderr and "Traceback" not in done.stderr
