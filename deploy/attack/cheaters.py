"""Nodes that deviate, and engines that lack one defence: the same attack runs against both kinds of honest node.

A cheater adds an error to a product that it deals: all its later messages fit the wrong value, so only tags can show
it. `Withholding` also keeps back one sub-share until it knows the coin.
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
from gmpy2 import mpz

from tacita.crypto.integers import inverse
from tacita.deploy.attack.engines import Make, RecordingEngine
from tacita.protocols.mpc.demand import Opening
from tacita.protocols.mpc.engine import IntArray
from tacita.protocols.mpc.shared import COEFFICIENT_BITS
from tacita.protocols.mpc.sharing import pseudorandom

Errors = Callable[["RecordingEngine", int, int], Mapping[int, int]]
"""(engine, number of the resharing from 1, its length) → {position: error}."""


def cheating(errors: Errors, base: type[RecordingEngine] = RecordingEngine) -> Make:
    """A node that adds errors to the products it deals, consistently."""

    class Cheater(base):  # type: ignore[misc, valid-type]
        def before_reshare(self, products: IntArray) -> IntArray:
            changed = products.copy()
            for position, error in errors(self, len(self.reshared), len(products)).items():
                changed[position] += error * inverse(self.shares._degree_2t[self.shares.me], self.prime)
            return changed

    return Cheater


def once(number: int, position: int, error: int) -> Errors:
    """One error in one resharing."""
    return lambda engine, n, length: {position % length: error} if n == number else {}


# ---- engines without one defence --------------------------------------------------------------------------------


class NeverVerifies(RecordingEngine):
    """Tags are made and never looked at."""

    async def verify(self) -> None:
        self._log = []


def not_before(kind: str) -> type[RecordingEngine]:
    """An engine that does not verify before openings of this kind, but before all others."""

    class Careless(RecordingEngine):
        async def before_opening(self, entry: Opening) -> None:
            if entry.kind != kind:
                await super().before_opening(entry)

    return Careless


class NoDegreeCheck(RecordingEngine):
    """Takes the first t + 1 shares of every opening."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.shares._check = {}


class NotReady(RecordingEngine):
    """Opens the coin without waiting until everybody has received everything."""

    async def _ready(self, count: int) -> bytes:
        return hashlib.sha256(self.shares.opened.digest()).digest()


class OpensDifference(RecordingEngine):
    """Opens T = Σ α·t + [r·s] − w·[r] as it is, not times ρ: which hands over a secret."""

    alpha: IntArray
    difference: int

    async def _secrets(self) -> tuple[IntArray, IntArray, IntArray]:
        s = self.shares.uniform(1)
        return s, await self.shares.reshare(s * self.one[1]), np.zeros(3, dtype=object)

    async def _tags_fit(self, log: IntArray, alpha: IntArray, s: IntArray, rs: IntArray, spare: IntArray) -> bool:
        w = await self.shares.open((log[:1].dot(alpha) + s) % self.prime)
        opened = await self.shares.open((log[1:].dot(alpha) + rs - w * self.one[1]) % self.prime)
        self.alpha, self.difference = alpha, int(opened[0])
        return self.difference == 0


class MultipliesAfterCoin(RecordingEngine):
    """T = Σ α·t − r·Σ α·z with the product made after the coin: the first prototype."""

    async def _tags_fit(self, log: IntArray, alpha: IntArray, rho: IntArray, rho_r: IntArray, spare: IntArray) -> bool:
        z, t = log.dot(alpha) % self.prime
        product = await self.shares.reshare(np.array([z * self.one[1][0] + self.after_coin(alpha)], dtype=object))
        return bool((await self.shares.open((t - product) % self.prime))[0] == 0)

    def after_coin(self, alpha: IntArray) -> int:
        """What a cheater adds to its product, knowing α."""
        return 0


class HidesTagError(MultipliesAfterCoin):
    """Node 3 changes the first tag of the session by ERROR and cancels what comes of it while bit = 1."""

    ERROR = 987654321

    def before_reshare(self, products: IntArray) -> IntArray:
        if len(self.reshared) == 1:
            products = products.copy()
            products[0] += self.ERROR * self._unweighted()
        return products

    def after_coin(self, alpha: IntArray) -> int:
        return int(alpha[0] * self.ERROR * self._unweighted())

    def _unweighted(self) -> int:
        return int(inverse(self.shares._degree_2t[self.shares.me], self.prime))


def withholding(number: int, base: type[RecordingEngine]) -> Make:
    """Node 3 of three keeps back its sub-share of resharing `number` from node 1 until it knows the coin.

    From node 2's share of the coin and its own it computes α, and then adds the errors α_1, −α_0 to the first two
    products, which α cancels. With a ready round node 2 never opens the coin, and the cheater waits in vain.
    """

    class Withholding(base):  # type: ignore[misc, valid-type]
        held: tuple[int, bytes] | None = None
        knew_early = False

        def before_reshare(self, products: IntArray) -> IntArray:
            self._holding = len(self.reshared) == number
            return products

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            self._holding = False
            runtime = self.shares._runtime
            send = runtime._send_message

            def sends(peer: int, data: bytes) -> None:
                if peer == 0 and self._holding:
                    self.held, self._holding = (runtime._program_counter[0], data), False
                else:
                    send(peer, data)

            runtime._send_message = sends

        async def _coin(self, ready: bytes, count: int) -> IntArray:
            if self.held is None:
                return await super()._coin(ready, count)
            shares = self.shares
            runtime, mine = shares._runtime, shares.uniform(1)
            step = runtime.step()
            runtime._send_message(0, shares.encode(mine))
            runtime._send_message(1, shares.encode(mine))
            second = shares.decode((await runtime._receive_message(1))[0])
            # The line through points 2 and 3, at 0.
            coin = (3 * second - 2 * mine) % self.prime
            seed = hashlib.sha256(ready + shares.encode(coin)).digest()
            alpha = pseudorandom(seed, COEFFICIENT_BITS, count)
            first = runtime._receive_message(0)
            self.knew_early = not first.done()
            self._release([int(alpha[1]), -int(alpha[0])])
            await first
            assert step == runtime._program_counter[0]
            shares.opened.update(shares.encode(coin))
            return alpha

        def _release(self, errors: list[int]) -> None:
            """An error e at 0 whose line is 0 at node 2: e/2 at node 1, −e/2 here."""
            assert self.held is not None
            step, data = self.held
            dealt, half = self.shares.decode(data), inverse(mpz(2), self.prime)
            for k, error in enumerate(errors):
                dealt[k] = (dealt[k] + error * half) % self.prime
            self.errors = [-error * half for error in errors]
            self.shares._runtime.parties[0].protocol.send(step, self.shares.encode(dealt))

        async def _tags_fit(self, log: IntArray, *rest: IntArray) -> bool:
            if self.held is not None:
                self.held = None
                log = log.copy()
                for k, error in enumerate(self.errors):
                    log[0][k] += error
                    self.product[k] = (self.product[k] + error) % self.prime
            return bool(await super()._tags_fit(log, *rest))

        async def _reshare(self, products: IntArray) -> IntArray:
            result = await super()._reshare(products)
            if self.held is not None:
                self.product = result[0]
            return result

    return Withholding
