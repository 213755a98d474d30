"""A23, A25, A71, A72: what an active node gets from the engine's verification, run on small programs."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tacita.crypto.integers import inverse
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.cheaters import cheating, once, withholding
from tacita.deploy.attack.engines import Make, RecordingEngine, Run, attempt
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.products import shown_of
from tacita.protocols.mpc.demand import COMPARISON
from tacita.protocols.mpc.engine import Engine, IntArray
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.mpc.slots import objects

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


OPERANDS, TRIES = 4, 12
HALVES = 2
"""Number of the resharing that makes random signs: after that of the input's tags."""


async def compare(engine: Engine) -> None:
    """All random digits are made in one block, the first ones are the lowest of the masks."""
    a = await engine.from_cipher("a", OPERANDS, 0, -8, 7)
    await engine.to_cipher("negative", await engine.negative(a))


def signs_only(honest: Any) -> Any:
    """Old rule: a product of signs is checked to be a sign, Σ α·(h² − 1/4) = 0."""

    async def check(self: SharedEngine, halves: IntArray, first: IntArray, rest: IntArray) -> None:
        await honest(self, halves, 0 * first, 0 * rest)

    return check


def lowest_bit(run: Run) -> int:
    """Of the first operand, when the cheater knows that the lowest bit of its mask is 0."""
    (masked,) = (values for entry, values in run.engines[-1].values if entry.kind == COMPARISON)
    return masked[0] % 2


@case("A25", "selective failure of a random bit", "D MacCheckFailed",
      Defence("tacita.protocols.mpc.shared.SharedEngine._check_halves", signs_only),
      accepts="D SuspectFault")  # fmt: skip
def selected(play: Play) -> Shown:
    """Three nodes: with −1 on top a half stays ±1/2 only if it was 1/2. If nobody stops, the bit is known."""
    a = [int(x) for x in np.random.default_rng(play.seed).integers(-8, 8, OPERANDS)]
    liar, shapes, told = cheating(once(HALVES, 0, -1)), set(), ""
    for n in range(TRIES):
        run = attempt(compare, {"a": a}, 3, f"{play.name} {n}", nodes={2: liar})
        if run.ends[0] is None:
            told = "secret read: the parity of an operand" if lowest_bit(run) == a[0] % 2 else ""
            break
        shapes.add(run.shape())
    shown = shown_of(run, told)
    if not told and len(shapes) > 1:
        shown.problems = [*shown.problems, "where the session ends depends on a secret bit"]
    return shown
