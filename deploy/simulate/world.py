"""One world from its plan to a verdict."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tacita.crypto.errors import CryptoError
from tacita.deploy.simulate.clock import Stuck, run_virtual
from tacita.deploy.simulate.deviant import Deviant
from tacita.deploy.simulate.members import Members
from tacita.deploy.simulate.network import Network
from tacita.deploy.simulate.node import SimulatedNode
from tacita.deploy.simulate.plan import Chance, Plan
from tacita.deploy.simulate.watch import Watch
from tacita.protocols.admm.plain import PlainOutcome, gap, solve_plain
from tacita.protocols.faults import ProtocolFault, SuspectFault, TacitaError, VerificationFailed
from tacita.protocols.judge import proven
from tacita.protocols.party import Result
from tacita.protocols.policies.auction.terms import AuctionTerms
from tacita.protocols.roster import Roster
from tacita.protocols.verify import verify

PATIENCE = 3600.0
"""Virtual seconds after which a session that has not ended will not end: all deadlines together are far below."""
TOLERANCE = 1e-5
"""Largest difference from the plain solution: inputs and outputs are integers at 2^-32 of the bounds or finer."""

Ending = Result | BaseException | None
"""How a node ended; None if it did not."""


@dataclass(frozen=True)
class Verdict:
    """What became of one world."""

    seed: int
    ending: str
    """completed, aborted, wrong or unfinished."""
    false_blame: bool
    counts: Mapping[str, int]
    digest: str
    """Of every event of the network with its time; equal whenever the seed is."""
    seconds: float
    """Virtual time that the session took."""
    reasons: tuple[str, ...]
    """What is wrong, one sentence each; empty in a world without bugs."""
    misbehaved: tuple[str, ...] = ()
    """In which rounds a node really deviated."""

    @property
    def failed(self) -> bool:
        """True if this world shows a bug."""
        return self.false_blame or self.ending in ("wrong", "unfinished")


class World:
    """The nodes of one world, its network and what it showed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.members = members(len(plan.names))
        self.watch = Watch(plan.honest, plan.names)
        self.deviant: Deviant | None = None
        self.endings: dict[str, Ending] = dict.fromkeys(plan.names)
        self.bugs: list[str] = []
        """What nobody waits for and what failed nevertheless."""
        self.network: Network
        self.seconds = 0.0
        self.terms, self.inputs = plan.auction()

    def run(self) -> Verdict:
        """Let everything happen, then judge."""
        try:
            run_virtual(self._happen())
        except Stuck:
            self.seconds = float("inf")
        return judge(self)

    async def _happen(self) -> None:
        plan, loop = self.plan, asyncio.get_running_loop()
        loop.set_exception_handler(self._note)
        self.network = network = Network(loop, plan.weather, plan.cuts, Chance(plan.seed, "network"))
        network.listener = self.watch.hears
        odd = plan.misbehaviour
        if odd is not None:
            self.deviant = Deviant(odd, self.members.identities[odd.node], Chance(plan.seed, "deviant"))
        seed = f"world/{plan.seed}"
        nodes = [
            SimulatedNode(
                n, self.members, plan.bits, seed, network, self.watch, self.deviant if odd and n == odd.node else None
            )
            for n in plan.names
        ]
        work = {
            node.name: asyncio.ensure_future(node.run(self.terms, self.inputs, start))
            for node, start in zip(nodes, plan.starts, strict=True)
        }
        await asyncio.wait([work[name] for name in plan.honest], timeout=PATIENCE)
        self.seconds = loop.time()
        for name, task in work.items():
            if task.done():
                error = task.exception()
                self.endings[name] = error if error is not None else task.result()
                network.record("end", name, name, repr(error).encode() if error else task.result().certificate)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback of the loop raised: in a real node the task that reads a peer's stream would end like that."""
        if "handle" in context:
            self.bugs.append(f"taking a message raised {context.get('exception')!r}")


@lru_cache(maxsize=8)
def members(parties: int) -> Members:
    """The INSECURE cluster of every world of this size: making its keys takes seconds."""
    return Members(parties, "simulated")


# ---- judging ------------------------------------------------------------------------------------------------------


def judge(world: World) -> Verdict:
    """What became of a world, from how its honest nodes ended."""
    plan = world.plan
    endings = {name: world.endings[name] for name in plan.honest}
    results = {name: end for name, end in endings.items() if isinstance(end, Result)}
    wrong = [*world.watch.broken, *_wrong_results(world, results)]
    if results and len(results) < len(endings) and plan.within_deadlines:
        wrong.append(f"only {', '.join(results)} got a result, though the network allowed everybody to get it")
    unfinished = [
        f"{name} did not end" if end is None else f"{name} ended with {end!r}, which is no error of ours"
        for name, end in endings.items()
        if not isinstance(end, Result | TacitaError)
    ]
    unfinished += world.bugs
    blame = _false_blame(world, endings)
    ending = "completed" if len(results) == len(endings) else "aborted"
    ending = "wrong" if wrong else "unfinished" if unfinished else ending
    return Verdict(
        seed=plan.seed,
        ending=ending,
        false_blame=bool(blame),
        counts=dict(world.network.counts),
        digest=world.network.digest,
        seconds=world.seconds,
        reasons=(*wrong, *unfinished, *blame),
        misbehaved=tuple(world.deviant.did) if world.deviant else (),
    )


def _wrong_results(world: World, results: Mapping[str, Result]) -> list[str]:
    """Results that differ from one another or from the plain solution, and certificates that do not hold."""
    wrong: list[str] = []
    decided = {name: {k: v for k, v in r.outcome.items() if k != "certificate"} for name, r in results.items()}
    if any(outcome != next(iter(decided.values())) for outcome in decided.values()):
        wrong.append("the honest nodes have different outcomes")
    plain: PlainOutcome | None = None
    for data in dict.fromkeys(r.certificate for r in results.values()):
        plain = plain or solve_plain(AuctionTerms.read(world.terms.tree), world.inputs)
        try:
            outcome = verify(data, world.members.roster, dict(world.terms.tree), allow_insecure_key=True).outcome
        except VerificationFailed as error:
            wrong.append(str(error))
            continue
        wrong += [f"{what} differs from the plain solution by {by:.1e}" for what, by in _gaps(plain, outcome).items()]
        if any({k: v for k, v in decision.items() if k in outcome} != outcome for decision in decided.values()):
            wrong.append("an outcome is not the one that its certificate shows")
    return wrong


def _gaps(plain: PlainOutcome, outcome: Mapping[str, Any]) -> dict[str, float]:
    return {what: by for what, by in gap(plain, outcome).items() if not abs(by) <= TOLERANCE}


def _false_blame(world: World, endings: Mapping[str, Ending]) -> list[str]:
    """Everybody whom an honest node names as a culprit although it followed the protocol."""
    odd = world.plan.misbehaviour
    hosts = world.members.host(world.inputs)
    guilty = set() if odd is None else {odd.node, *(p for p, host in hosts.items() if host == odd.node)}
    blame = []
    for name, end in endings.items():
        if isinstance(end, ProtocolFault):
            named = {end.culprit, *_convicted(end, world.members.roster)}
            blame += [f"{name} blames {other}: {end}" for other in sorted(named - guilty)]
        elif isinstance(end, SuspectFault) and not guilty & {s.replace("node ", "node") for s in end.suspects}:
            blame.append(f"{name} suspects honest nodes only: {end}")
        elif isinstance(end, Result):
            others = [n for n in (*world.plan.names, *hosts) if n not in guilty]
            blame += [f"{name}: {fault}" for fault in end.faults for n in others if fault.startswith(f"{n} broke ")]
    return blame


def _convicted(fault: ProtocolFault, roster: Roster) -> list[str]:
    """Whom the evidence that goes with a fault convicts."""
    if fault.evidence is None:
        return []
    try:
        return [proven(fault.evidence, roster).culprit]
    except CryptoError:
        return [f"nobody, with evidence that does not hold, {fault.culprit}"]
