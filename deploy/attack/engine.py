"""A18–A20, A23–A27, A30–A32, A71–A73, A88: what a node can do inside the computation.

Some rows play a whole session, with the liar's own engine; the others run the engines of a cluster on a small program.
"""

import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.integers import inverse
from tacita.deploy.attack import programs
from tacita.deploy.attack.behaviour import Behaviour, first_bit, silence
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.cheaters import cheating, once, withholding
from tacita.deploy.attack.deviations import HEAD, message
from tacita.deploy.attack.engines import WAITING, Make, Program, RecordingEngine, Run, attempt
from tacita.deploy.attack.instance import OTHER_LINES, a1
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.release import CHANGED
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import ended, judge_scene, leaf_of, play_session, wrong_output
from tacita.protocols.faults import CallerMistake, SuspectFault, TacitaError
from tacita.protocols.mpc.demand import BLINDED_PRODUCT, COMPARISON, TRUNCATION, DryRun, Opening
from tacita.protocols.mpc.engine import Engine, EngineInfo, IntArray
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.mpc.slots import objects
from tacita.protocols.stages import masks

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


EVIL = b"ctacita.deploy.attack.engine\ntouched\n(Vgotcha\ntR."


@case("A20", "pickle in place of shares", "I InvalidEncoding",
      Defence("tacita.protocols.mpc.sharing.Sharing.decode", unpickling(CANARY), prevents=True),
      accepts="R MachineFault", variants=("as shares", "another length"),
      gap="engine messages are not signed: the session ends and nobody is convicted")  # fmt: skip
def pickle_bytes(play: Play) -> Shown:
    CANARY.clear()
    frames = [0]

    def evil(receiver: int, data: bytes) -> bytes:
        frames[0] += 1
        if frames[0] != 3:
            return data
        step, payload = message(data)
        if play.variant == "another length":
            return HEAD.pack(step, len(EVIL)) + EVIL
        return HEAD.pack(step, len(payload)) + EVIL.ljust(len(payload), b"\xff")[: len(payload)]

    return play_session(
        play,
        Behaviour(engine_bytes=evil),
        lambda _: f"code of the attacker ran: {CANARY[0]}" if CANARY else "",
        two_worlds=False,
    )


# ---- verification itself --------------------------------------------------------------------------------------------

WRONG_TAG = 987654321


def plain_difference(honest: Any) -> Any:
    """Old rule: the difference is opened as it is, with 1 in place of a secret factor."""

    async def secrets(self: SharedEngine) -> tuple[IntArray, IntArray, IntArray]:
        one, r = objects([self.prime - self.prime + 1]), self.one[1]
        s, other = self.shares.uniform(1), self.shares.uniform(1)
        product = await self.shares.reshare(s * r - other * one)
        return one, r, np.array([s[0], other[0], product[0]], dtype=object)

    return secrets


async def product(engine: Engine) -> None:
    """x·y, whose tags are verified together."""
    x = await engine.from_cipher("x", 1, 0, 0, 1 << 40)
    y = await engine.from_cipher("y", 1, 0, 0, 1 << 40)
    await engine.to_cipher("xy", await engine.mul(x, y))


@case("A23", "what a failing check shows", "D MacCheckFailed",
      Defence("tacita.protocols.mpc.shared.SharedEngine._secrets", plain_difference, prevents=True),
      accepts="D SuspectFault")  # fmt: skip
def failing_check(play: Play) -> Shown:
    """A wrong tag of x becomes y times as wrong in x·y; the check must not tell by how much."""
    seen: list[IntArray] = []

    class Remembers(RecordingEngine):
        async def _tags_fit(self, log: IntArray, alpha: IntArray, *rest: IntArray) -> bool:
            seen.append(alpha)
            return await super()._tags_fit(log, alpha, *rest)

    y = 12345678901 + play.seed
    nodes: dict[int, Make] = {play.parties - 1: cheating(once(1, 0, WRONG_TAG), Remembers)}
    run = attempt(product, {"x": [3], "y": [y]}, play.parties, play.name, nodes=nodes)
    engine, alpha = run.engines[-1], seen[0]
    prime, difference = int(engine.prime), engine.raw[-1][0]
    guess = (difference * int(inverse(WRONG_TAG, prime)) - int(alpha[0])) * int(inverse(int(alpha[-1]), prime)) % prime
    return shown_of(run, f"secret read: y = {guess} from the aborted check" if guess == y else "")


async def barrier(engine: Engine) -> None:
    """Verify what was done so far."""
    if isinstance(engine, SharedEngine):
        await engine.verify()


async def two_products(engine: Engine) -> None:
    """The pool of `verify` is there when the products are made."""
    x = await engine.from_cipher("x", 2, 0, 0, 7)
    await barrier(engine)
    xx = await engine.mul(x, x)
    await barrier(engine)
    await engine.to_cipher("xx", xx)


PRODUCTS = 5
"""Number of the resharing that makes the products: after x, ρ·r, one random pair and the pool."""


def not_ready(honest: Any) -> Any:
    """Old rule: the coin is opened without waiting until everybody has received everything."""

    async def ready(self: SharedEngine, count: int) -> bytes:
        return hashlib.sha256(self.shares.opened.digest()).digest()

    return ready


@case("A71", "withholding a share until the coin is known", "D Absent",
      Defence("tacita.protocols.mpc.shared.SharedEngine._ready", not_ready, prevents=True),
      variants=("0", "1"))  # fmt: skip
def withheld(play: Play) -> Shown:
    """Three nodes: with node 2's share of the coin and its own, node 3 chooses errors that the check cancels."""
    secret = int(play.variant)
    nodes: dict[int, Make] = {2: withholding(PRODUCTS, RecordingEngine)}
    run = attempt(two_products, {"x": [2 + secret, 5]}, 3, play.name, nodes=nodes)
    wrong = run.ends[0] is None and run.outputs["xx"] != [(2 + secret) ** 2, 25]
    return shown_of(run, f"wrong output: squares {run.outputs['xx']}"[:80] if wrong else "")


async def by_secret_bit(engine: Engine) -> None:
    """x·y for a secret bit y."""
    x = await engine.from_cipher("x", 1, 0, 0, 7)
    y = await engine.from_cipher("y", 1, 0, 0, 1)
    await barrier(engine)
    await engine.to_cipher("xy", await engine.mul(x, y))


def product_after_the_coin(honest: Any) -> Any:
    """The first prototype: T = Σ α·t − r·Σ α·z, with the product made after the coin."""

    async def fit(self: Any, log: IntArray, alpha: IntArray, *_: IntArray) -> bool:
        z, t = log.dot(alpha) % self.prime
        value = z * self.one[1][0] + (self.after_coin(alpha) if hasattr(self, "after_coin") else 0)
        made = await self.shares.reshare(np.array([value], dtype=object))
        return bool((await self.shares.open((t - made) % self.prime))[0] == 0)

    return fit


class HidesTagError(RecordingEngine):
    """Changes the first tag of the session and cancels what comes of it, where something is multiplied later."""

    def before_reshare(self, products: IntArray) -> IntArray:
        """See RecordingEngine."""
        if len(self.reshared) == 1:
            products = products.copy()
            products[0] += WRONG_TAG * self._unweighted()
        return products

    def after_coin(self, alpha: IntArray) -> int:
        """What cancels the error, knowing α."""
        return int(alpha[0] * WRONG_TAG * self._unweighted())

    def _unweighted(self) -> int:
        return int(inverse(self.shares._degree_2t[self.shares.me], self.prime))


@case("A72", "cancelling a tag error after the coin", "D MacCheckFailed",
      Defence("tacita.protocols.mpc.shared.SharedEngine._tags_fit", product_after_the_coin,
              notices=lambda fits: not fits), accepts="D SuspectFault")  # fmt: skip
def selective(play: Play) -> Shown:
    """The session aborts or not by a secret bit; without the flaw it aborts at the same place in both worlds."""
    return both_worlds(play, by_secret_bit, HidesTagError, lambda bit: {"x": [3], "y": [bit]})


def both_worlds(play: Play, program: Any, cheater: Make, inputs: Callable[[int], Mapping[str, list[int]]]) -> Shown:
    """The same attack on secret bit 0 and 1."""
    runs = [attempt(program, inputs(bit), play.parties, play.name, nodes={play.parties - 1: cheater}) for bit in (0, 1)]
    ends = [(type(run.ends[0]).__name__, run.engines[0]._verified) for run in runs]
    told = f"secret read: the bit, from {ends[0][0]} or {ends[1][0]} in verification {ends[1][1]}"
    shown = shown_of(runs[0], told if ends[0] != ends[1] else "")
    if not shown.harm and runs[0].shape() != runs[1].shape():
        shown.problems = [*shown.problems, "the two worlds differ in what can be seen"]
    return shown


MANY = 200


async def compare(engine: Engine) -> None:
    """Two-bit operands: the factors of a comparison are (s + r − c) and (s − 1 + 3·(r ⊕ c)), with r one secret bit."""
    a = await engine.from_cipher("a", MANY, 0, -2, 1)
    await engine.to_cipher("negative", await engine.negative(a))


def parity_errors(engine: Any, number: int, length: int) -> dict[int, int]:
    """Right after the masked opening c: −2 and −6 make the product zero for just one value of r each."""
    if engine.values and engine.values[-1][0].kind == COMPARISON and not hasattr(engine, "guesses"):
        engine.guesses = [1 - (c & 1) for c in engine.values[-1][1]]
        return {k: 2 if c & 1 else -6 for k, c in enumerate(engine.values[-1][1])}
    return {}


def unverified_product(honest: Any) -> Any:
    """Old rule: a product behind a uniform factor needs no verification before it is opened."""

    async def open_(self: SharedEngine, a: IntArray, entry: Opening) -> IntArray:
        if entry.kind != BLINDED_PRODUCT:
            return await honest(self, a, entry)
        self.ledger.append(entry)
        return await self.shares.open(a)

    return open_


@case("A25", "selective failure of a comparison", "D MacCheckFailed",
      Defence("tacita.protocols.mpc.shared.SharedEngine.open", unverified_product),
      accepts="D SuspectFault")  # fmt: skip
def blinded(play: Play) -> Shown:
    a = [int(x) for x in np.random.default_rng(play.seed).integers(-2, 2, MANY)]
    run = attempt(compare, {"a": a}, play.parties, play.name, nodes={play.parties - 1: cheating(parity_errors)})
    cheater: Any = run.engines[-1]
    (masked,) = (values for entry, values in cheater.values if entry.kind == COMPARISON)
    blinded = [values for entry, values in cheater.values if entry.kind == BLINDED_PRODUCT]
    read = [k for k in range(MANY) if blinded and blinded[0][k] == 0]
    right = [k for k in read if a[k] % 2 == (masked[k] - cheater.guesses[k]) % 2]
    return shown_of(run, f"secret read: the parity of {len(right)} of {MANY} operands" if right else "")


async def shorten(engine: Engine) -> None:
    """One truncation of many values."""
    a = await engine.from_cipher("a", MANY, 0, -(1 << 30), 1 << 30)
    await engine.to_cipher("short", await engine.trunc(a, 4))


def eight_bits(honest: Any) -> Any:
    """Old rule: masks of eight bits above nothing."""
    return lambda self, count, bits, shift=0: honest(self, count, 8, shift)


@case("A26", "too little statistical masking", "P",
      Defence("tacita.protocols.mpc.sharing.Sharing.bounded", eight_bits, prevents=True))  # fmt: skip
def short_masks(play: Play) -> Shown:
    """Every node reads its own view: the opened value of a truncation minus the lift."""
    rng = np.random.default_rng(play.seed)
    a = [int(x) for x in rng.integers(-(1 << 30), 1 << 30, MANY)]
    run = attempt(shorten, {"a": a}, play.parties, play.name)
    (opened,) = (values for entry, values in run.engines[-1].values if entry.kind == TRUNCATION)
    ((width),) = (entry.width for entry, _ in run.engines[-1].values if entry.kind == TRUNCATION)
    close = sum(abs(c - (1 << (width - 1)) - x) < 1 << 12 for c, x in zip(opened, a, strict=True))
    return shown_of(run, f"secret read: {close} of {MANY} operands to 18 bits" if close else "")


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
    for number in range(1, len(right.engines[0].reshared) + 1):
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


# ---- masks and keys that come twice -----------------------------------------------------


def tried_again(play: Play, lines: str, journal: bool) -> tuple[Scene, dict[str, list[int]], Any]:
    """Two sessions that fail after outputs were opened behind masks; honest machines repeat their randomness.

    Returns the second scene, what was opened in the first, and its engine at node3, whose own masks are 0.
    """
    active, make, draw = [False], masks.make_masks, random_bits

    def making(setup: Any, session: bytes, node: str, entropy: Any) -> Any:
        active[0] = node == "node3"
        try:
            return make(setup, session, node, entropy)
        finally:
            active[0] = False

    play.patch.setattr(masks, "make_masks", making)
    play.patch.setattr(masks, "random_bits", lambda entropy, bits: 0 if active[0] else draw(entropy, bits))
    behaviour = Behaviour(rewrite=silence("openings"), engine=RecordingEngine)
    first = Scene(play.parties, play.name, behaviour=behaviour)
    first.run()
    engine: Any = first.engines["node3"]
    second = first if journal else Scene(play.parties, play.name, behaviour=behaviour)
    second.terms, second.inputs = a1(second.release, second.name, lines)
    second.run()
    return second, dict(engine.opened), engine


@case("A24", "using masks again after a failure", "R CallerMistake",
      Defence("tacita.protocols.session._Session._freeze_once"))  # fmt: skip
def masks_again(play: Play) -> Shown:
    """After the failure node3 comes with another bid; the honest machines were restored from a snapshot."""
    scene, before, _ = tried_again(play, CHANGED, journal=True)

    def difference(scene: Scene) -> str:
        later = scene.engines.get("node3")
        if later is None or not later.opened:
            return ""
        moved = {
            label: [x - y for x, y in zip(values, before[label], strict=True)] for label, values in later.opened.items()
        }
        small = {label: row for label, row in moved.items() if all(abs(x) < 1 << 40 for x in row)}
        told = next(iter(small.items()), None)
        return f"secret read: {told[0]} moves by {told[1]} units, and nothing was decrypted" if told else ""

    shown = judge_scene(scene, difference)
    shown.deviated = True
    return shown


def keys_without_session(honest: Any) -> Any:
    """Old rule: keys of the engine do not depend on the session."""
    return lambda me, session, *rest: honest(me, bytes(32), *rest)


@case("A88", "rolled back pools and counters", "P",
      Defence("tacita.protocols.stages.share.derive_keys", keys_without_session, prevents=True))  # fmt: skip
def rolled_back(play: Play) -> Shown:
    """Whole machines are rolled back, journal included: only the session id tells the second session from the first."""
    scene, _, first = tried_again(play, OTHER_LINES, journal=False)

    def difference(scene: Scene) -> str:
        second: Any = scene.engines["node3"]
        masked = [
            (entry.width, abs(x - y))
            for (entry, before), (_, after) in zip(first.values, second.values, strict=False)
            if entry.kind == TRUNCATION
            for x, y in zip(before, after, strict=True)
        ]
        bare = [x for width, x in masked if 0 < x < 1 << (width + 8)]
        return f"secret read: {len(bare)} differences of operands of truncations" if len(bare) > 3 else ""

    harm = difference(scene)
    return Shown("P", harm=harm)


# ---- what is computed -----------------------------------------------------


@case("A32", "regression over repeated sessions", "R CallerMistake",
      Defence("tacita.protocols.session._Session._freeze_once"))  # fmt: skip
def regression(play: Play) -> Shown:
    """Another bid of cat's each time: what it gets as a function of its bid is the others' supply curve."""
    scene = Scene(play.parties, play.name)
    answers: list[float] = []
    for n, value in enumerate((6.02311, 8.5, 10.5, 12.5)):
        lines = scene.lines.replace("cat,1,6.02311", f"cat,1,{value}")
        scene.terms, scene.inputs = a1(scene.release, scene.name, lines)
        # Another participant makes another auction id of it.
        if n:
            scene.terms, scene.inputs = a1(scene.release, scene.name, lines + f"\ndan{n},1,5,1,0,1")
        scene.differing = {name: {"entropy": SeededEntropy(f"{n}/{name}")} for name in scene.names}
        scene.run()
        answers += [result.outcome["allocation"]["cat"][0] for result in ended(scene)[:1]]
    told = ", ".join(f"{x:.4g}" for x in answers)
    shown = judge_scene(scene, lambda _: f"decided {len(answers)} times: cat gets {told}" if len(answers) > 1 else "")
    shown.deviated = True
    return shown


def any_field(honest: Any) -> Any:
    """Old rule: the field is as long as it is supported, whatever the program needs."""
    from tacita.protocols.mpc.demand import field_prime

    return lambda self: field_prime(128)


async def large(engine: Engine) -> None:
    """A product of bounds that no supported field holds."""
    a = await engine.from_cipher("a", 1, 0, -(1 << 100), 1 << 100)
    b = await engine.mul(a, a)
    await engine.to_cipher("y", await engine.mul(b, b))


@case("A31", "overflow of fixed-point numbers", "R CallerMistake",
      Defence("tacita.protocols.mpc.demand.Demand.prime", any_field))  # fmt: skip
def overflow(play: Play) -> Shown:
    """Every input at its bound; the exact result is known from plain integers."""
    return refused_before_anything(play, large, {"a": [-(1 << 100)]}, {"y": [1 << 400]})


def refused_before_anything(play: Play, program: Any, inputs: Any, right: Mapping[str, list[int]]) -> Shown:
    """Terms that cannot be computed are refused in the dry run."""
    import asyncio

    info = EngineInfo("attack", "abort", play.parties, (play.parties - 1) // 2)
    dry = DryRun(info)
    asyncio.run(program(dry))
    try:
        _ = dry.demand().prime
    except CallerMistake:
        return Shown("R CallerMistake")
    run = attempt(program, inputs, play.parties, play.name)
    wrong = run.ends[0] is not None or run.outputs != right
    got = run.outputs["y"][0] if "y" in run.outputs else run.ends[0]
    return shown_of(run, f"wrong output: {str(got)[:60]}" if wrong else "")


def no_statistics(honest: Any) -> Any:
    """Old rule: masks are as long as their operand and no longer."""
    return lambda self: 2


SAMPLES = 2000


@case("A73", "statistical parameter too small for the program", "P",
      Defence("tacita.protocols.mpc.demand.Demand.statistical_bits", no_statistics, prevents=True))  # fmt: skip
def few_bits(play: Play) -> Shown:
    """A zero and a 2^16, 2000 times each, behind the masks that the dry run prescribes."""

    async def program(engine: Engine) -> None:
        a = await engine.from_cipher("a", SAMPLES, 0, 0, 1 << 16)
        await engine.to_cipher("y", await engine.trunc(a, 4))

    largest: list[int] = []
    for value in (0, 1 << 16):
        run = attempt(program, {"a": [value] * SAMPLES}, play.parties, f"{play.name}/{value}")
        (opened,) = (values for entry, values in run.engines[-1].values if entry.kind == TRUNCATION)
        (width,) = (entry.width for entry, _ in run.engines[-1].values if entry.kind == TRUNCATION)
        largest.append(sum(opened) // SAMPLES - (1 << (width - 1)))
    # Two means of 2000 masks below B differ by about B/60; the operands differ by 2^16.
    difference = largest[1] - largest[0]
    told = f"secret read: the means of {SAMPLES} masked openings differ by {difference} for operands {1 << 16} apart"
    return shown_of(run, told if abs(difference - (1 << 16)) < 1 << 14 else "")
