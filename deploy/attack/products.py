"""A18–A20, A27: wrong products, shares and bytes inside the computation.

Some rows play a whole session, with the liar's own engine; the others run the engines of a cluster on a small program.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tacita.crypto.integers import inverse
from tacita.deploy.attack import programs
from tacita.deploy.attack.behaviour import Behaviour, first_bit
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.cheaters import cheating, once
from tacita.deploy.attack.deviations import message
from tacita.deploy.attack.engines import WAITING, Make, Program, Run, attempt
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import ended, leaf_of, play_session, wrong_output
from tacita.protocols.faults import SuspectFault, TacitaError
from tacita.protocols.mpc.engine import Engine, IntArray
from tacita.protocols.mpc.frames import HEAD
from tacita.protocols.mpc.shared import SharedEngine

VERIFICATION = Defence("tacita.protocols.mpc.shared.SharedEngine.verify")


def shown_of(run: Run, harm: str, deviated: bool = True) -> Shown:
    """What a run of engines shows; the last node lies."""
    ends = run.ends[:-1]
    problems = [] if len({type(end) for end in ends}) == 1 else [f"the honest engines end differently: {ends}"[:200]]
    end = ends[0]
    if isinstance(end, SuspectFault):
        verdict = f"D {leaf_of(end)}"
    elif end == WAITING:
        verdict = "D Absent"  # in a session the wait ends with PATIENCE, and names for whom it waited
    elif isinstance(end, BaseException):
        verdict = f"R {leaf_of(end)}"
        problems += [] if isinstance(end, TacitaError) else [f"an engine ends with {end!r}"[:200]]
    else:
        verdict = "P"
    return Shown(verdict, "", deviated, harm, None, problems)


# ---- wrong products -------------------------------------------------------------------------------------------------


@case("A18", "error added in a multiplication", "D MacCheckFailed", VERIFICATION, accepts="D SuspectFault")
def wrong_product(play: Play) -> Shown:
    """At every resharing of the auction's program, one session for each."""
    shown: Shown | None = None
    for gate in itertools.count():
        one = wrong_at(play, gate)
        if not one.deviated:
            break
        one.problems = [f"gate {gate}: {problem}" for problem in one.problems]
        if shown is None or one.verdict != "D SuspectFault" or one.harm:
            shown = one if shown is None else replace(one, problems=[*shown.problems, *one.problems])
        if one.harm.startswith("wrong output"):
            break
    assert shown is not None
    return shown


def wrong_at(play: Play, gate: int) -> Shown:
    """2^30 is added to the first product of one resharing."""
    added: list[int] = []

    class Adds(SharedEngine):
        gates = gate

        async def _reshare(self, products: IntArray) -> IntArray:
            if self.gates == 0:
                added.append(gate)
                products = products.copy()
                products[0, 0] += (1 << 30) * inverse(self.shares._degree_2t[self.shares.me], self.prime)
            self.gates -= 1
            return await super()._reshare(products)

    def unlike(scene: Scene) -> str:
        if wrong_output(scene):
            return f"{wrong_output(scene)}, from resharing {gate}"
        end = scene.endings["node1"]
        opened = scene.engines["node1"].opened if "node1" in scene.engines else {}
        return f"wrong values were opened, and noticed later: {end}" if opened and not ended(scene) else ""

    return play_session(play, Behaviour(engine=Adds), unlike, two_worlds=gate == 0, deviated=lambda: added)


class ShiftsOutput(SharedEngine):
    """Adds 2^24 to its share of every output before it opens it, and believes itself."""

    async def to_cipher(self, label: str, a: Any) -> None:
        """See Engine."""
        a.payload = a.payload + np.array([[1 << 24]] + [[0]] * (len(a.payload) - 1), dtype=object)
        await super().to_cipher(label, a)


class SplitsOutput(SharedEngine):
    """Opens an output to node 2 with another share than to everybody else."""

    async def to_cipher(self, label: str, a: Any) -> None:
        """See Engine."""
        runtime, opens = self.shares._runtime, self.shares.open
        sends = runtime._send_message

        async def splits(vector: IntArray) -> IntArray:
            def unlike(peer: int, data: bytes) -> None:
                sends(peer, first_bit(data) if peer == 1 else data)

            runtime._send_message = unlike
            try:
                return await opens(vector)
            finally:
                runtime._send_message = sends

        await self.verify()
        self.shares.open = splits  # type: ignore[method-assign, assignment]
        try:
            await super().to_cipher(label, a)
        finally:
            self.shares.open = opens  # type: ignore[method-assign]


@case("A19", "inconsistent shares of an output", "D InconsistentOpening",
      Defence("tacita.protocols.mpc.sharing.Sharing._check_degree"), variants=("to all alike", "to one"))  # fmt: skip
def inconsistent(play: Play) -> Shown:
    engine = {"to all alike": ShiftsOutput, "to one": SplitsOutput}[play.variant]
    return play_session(play, Behaviour(engine=engine), wrong_output, liar="node1", deviated=lambda: True)


def unpickling(canary: list[str]) -> Any:
    """Old rule: what peers send is loaded as a pickle, as stock MPyC does."""
    from mpyc import runtime as stock

    def off(honest: Any) -> Any:
        def decode(self: Any, data: bytes) -> Any:
            if data.startswith(b"c"):
                stock.pickle.loads(data)
            return honest(self, data)

        return decode

    return off


CANARY: list[str] = []


def touched(what: str) -> str:
    """What the evil pickle calls; a list in memory stands for a shell."""
    CANARY.append(what)
    return what


EVIL = b"ctacita.deploy.attack.products\ntouched\n(Vgotcha\ntR."


@case("A20", "pickle in place of shares", "I InvalidEncoding",
      Defence("tacita.protocols.mpc.sharing.Sharing.decode", unpickling(CANARY), prevents=True),
      culprit="node3", variants=("as shares", "another length"))  # fmt: skip
def pickle_bytes(play: Play) -> Shown:
    CANARY.clear()

    def sending(_: Scene) -> Behaviour:
        frames = itertools.count(1)

        def evil(receiver: int, data: bytes) -> bytes:
            if next(frames) != 3:
                return data
            step, payload = message(data)
            if play.variant == "another length":
                return HEAD.pack(step, len(EVIL)) + EVIL
            return HEAD.pack(step, len(payload)) + EVIL.ljust(len(payload), b"\xff")[: len(payload)]

        return Behaviour(engine_bytes=evil)

    return play_session(play, sending, lambda _: f"code of the attacker ran: {CANARY[0]}" if CANARY else "")


OPERATIONS: dict[str, Program] = {}


def operation(name: str) -> Callable[[Program], Program]:
    """Enter a program of one operation."""
    return lambda program: OPERATIONS.setdefault(name, program)


async def _operands(engine: Engine) -> tuple[Any, Any]:
    a = await engine.from_cipher("a", 2, 0, -programs.LIMIT, programs.LIMIT)
    return a, await engine.from_cipher("b", 2, 0, 1, programs.LIMIT)


@operation("truncation")
async def _truncation(engine: Engine) -> None:
    a, b = await _operands(engine)
    await engine.to_cipher("y", await engine.trunc(await engine.mul(a, b), 4))


@operation("comparison")
async def _comparison(engine: Engine) -> None:
    a, b = await _operands(engine)
    await engine.to_cipher("y", await engine.minimum(a, b))


@operation("zero test")
async def _zero_test(engine: Engine) -> None:
    a, b = await _operands(engine)
    await engine.to_cipher("y", await engine.select(await engine.is_zero(a), b, a))


@operation("clip")
async def _clip(engine: Engine) -> None:
    a, b = await _operands(engine)
    await engine.to_cipher("y", await engine.clip(a, engine.zeros(2, 0), b, 2))


@case("A27", "tampering inside a helper", "D MacCheckFailed", VERIFICATION, accepts="D SuspectFault",
      variants=tuple(OPERATIONS))  # fmt: skip
def inside_a_helper(play: Play) -> Shown:
    """One error in each resharing of the operation, one run for each."""
    program, inputs = OPERATIONS[play.variant], programs.EVERY_INPUT
    right = attempt(program, inputs, play.parties, play.name)
    shown, wrong = shown_of(right, ""), []
    for number in range(1, len(right.engines[-1].reshared) + 1):
        nodes: dict[int, Make] = {play.parties - 1: cheating(once(number, 0, 1 << 7))}
        run = attempt(program, inputs, play.parties, play.name, nodes=nodes)
        one = shown_of(run, "")
        if one.verdict == "P" and run.outputs != right.outputs:
            wrong.append(f"resharing {number} gives {run.outputs['y']} instead of {right.outputs['y']}")
        # An error in what nothing depends on any more may go unverified: then the output is right.
        shown = one if one.verdict != "P" or run.outputs != right.outputs else shown
        shown.problems = [*shown.problems, *one.problems]
    shown.harm = f"wrong output: {wrong[0]}" if wrong else ""
    return shown
