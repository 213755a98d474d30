"""SharedEngine: vectors as Shamir shares over a prime field, computed by m nodes, passively or with abort.

With `security = "abort"` every value x is a pair ([x], [r·x]), where r is one secret of the session that is never
opened. A product gives both rows in one resharing and is logged. `verify` checks everything logged so far with
random coefficients that nobody knew when the products were made; whoever changed a value would have had to change
its tag by r times as much. It runs before every opening but that of random squares: a wrong operand could be too
large for its mask. With `security = "passive"` there is one row, no log, and no such protection.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from gmpy2 import mpz, powmod_base_list

from tacita.protocols.faults import MachineFault, SuspectFault
from tacita.protocols.mpc import comparison
from tacita.protocols.mpc.demand import (
    OUTPUT,
    RANDOM_SQUARE,
    SIGN_CHECK,
    TRUNCATION,
    Demand,
    Opening,
    RandomDigits,
    signs_are_dealt,
)
from tacita.protocols.mpc.engine import Engine, EngineInfo, Index, IntArray, Secret
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.sharing import EngineKeys, Sharing, pseudorandom
from tacita.protocols.mpc.slots import objects

COEFFICIENT_BITS = 120
SPARES = 128
"""Masks of `verify` are made in blocks of this many."""


class SharedEngine(Engine):
    """One node's engine for one session.

    `inputs` and `masks` are this node's shares {label: integers} of the committed inputs and of Σ r_i for every
    output value, where r_i is node i's mask; `opened` collects b = a − lo + Σ r_i per output label, the only values
    that leave. A payload is an array of shape (rows, size): shares, and below them the shares of their tags.
    """

    def __init__(
        self,
        runtime: SessionRuntime,
        demand: Demand,
        keys: EngineKeys,
        inputs: Mapping[str, Sequence[int]],
        masks: Mapping[str, Sequence[int]],
    ) -> None:
        self.info = EngineInfo("mpyc-shamir", demand.info.security, demand.info.parties, demand.info.corrupt_max)
        self.shares = Sharing(runtime, demand, keys)
        self.prime = self.shares.prime
        self.term_bits = demand.statistical_bits - math.floor(math.log2(self.info.ulp))
        """k less log2 C(m, t): so many replicated terms add up to a mask of at most k + 1 bits above its operand."""
        self.clock: Callable[[], float] = lambda: 0.0
        """Whoever measures sets one: then `prepared_seconds` counts what is done independently of inputs."""
        self.prepared_seconds, self.prepared_bytes, self.digits_made, self.digits_used = 0.0, 0, 0, 0
        self.opened: dict[str, list[int]] = {}
        self.ledger: list[Opening] = []
        self._inputs, self._masks = inputs, masks
        self._blocks = {block.label: block for block in demand.outputs}
        self._pool = RandomDigits(demand.random_digits)
        self._digits: IntArray = np.zeros((2 if demand.info.security == "abort" else 1, 3, 0), dtype=object)
        self._log: list[IntArray] = []
        self._spares = np.zeros((3, 0), dtype=object)
        self._check: tuple[IntArray, IntArray] | None = None
        self._verified = 0
        one = objects([mpz(1)])
        self.authenticated = self.info.security == "abort"
        self.one: IntArray = np.stack([one, self.shares.uniform(1)]) if self.authenticated else one[None]
        """The public number 1 as a payload: ([1], [r])."""

    # ---- boundary ---------------------------------------------------------------------------------------------

    async def from_cipher(self, label: str, size: int, scale: int, lo: int, hi: int) -> Secret:
        shares = self._inputs[label]
        if len(shares) != size:
            raise MachineFault(f"this node holds {len(shares)} shares of '{label}' where {size} are needed")
        return Secret(self, await self.authenticate(objects([mpz(x) for x in shares])), size, scale, lo, hi)

    async def to_cipher(self, label: str, a: Secret) -> None:
        """Open b = a − lo + Σ r_i: uniform up to 2^−80 whatever a is."""
        mask = objects([mpz(x) for x in self._masks[label]])
        if len(mask) != a.size:
            raise MachineFault(f"this node holds {len(mask)} masks of '{label}' where {a.size} are needed")
        masked = (a.payload[0] - self._blocks[label].lo + mask) % self.prime
        values = await self.open(masked, Opening(OUTPUT, a.size, (a.hi - a.lo).bit_length()))
        self.opened[label] = [int(x) for x in values]

    # ---- local ------------------------------------------------------------------------------------------------

    def _public(self, values: IntArray) -> IntArray:
        return self.one * values % self.prime

    def _add(self, a: IntArray, b: IntArray) -> IntArray:
        return (a + b) % self.prime

    def _add_public(self, a: IntArray, values: IntArray) -> IntArray:
        return (a + self.one * values) % self.prime

    def _mul_public(self, a: IntArray, values: IntArray) -> IntArray:
        return a * values % self.prime

    def _take(self, a: IntArray, index: Index) -> IntArray:
        return a[:, index]

    def _concat(self, parts: list[IntArray]) -> IntArray:
        return np.concatenate(parts, axis=1)

    def _group_sum(self, a: IntArray, group: Index, count: int) -> IntArray:
        result = np.zeros((len(a), count), dtype=object)
        for row, values in zip(result, a, strict=True):
            np.add.at(row, group, values)
        return result % self.prime

    def _prefix_sum(self, a: IntArray, starts: Index) -> IntArray:
        running = np.cumsum(a, axis=1)
        return (running - running[:, starts] + a[:, starts]) % self.prime

    def _matvec(self, matrix: IntArray, a: IntArray) -> IntArray:
        return np.stack([matrix.dot(row) for row in a]) % self.prime

    # ---- with communication -----------------------------------------------------------------------------------

    async def _mul(self, a: IntArray, b: IntArray, lo: int, hi: int) -> IntArray:
        return await self.multiply(a, b)

    async def _dot(self, a: IntArray, b: IntArray, group: Index, count: int, lo: int, hi: int) -> IntArray:
        return await self._reshare(self._group_sum(a * b[0], group, count))

    async def _trunc(self, a: IntArray, bits: int, width: int) -> IntArray:
        """Open v + 2^s + r ≥ 0 with r = Σ r_S; subtract the shared Σ (r_S >> bits): no random bits needed."""
        mask, shifted = self.shares.bounded(a.shape[1], self.term_bits + width, bits)
        known = await self.authenticate(shifted)
        lift = 1 << max(width - 1, bits)  # a multiple of 2^bits
        opened = await self.open((a[0] + mask + lift) % self.prime, Opening(TRUNCATION, len(mask), width))
        offset = (lift >> bits) + self.info.ulp // 2
        return (self.one * ((opened >> bits) - offset) - known) % self.prime

    async def _negative(self, a: IntArray, width: int) -> IntArray:
        return await comparison.negative(self, a, width)

    async def _negative_part(self, a: IntArray, width: int, coarse: int) -> IntArray:
        return await comparison.negative_part(self, a, width, coarse)

    async def _is_zero(self, a: IntArray, width: int) -> IntArray:
        return await comparison.is_zero(self, a, width)

    async def multiply(self, a: IntArray, b: IntArray) -> IntArray:
        """The elementwise product of two payloads; of b only the shares are used, so b may have no tags."""
        return await self._reshare(a * b[0])

    async def _reshare(self, products: IntArray) -> IntArray:
        result = (await self.shares.reshare(products.reshape(-1))).reshape(products.shape)
        if self.authenticated:
            self._log.append(result)
        return result

    async def authenticate(self, plain: IntArray) -> IntArray:
        """A payload from shares that have no tags."""
        if not self.authenticated:
            return plain[None]
        tags = await self.shares.reshare(plain * self.one[1])
        payload = np.stack([plain, tags])
        self._log.append(payload)
        return payload

    async def open(self, a: IntArray, entry: Opening) -> IntArray:
        """Open a vector of shares and note it in the ledger; everything so far is verified first."""
        await self.before_opening(entry)
        self.ledger.append(entry)
        return await self.shares.open(a)

    async def before_opening(self, entry: Opening) -> None:
        """Verify everything so far, but for the square of a random element: it has met nothing private, and whoever
        adds an error to it learns what it would have learned without; `_check_halves` looks at it afterwards."""
        if entry.kind != RANDOM_SQUARE:
            await self.verify()

    # ---- verification -----------------------------------------------------------------------------------------

    async def verify(self) -> None:
        """Check every pair (z, t) logged since the last time: t = r·z. Raises SuspectFault if one is wrong.

        With random coefficients α, Σ α·z and Σ α·t are opened behind a mask each, and then ρ·(Σ α·t − r·Σ α·z) for a
        secret ρ: 0, or uniform and independent of everything. Without ρ a wrong tag would show the factor that it
        was multiplied by. α follows from a coin that no node helps to open before all nodes said that they had
        received everything that is being checked: a node that learned the coin first could still choose an error
        that the check cancels. For the same reason nothing is multiplied after the coin.
        """
        if not self._log:
            return
        rho, rho_r, spare = await self._secrets()
        z, t = np.concatenate(self._log, axis=1)
        self._log = []
        alpha = await self._coin(await self._ready(len(z)), len(z))
        if not await self._tags_fit(np.stack([z, t]), alpha, rho, rho_r, spare):
            raise SuspectFault(self.shares.suspects(), "a product was computed wrongly; run again")

    async def _ready(self, count: int) -> bytes:
        """Wait until every node says that it has all messages so far and opened the same values; a digest of that."""
        shares = self.shares
        self._verified += 1
        summary = f"tacita/ready/{self._verified}/{shares.position}/{count}/".encode() + shares.opened.digest()
        ready = hashlib.sha256(summary).digest()
        if not await shares.agreed(ready):
            raise SuspectFault(shares.suspects(), "the nodes do not agree on what was opened so far; run again")
        return ready

    async def _coin(self, ready: bytes, count: int) -> IntArray:
        """The coefficients α, from a random value that is opened now."""
        coin = await self.shares.open(self.shares.uniform(1))
        return pseudorandom(hashlib.sha256(ready + self.shares.encode(coin)).digest(), COEFFICIENT_BITS, count)

    async def _tags_fit(self, log: IntArray, alpha: IntArray, rho: IntArray, rho_r: IntArray, spare: IntArray) -> bool:
        """Open w = Σ α·z + s and u = Σ α·t + s', then u·ρ − w·ρr + (s·ρr − s'·ρ) = ρ·(Σ α·t − r·Σ α·z)."""
        w, u = await self.shares.open((log.dot(alpha) + spare[:2]) % self.prime)
        return bool((await self.shares.open((u * rho - w * rho_r + spare[2]) % self.prime))[0] == 0)

    async def _secrets(self) -> tuple[IntArray, IntArray, IntArray]:
        """[ρ], [ρ·r] and one fresh ([s], [s'], [s·ρr − s'·ρ]), all made before the coin of the verification."""
        uniform, reshare = self.shares.uniform, self.shares.reshare
        if self._check is None:
            rho = uniform(1)
            self._check = rho, await reshare(rho * self.one[1])
            # The first verification covers a value that nobody knows: a wrong ρ·r fails it whatever the data are.
            await self.authenticate(uniform(1))
        rho, rho_r = self._check
        if self._spares.shape[1] == 0:
            s, other = uniform(SPARES), uniform(SPARES)
            self._spares = np.stack([s, other, await reshare(s * rho_r - other * rho)])
        spare, self._spares = self._spares[:, 0], self._spares[:, 1:]
        return rho, rho_r, spare

    # ---- random digits ----------------------------------------------------------------------------------------

    async def random_digits(self, count: int) -> IntArray:
        """Random digits x + 2y as payloads (rows, 3, count) of x, y and x·y, not reduced modulo p, from the pool, which
        grows in blocks up to what the program demands."""
        begun, sent = self.clock(), self.shares.bytes_sent
        made = [await self._make_digits(block) for block in self._pool.take(count)]
        self.prepared_seconds += self.clock() - begun
        self.prepared_bytes += self.shares.bytes_sent - sent
        self.digits_made += sum(block.shape[2] for block in made)
        self.digits_used += count
        pool = np.concatenate([self._digits, *made], axis=2)
        self._digits = pool[:, :, count:].copy()  # a view would keep the digits that are used up
        return pool[:, :, :count]

    async def _make_digits(self, count: int) -> IntArray:
        """Bits h + 1/2 for random h = ±1/2, and their products, checked before one of them meets anything private."""
        make = self._dealt_halves if signs_are_dealt(self.info) else self._square_roots
        halves, first, rest = await make(2 * count)
        bits = halves + self.one * ((self.prime + 1) // 2)
        x, y = bits[:, :count], bits[:, count:]
        both = await self.multiply(x, y)
        if self.authenticated:
            await self._check_halves(halves, first, rest)
        return np.stack([x, y, both], axis=1)

    async def _dealt_halves(self, count: int) -> tuple[IntArray, IntArray, IntArray]:
        """h = a·b with a = ±1/2 that the first node alone knows and b = ±1 that all others know: (h, a, b)."""
        first, rest = await self.shares.deal_halves(count)
        return await self.authenticate(await self.shares.reshare(first * rest, (0,))), first, rest

    async def _square_roots(self, count: int) -> tuple[IntArray, IntArray, IntArray]:
        """u uniform, c = u² opened: h = u·c^((p−3)/4)/2 is ±1/2 and nobody knows which, for p = 3 mod 4: (h, 0, 0)."""
        u, p = self.shares.uniform(count), self.prime
        squares = await self.open(await self.shares.reshare(u * u), Opening(RANDOM_SQUARE, count, 0))
        if not all(squares):
            raise MachineFault("a random field element was zero; run again")  # once in 2^150 draws
        halves = u * ((p + 1) // 2) * objects(powmod_base_list(list(squares), (p - 3) // 4, p)) % p
        nothing: IntArray = np.zeros(count, dtype=object)
        return await self.authenticate(halves), nothing, nothing

    async def _check_halves(self, halves: IntArray, first: IntArray, rest: IntArray) -> None:
        """Σ α·(h·b − a + γ·(h² − 1/4)) = 0 for coefficients α and γ that nobody knew when the halves were made.

        h·b = a with b = ±1 says that h is the product that it should be, whatever its factors are: an error that passes
        for one sign of h and fails for the other would tell it. h² = 1/4 says that a is ±1/2, or that no square was
        opened with an error. The sum of the products is made after the coin. An error that cancels the rest would need
        one of r times as much in its tag, and `verify`, before the opening, compares the two under a coin of its own.
        """
        count = halves.shape[1] + 1
        gamma, *others = await self._coin(await self._ready(count), count)
        alpha = objects(others)
        factor = (rest + gamma * halves[0]) * alpha
        products = await self._reshare(np.stack([row.dot(factor) for row in halves])[:, None])
        quarter = ((self.prime + 1) // 2) ** 2
        difference = products[0] - first.dot(alpha) - gamma * quarter * alpha.sum()
        if any(await self.open(difference % self.prime, Opening(SIGN_CHECK, 1, 0))):
            raise SuspectFault(self.shares.suspects(), "a random bit was made wrongly; run again")
