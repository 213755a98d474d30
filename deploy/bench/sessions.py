"""Whole sessions on a warm local cluster, stage by stage, interleaved with the ADMM in stock MPyC.

Warm means: node processes run and are linked, keys are loaded, the first engine worker waits. A session is timed from
the first read of its input files to its certificate on disk, with all commitments, proofs, masks, random bits and
payments in between. `read` and `collect` are taken on the driver's clock, the stages between on the nodes' own
clocks; what the sum leaves out of the driver's total is reported and must stay below 5 %.
"""

import asyncio
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tacita.deploy import local
from tacita.deploy.bench import instances, stock
from tacita.deploy.bench.instances import Case
from tacita.deploy.bench.measure import Note, load
from tacita.deploy.bench.processes import Watch, settle
from tacita.node import files
from tacita.node.config import Folder
from tacita.proto import tacita_pb2
from tacita.protocols.admm.plain import gap, solve_plain
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.policy import AuctionPolicy
from tacita.protocols.policies.auction.terms import AuctionTerms
from tacita.protocols.policies.registry import complete_with_inputs
from tacita.protocols.roster import Roster
from tacita.protocols.terms import Terms
from tacita.protocols.verify import verify

NODES = 3
LINK_SECONDS = 30.0
WELFARE_GAP = 1e-4
"""The gap of the default number of iterations; a session whose result is farther from the plain optimum is wrong."""


class _Clock:
    """When the last node's progress event arrived, by stage and by ADMM iteration, on the driver's clock."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.steps: dict[int, float] = {}

    def __call__(self, _node: str, progress: tacita_pb2.Progress) -> None:
        now = time.perf_counter()
        if progress.stage == "solve" and progress.step:
            self.steps[progress.step] = now
        else:
            self.arrived[progress.stage] = now

    @property
    def iteration(self) -> float | None:
        """Wall seconds per ADMM iteration, without the first one."""
        if len(self.steps) < 2:
            return None
        first, last = min(self.steps), max(self.steps)
        return (self.steps[last] - self.steps[first]) / (last - first)

    @property
    def solve(self) -> dict[str, float]:
        """Seconds of the parts of the solve stage: clearing table and W_{-i}, ADMM, then repair and payments."""
        if not self.steps:
            return {}
        first, last = self.steps[min(self.steps)], self.steps[max(self.steps)]
        begin = first - (self.iteration or 0.0)
        parts = {
            "table": begin - self.arrived["solve"],
            "iterations": last - begin,
            "repair and payments": self.arrived["release"] - last,
        }
        return {name: round(seconds, 3) for name, seconds in parts.items()}


async def linked(cluster: local.LocalCluster) -> dict[str, int]:
    """Wait until every node has a stream to every other one and has finished starting; process ids by name."""
    end = time.monotonic() + LINK_SECONDS
    while time.monotonic() < end:
        states = await asyncio.gather(*(operator.status() for operator in cluster.operators))
        if all(s is not None and all(peer.connected for peer in s.peers) for s in states):
            processes = {s.name: s.process for s in states if s is not None}
            await settle(processes)
            return processes
        await asyncio.sleep(0.05)
    raise VerificationFailed("the local nodes do not link up; look at their logs")


async def one(cluster: local.LocalCluster, processes: Mapping[str, int], case: Path, out: Path) -> dict[str, Any]:
    """One session from the files terms.toml and inputs.csv in the folder `case`; results go to `out`."""
    clock = _Clock()
    async with Watch(processes) as watch:
        # 1. read and split the inputs
        begun = time.perf_counter()
        name = local.session_name()
        tree = tomllib.loads(files.read_text(case / "terms.toml", "terms"))
        inputs = files.read_text(case / "inputs.csv", "inputs")
        named = {**tree, "session": {**tree.get("session", {}), "name": name}}
        terms, bidders = complete_with_inputs(named, inputs.splitlines(), None)
        placed = local.assign(list(bidders), [node.name for node in cluster.manifest.nodes], None, "bidder")
        local.fill_inboxes(cluster.manifest, terms, {"inputs": inputs}, placed)
        handed = time.perf_counter()
        # 2. the session
        result = await local.run_session(cluster, name, clock)
        # 3. write
        files.write_json(out / "outcome.json", result.outcome)
        files.write(out / "certificate.json", result.certificate)
        ended = time.perf_counter()
    stages = {"read": handed - begun, **result.seconds, "collect": ended - clock.arrived["done"]}
    total = ended - begun
    auction, distance, verified = _check(cluster, terms, bidders, result)
    return {
        "class": auction.market.class_name,
        "iterations": auction.iterations,
        "comparisons": auction.demand(NODES, (NODES - 1) // 2, terms.session.security).comparisons,
        "total": round(total, 3),
        "stages": {stage: round(seconds, 3) for stage, seconds in stages.items()},
        "solve": clock.solve,
        "unaccounted": round(1 - sum(stages.values()) / total, 4),
        "iteration_milliseconds": None if clock.iteration is None else round(1e3 * clock.iteration, 2),
        "iteration_cost": _cost(cluster, name),
        "cpu": watch.cpu,
        "memory_mib": {node: round(peak, 1) for node, peak in watch.memory.items()},
        "certificate_bytes": len(result.certificate),
        "verify_seconds": verified,
        "welfare_gap": distance,
        "allocation": result.outcome["allocation"],
    }


def _check(
    cluster: local.LocalCluster, terms: Terms, bidders: Mapping[str, BidderInputs], result: local.SessionResult
) -> tuple[Auction, float, float]:
    """After the clock has stopped: the certificate verifies and the result is optimal. The auction, its relative
    distance from the plain optimum and the seconds of the verification."""
    roster = Roster.read(files.read_json(cluster.manifest.folder / "roster.json", "roster"))
    begun = time.perf_counter()
    verify(result.certificate, roster)
    verified = time.perf_counter() - begun
    auction = AuctionPolicy().instance(terms, {n: sorted(b.slots) for n, b in bidders.items()})
    distance = gap(solve_plain(AuctionTerms.read(terms.tree), bidders), result.outcome)["welfare"]
    if abs(distance) > WELFARE_GAP:
        raise VerificationFailed(f"a session's welfare is {distance:.1e} from the plain optimum")
    return auction, float(f"{distance:.1e}"), round(verified, 3)


def _cost(cluster: local.LocalCluster, session: str) -> dict[str, float]:
    """What an iteration took of one node's engine: CPU milliseconds, the mean of all nodes, and bytes, those of the
    node that sent most."""
    costs = [files.read_json(Folder(n.folder).session(session) / "cost.json", "cost") for n in cluster.manifest.nodes]
    most = max(costs, key=lambda cost: cost["online_bytes"] + cost["offline_bytes"])
    means = {key: round(sum(cost[key] for cost in costs) / len(costs), 2) for key in most}
    return {key: most[key] if key.endswith("bytes") else mean for key, mean in means.items()}


async def compare(
    cluster: local.LocalCluster, case: Case, peers: Path | None, rounds: int, folder: Path, note: Note
) -> dict[str, Any]:
    """Sessions of one case and, between them, stock MPyC on the same auction."""
    source = folder / f"{case.bidders}x{case.slots}"
    files.write(source / "terms.toml", case.terms.encode())
    files.write(source / "inputs.csv", case.inputs.encode(), files.PRIVATE)
    terms, bidders = complete_with_inputs(case.tree, case.inputs.splitlines(), None)
    auction = AuctionPolicy().instance(terms, {n: sorted(b.slots) for n, b in bidders.items()})
    problem = instances.normalised(auction, bidders)
    before, sessions, others = load(), [], []
    processes = await linked(cluster)
    for k in range(rounds):
        note(f"{case.name}: session {k + 1} of {rounds}")
        sessions.append(await one(cluster, processes, source, source))
        await settle(processes)
        if peers is not None:
            note(f"{case.name}: ADMM in stock MPyC, {k + 1} of {rounds}")
            others.append(await asyncio.to_thread(stock.run, peers, problem))
    summary = _summary(sessions, before)
    unit = 2.0**auction.terms.quantity_exponent
    released = [[x / unit for x in sessions[0]["allocation"][name]] for name in auction.participants]
    summary["stock_mpyc"] = _stock(summary, problem, others, released) if others else None
    return summary


def _summary(sessions: list[dict[str, Any]], before: list[float]) -> dict[str, Any]:
    runs = [{k: v for k, v in s.items() if k not in ("allocation", "class", "iterations")} for s in sessions]
    shown = sorted(runs, key=lambda r: r["total"])[len(runs) // 2]
    return {
        "class": sessions[0]["class"],
        "iterations": sessions[0]["iterations"],
        "load_before": before,
        "median_total": round(median(r["total"] for r in runs), 3),
        "slowest_total": max(r["total"] for r in runs),
        "stages": shown["stages"],
        "solve": shown["solve"],
        "stages_of_total": shown["total"],
        "iteration_milliseconds": median(r["iteration_milliseconds"] or 0.0 for r in runs),
        "iteration_cost": {key: median(r["iteration_cost"][key] for r in runs) for key in runs[0]["iteration_cost"]},
        "memory_mib": max(max(r["memory_mib"].values()) for r in runs),
        "unaccounted": max((r["unaccounted"] for r in runs), key=abs),
        "runs": runs,
    }


def _stock(
    summary: Mapping[str, Any], problem: Mapping[str, Any], others: list[dict[str, Any]], released: Any
) -> dict[str, Any]:
    iteration = [1e3 * r["iteration_wall"] for r in others]
    totals = [r["total"] for r in others]
    ours = [r["total"] for r in summary["runs"]]
    ours_iteration = [r["iteration_milliseconds"] for r in summary["runs"]]
    return {
        "median_total": round(median(totals), 3),
        "totals": [round(t, 3) for t in totals],
        "iteration_milliseconds": round(median(iteration), 2),
        "iteration_cpu_milliseconds_per_party": round(median(1e3 * r["iteration_cpu"] for r in others), 2),
        "iteration_bytes_per_party": round(median(r["iteration_bytes"] for r in others)),
        "ratio_of_totals": round(median(a / b for a, b in zip(totals, ours, strict=True)), 2),
        "ratio_of_iterations": round(median(a / b for a, b in zip(iteration, ours_iteration, strict=True)), 2),
        "difference": stock.check(problem, others[0]["allocation"], released),
    }
