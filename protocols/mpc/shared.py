"""SharedEngine: vectors as Shamir shares of degree t over a prime field, computed by m nodes.

Linear operations are local. A product of two shares has degree 2t; `_reshare` brings it back to t: every dealer
shares its product anew on a polynomial through t values that it has in common with t peers by pairwise keys, so only
m − 1 − t messages leave a dealer. No sharing of degree 2t is ever opened. Every opening goes to all nodes and must
lie on one polynomial of degree t. Randomness that nobody knows comes from replicated keys (PRSS) and from bits that
t nodes deal. Kernels are secure against passive corruption of t < m/2 nodes; the checks of openings catch faults,
not all attacks.
"""

import hashlib
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from gmpy2 import mpz

from tacita.crypto.entropy import Entropy
from tacita.crypto.integers import Integer, centered, inverse
from tacita.crypto.shamir import coefficients_at, share
from tacita.protocols.faults import InconsistentOpening, MachineFault
from tacita.protocols.mpc import comparison
from tacita.protocols.mpc.demand import OUTPUT, TRUNCATION, Demand, Opening
from tacita.protocols.mpc.engine import Engine, EngineInfo, Index, IntArray, Secret
from tacita.protocols.mpc.runtime import SessionRuntime

BIT_BLOCK = 1 << 14
"""Random bits are made in blocks of this many."""


@dataclass(frozen=True)
class EngineKeys:
    """Keys of one session of one node, 32 bytes each."""

    replicated: Mapping[tuple[int, ...], bytes] = field(repr=False)
    """PRSS: one per subset of m − t nodes (0-based, sorted) that this node is in."""
    pairwise: Mapping[int, bytes] = field(repr=False)
    """One per peer."""


def replicated_subsets(parties: int, threshold: int) -> list[tuple[int, ...]]:
    """The subsets of m − t nodes that share a PRSS key."""
    return list(combinations(range(parties), parties - threshold))


class SharedEngine(Engine):
    """One node's engine for one session.

    `inputs` are this node's shares {label: integers}; `masks` are the r_i of this node for every output value
    {label: integers}; `opened` collects b = a − lo + Σ r_i per output label, the only values that leave.
    """

    def __init__(
        self,
        runtime: SessionRuntime,
        demand: Demand,
        keys: EngineKeys,
        inputs: Mapping[str, Sequence[int]],
        masks: Mapping[str, Sequence[int]],
        entropy: Entropy,
    ) -> None:
        m, t = demand.info.parties, demand.info.corrupt_max
        self.info = EngineInfo("mpyc-shamir", "passive", m, t)
        self.prime = mpz(demand.prime)
        self.term_bits = demand.statistical_bits - math.floor(math.log2(self.info.ulp))
        """k less log2 C(m, t): so many replicated terms add up to a mask of at most k + 1 bits above its operand."""
        self.width = (demand.prime.bit_length() + 7) // 8
        self.me, self.m, self.t = runtime.pid, m, t
        self.opened: dict[str, list[int]] = {}
        self.ledger: list[Opening] = []
        self._runtime, self._keys, self._inputs, self._masks, self._entropy = runtime, keys, inputs, masks, entropy
        self._blocks = {block.label: block for block in demand.outputs}
        self._bits_left, self._bits = demand.random_bits, np.zeros(0, dtype=object)
        p = int(self.prime)

        def coefficients(points: Sequence[int], at: int, factor: int = 1) -> list[Integer]:
            # Small numbers between few points; their centred form keeps products short.
            return [mpz(centered(factor * x % p, p)) for x in coefficients_at(points, at, p)]

        outside = {s: [j + 1 for j in range(m) if j not in s] for s in keys.replicated}
        self._weights = {s: coefficients([0, *out], self.me + 1)[0] for s, out in outside.items()}
        self._recombine = coefficients(range(1, t + 2), 0)
        self._check = {j: coefficients(range(1, t + 2), j + 1) for j in range(t + 1, m)}
        self._degree_2t = coefficients(range(1, 2 * t + 2), 0)
        self._helpers = {i: [(i - 1 - k) % m for k in range(t)] for i in range(2 * t + 1)}
        self._scale = mpz(math.factorial(m))
        """Δ = m! clears the denominators of dealt polynomials: only their value at 0 is ever divided by it."""
        self._unscale = inverse(self._scale, self.prime)
        self._lines: dict[int, list[Integer]] = {}
        if self.me <= 2 * t:
            points = [0] + [j + 1 for j in self._helpers[self.me]]
            targets = [j for j in range(m) if j not in self._helpers[self.me]]
            self._lines = {j: coefficients(points, j + 1, int(self._scale)) for j in targets}

    # ---- boundary ---------------------------------------------------------------------------------------------

    async def from_cipher(self, label: str, size: int, scale: int, lo: int, hi: int) -> Secret:
        shares = self._vector(self._inputs[label])
        if len(shares) != size:
            raise MachineFault(f"this node holds {len(shares)} shares of '{label}' where {size} are needed")
        return Secret(self, shares, size, scale, lo, hi)

    async def to_cipher(self, label: str, a: Secret) -> None:
        """Share every node's mask r_i, then open b = a − lo + Σ r_i: uniform up to 2^−80 whatever a is."""
        lo, masks = self._blocks[label].lo, self._masks[label]
        p, m, t = int(self.prime), self.m, self.t
        dealt = [share(int(r), p, t, m, self._entropy) for r in masks]
        total = self._vector([row[self.me] for row in dealt])
        self._runtime.step()
        size = self.width * a.size
        peers = [j for j in range(m) if j != self.me]
        outgoing = {j: self._encode([row[j] for row in dealt]) for j in peers}
        for data in (await self._runtime.exchange(outgoing, dict.fromkeys(peers, size))).values():
            total = (total + self._decode(data)) % self.prime
        shifted = self._add_public(a.payload, np.full(a.size, -lo, dtype=object))
        values = await self.open(self._add(shifted, total), Opening(OUTPUT, a.size, (a.hi - lo).bit_length()))
        self.opened[label] = [int(x) for x in values]

    # ---- local ------------------------------------------------------------------------------------------------

    def _public(self, values: IntArray) -> IntArray:
        return values % self.prime

    def _add(self, a: IntArray, b: IntArray) -> IntArray:
        return (a + b) % self.prime

    def _add_public(self, a: IntArray, values: IntArray) -> IntArray:
        return (a + values) % self.prime

    def _mul_public(self, a: IntArray, values: IntArray) -> IntArray:
        return a * values % self.prime

    def _take(self, a: IntArray, index: Index) -> IntArray:
        return a[index]

    def _concat(self, parts: list[IntArray]) -> IntArray:
        return np.concatenate(parts)

    def _group_sum(self, a: IntArray, group: Index, count: int) -> IntArray:
        result = np.zeros(count, dtype=object)
        np.add.at(result, group, a)
        return result % self.prime

    def _prefix_sum(self, a: IntArray, starts: Index) -> IntArray:
        running = np.cumsum(a)
        return (running - running[starts] + a[starts]) % self.prime

    def _matvec(self, matrix: IntArray, a: IntArray) -> IntArray:
        return np.asarray(matrix.dot(a)) % self.prime

    # ---- with communication -----------------------------------------------------------------------------------

    async def _mul(self, a: IntArray, b: IntArray, lo: int, hi: int) -> IntArray:
        return await self.multiply(a, b)

    async def _dot(self, a: IntArray, b: IntArray, group: Index, count: int, lo: int, hi: int) -> IntArray:
        return await self._reshare(self._group_sum(a * b, group, count))

    async def _trunc(self, a: IntArray, bits: int, width: int) -> IntArray:
        """Open v + 2^s + r ≥ 0 with r = Σ r_S; subtract the shared Σ (r_S >> bits): no random bits needed."""
        mask, shifted = self.bounded(len(a), self.term_bits + width, bits)
        lift = 1 << max(width - 1, bits)  # a multiple of 2^bits
        opened = await self.open((a + mask + lift) % self.prime, Opening(TRUNCATION, len(a), width))
        offset = (lift >> bits) + self.info.ulp // 2
        return ((opened >> bits) - shifted - offset) % self.prime

    async def _negative(self, a: IntArray, width: int) -> IntArray:
        return await comparison.negative(self, a, width)

    async def _is_zero(self, a: IntArray, width: int) -> IntArray:
        return await comparison.is_zero(self, a, width)

    async def multiply(self, a: IntArray, b: IntArray) -> IntArray:
        """Shares of the elementwise product."""
        return await self._reshare(a * b)

    async def open(self, a: IntArray, entry: Opening) -> IntArray:
        """Send this node's shares to all, take all m, check that they lie on one polynomial, return the values."""
        self.ledger.append(entry)
        self._runtime.step()
        data, peers = self._encode(a), [j for j in range(self.m) if j != self.me]
        received = await self._runtime.exchange(dict.fromkeys(peers, data), dict.fromkeys(peers, len(data)))
        shares = {j: self._decode(received[j]) if j != self.me else a for j in range(self.m)}
        for j, row in self._check.items():
            if np.any(_sum(c * shares[i] for i, c in enumerate(row)) % self.prime != shares[j] % self.prime):
                suspects = tuple(f"node {k + 1}" for k in peers)
                raise InconsistentOpening(suspects, "the shares of an opening do not fit together; run again")
        return np.asarray(_sum(c * shares[i] for i, c in enumerate(self._recombine)) % self.prime)

    async def _reshare(self, products: IntArray, first: int = 0) -> IntArray:
        """Degree 2t → t: nodes up to 2t deal λ_i times their product, every node adds up what it was dealt.

        The products of nodes before `first` are known to be zero: these deal nothing.
        """
        dealers, value = range(first, 2 * self.t + 1), None
        if self.me in dealers:
            value = products * (self._degree_2t[self.me] * self._unscale % self.prime) % self.prime
        return np.asarray(_sum(await self._deal(dealers, value, len(products))) % self.prime)

    async def _deal(self, dealers: Sequence[int], value: IntArray | None, count: int) -> list[IntArray]:
        """This node's share of what each dealer shares; `value` is Δ^{-1} times this node's own vector.

        A dealer's polynomial passes through its vector at 0 and, at each of its t helpers, through Δ times a
        pseudorandom value that both know; the other m − 1 − t nodes get their share from the dealer.
        """
        step, mine, outgoing = self._runtime.step(), None, {}
        if value is not None:
            known = [value] + [self._pairwise(j, self.me, step, count) for j in self._helpers[self.me]]
            for target, line in self._lines.items():
                dealt = _sum(c * v for c, v in zip(line, known, strict=True))
                if target == self.me:
                    mine = dealt
                else:
                    outgoing[target] = self._encode(dealt % self.prime)
        senders = [i for i in dealers if i != self.me and self.me not in self._helpers[i]]
        received = await self._runtime.exchange(outgoing, dict.fromkeys(senders, self.width * count))
        shares: list[IntArray] = []
        for i in dealers:
            if i in received:
                shares.append(self._decode(received[i]))
            else:
                shares.append(mine if i == self.me else self._scale * self._pairwise(i, i, step, count))
        return shares

    # ---- randomness -------------------------------------------------------------------------------------------

    def uniform(self, count: int) -> IntArray:
        """Shares of uniform field elements that nobody knows."""
        step = self._runtime.step()
        parts = [
            self._weights[s] * self._stream(k, f"uniform/{step}", count, 0) for s, k in self._keys.replicated.items()
        ]
        return np.asarray(_sum(parts) % self.prime)

    def bounded(self, count: int, bits: int, shift: int = 0) -> tuple[IntArray, IntArray]:
        """Shares of r = Σ_S r_S and of Σ_S (r_S >> shift), every r_S uniform below 2^bits."""
        step = self._runtime.step()
        whole = shifted = mpz(0)
        for subset, key in self._keys.replicated.items():
            values = self._stream(key, f"bounded/{step}", count, bits)
            whole = whole + self._weights[subset] * values
            shifted = shifted + self._weights[subset] * (values >> shift)
        return np.asarray(whole % self.prime), np.asarray(shifted % self.prime)

    async def random_bits(self, count: int) -> IntArray:
        """Shares of uniform bits from the pool, which grows in blocks up to what the program demands."""
        parts = [self._bits]
        while sum(len(part) for part in parts) < count:
            block = min(self._bits_left, BIT_BLOCK)
            if block == 0:
                raise AssertionError("the program uses more random bits than its dry run announced")
            self._bits_left -= block
            parts.append(await self._make_bits(block))
        pool = np.concatenate(parts)
        self._bits = pool[count:].copy()  # a view would keep the bits that are used up
        return pool[:count]

    async def _make_bits(self, count: int) -> IntArray:
        """b_S ⊕ b_0 ⊕ … ⊕ b_{t−1}: nodes 0 to t − 1 deal a bit of their own, b_S comes from the replicated key of all
        other nodes S. Whichever t nodes pool what they know, one of these bits is missing."""
        t, step = self.t, self._runtime.step()
        others = tuple(range(t, self.m))
        bits = np.zeros(count, dtype=object)
        if others in self._weights:
            bits = self._weights[others] * self._stream(self._keys.replicated[others], f"bits/{step}", count, 1)
        own = None
        if self.me < t:
            drawn = np.frombuffer(self._entropy.token((count + 7) // 8), dtype=np.uint8)
            own = np.unpackbits(drawn)[:count].astype(object) * self._unscale
        for k, dealt in enumerate(await self._deal(range(t), own, count)):
            # At first `bits` has no share at nodes below t, so neither has the product.
            product = await self._reshare(bits * dealt, first=0 if k else t)
            bits = (bits + dealt - 2 * product) % self.prime
        return bits

    def _pairwise(self, peer: int, dealer: int, step: int, count: int) -> IntArray:
        return self._stream(self._keys.pairwise[peer], f"deal/{dealer}/{step}", count, 0)

    def _stream(self, key: bytes, label: str, count: int, bits: int) -> IntArray:
        """`count` pseudorandom integers below 2^bits; for bits = 0 field elements. The label holds the step.

        The prime is 2^k + c with c about k, so k uniform bits are a uniform field element up to a distance of c/2^k.
        """
        derived = hashlib.sha256(key + f"tacita/prf/{label}/{bits}/{count}".encode()).digest()
        size = bits or self.prime.bit_length() - 1
        cipher = Cipher(algorithms.AES(derived[:16]), modes.CTR(derived[16:]))
        data = cipher.encryptor().update(bytes((size * count + 7) // 8))
        return _unpack(data, size, count)

    # ---- codec ------------------------------------------------------------------------------------------------

    def _vector(self, values: Sequence[int]) -> IntArray:
        return _objects([mpz(x) for x in values])

    def _encode(self, values: Sequence[Integer] | IntArray) -> bytes:
        """Values in [0, p) at fixed width."""
        return bytes(gmpy2.pack(list(values), 8 * self.width).to_bytes(self.width * len(values), "little"))

    def _decode(self, data: bytes) -> IntArray:
        values = _unpack(data, 8 * self.width, len(data) // self.width)
        if len(values) and max(values) >= self.prime:
            raise MachineFault("an engine message holds a value outside the field; the session ends")
        return values


def _sum(vectors: Iterable[IntArray]) -> IntArray:
    """The sum of at least one vector; `sum` would begin with an addition to 0."""
    return reduce(operator.add, vectors)


def _unpack(data: bytes, bits: int, count: int) -> IntArray:
    """`count` integers of `bits` bits each, the first one in the lowest bits of the first bytes."""
    values = gmpy2.unpack(mpz.from_bytes(data, "little"), bits)[:count]
    return _objects(values + [mpz(0)] * (count - len(values)))  # leading zeros of the whole are not unpacked


def _objects(values: Sequence[Integer]) -> IntArray:
    """A vector of big integers; np.array would inspect every element and takes five times as long."""
    return np.fromiter(values, dtype=object, count=len(values))
