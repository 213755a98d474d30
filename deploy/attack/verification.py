"""A23, A25, A71, A72: what an active node gets from the engine's verification, run on small programs."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tacita.crypto.integers import inverse
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.cheaters import cheating, once, withholding
from tacita.deploy.attack.engines import Make, RecordingEngine, attempt
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.products import shown_of
from tacita.protocols.mpc.demand import BLINDED_PRODUCT, COMPARISON, Opening
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
