"""Vectors of Shamir shares at one node: how they are dealt, multiplied, opened and drawn.

Linear operations are local. A product of two shares has degree 2t; `reshare` brings it back to t: every dealer shares
its product anew on a polynomial through t values that it has in common with t peers by pairwise keys, so only
m − 1 − t messages leave a dealer. No sharing of degree 2t is ever opened. Every opening goes to all nodes, and all m
shares must lie on one polynomial of degree t: with at most t wrong ones, a wrong value never passes. Randomness that
nobody knows comes from replicated keys (PRSS). Whatever a node sends in `reshare`, the result is the product plus an
error that this node chose without knowing the factors; `shared.SharedEngine` catches it by tags.
"""

import hashlib
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations
from typing import TypeVar

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from gmpy2 import mpz
from numpy.typing import NDArray

from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.integers import Integer, centered, inverse
from tacita.crypto.shamir import coefficients_at
from tacita.protocols.faults import InconsistentOpening
from tacita.protocols.mpc.demand import Demand
from tacita.protocols.mpc.engine import IntArray
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.slots import Slots, objects, unpack

T = TypeVar("T")


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


class Sharing:
    """One node's shares in one session. Vectors are one-dimensional arrays of field elements."""

    def __init__(self, runtime: SessionRuntime, demand: Demand, keys: EngineKeys) -> None:
        m, t = demand.info.parties, demand.info.corrupt_max
        self.prime = mpz(demand.prime)
        self.width = (demand.prime.bit_length() + 7) // 8
        self.me, self.m, self.t = runtime.pid, m, t
        self.peers = [j for j in range(m) if j != self.me]
        self.opened = hashlib.sha256()
        """Digest of every opening so far, equal at all honest nodes."""
        self._runtime, self._keys = runtime, keys
        p = int(self.prime)
        # A dealer's line has t + 1 terms; a node adds up at most 2t + 1 reduced shares times Δ.
        self._slots = Slots(p, 2 * m)

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
            mine = self._degree_2t[self.me] * self._unscale
            for j in targets:
                at_zero, *at_helpers = coefficients(points, j + 1, int(self._scale))
                self._lines[j] = [at_zero * mine % self.prime, *at_helpers]

    # ---- opening ----------------------------------------------------------------------------------------------

    async def open(self, a: IntArray) -> IntArray:
        """Send this node's shares to all, take all m, check that they lie on one polynomial, return the values."""
        slots, count = self._slots, len(a)
        received = await self._tell(self.encode(a), self.decode)
        shares = {j: slots.join(received[j] if j != self.me else a) for j in range(self.m)}
        first = [shares[i] for i in range(self.t + 1)]
        self._check_degree(shares, count)
        values = slots.split(slots.combine(self._recombine, first), count)
        self.opened.update(self.encode(values))
        return values

    def _check_degree(self, shares: Mapping[int, Integer], count: int) -> None:
        """All m shares of `count` values, joined in slots, lie on polynomials of degree t; or InconsistentOpening."""
        slots, first = self._slots, [shares[i] for i in range(self.t + 1)]
        for j, row in self._check.items():
            if any(slots.split(slots.combine([*row, -1], [*first, shares[j]]), count)):
                raise InconsistentOpening(self.suspects(), "the shares of an opening do not fit together; run again")

    async def agreed(self, ready: bytes) -> bool:
        """Tell all peers these 32 bytes, which say what this node has received and seen; whether all tell the same."""
        return set((await self._tell(ready, bytes)).values()) == {ready}

    async def _tell(self, data: bytes, read: Callable[[bytes], T]) -> dict[int, T]:
        """Send the same bytes to all peers and take as many from each."""
        self._runtime.step()
        peers = self.peers
        return await self._runtime.exchange(dict.fromkeys(peers, data), dict.fromkeys(peers, len(data)), read)

    @property
    def position(self) -> int:
        """The number of the current communication step: equal at all nodes that run the same program."""
        return int(self._runtime._program_counter[0])

    @property
    def bytes_sent(self) -> int:
        """Bytes of this session's engine to all peers."""
        return self._runtime.bytes_sent

    def suspects(self) -> tuple[str, ...]:
        """All other nodes: a failed check of the engine shows that somebody lied, never who."""
        return tuple(f"node {j + 1}" for j in self.peers)

    # ---- products ---------------------------------------------------------------------------------------------

    async def reshare(self, products: IntArray, zero_at: Collection[int] = ()) -> IntArray:
        """Degree 2t → t: nodes up to 2t deal λ_i times their product, every node adds up what it was dealt.

        `zero_at`: nodes that have nothing to deal, because the share of a factor is 0 there by construction.
        """
        step, count, slots = self._runtime.step(), len(products), self._slots
        shares: list[Integer] = []
        outgoing: dict[int, bytes] = {}
        dealers = [i for i in range(2 * self.t + 1) if i not in zero_at]
        if self.me in dealers:
            # Through Δ^{-1}·λ_i·product at 0 and a pseudorandom value at each helper; then times Δ everywhere.
            known = [slots.join(products % self.prime)]
            known += [self._pairwise(j, self.me, step, count) for j in self._helpers[self.me]]
            for target, line in self._lines.items():
                dealt = slots.combine(line, known)
                if target == self.me:
                    shares.append(dealt)  # not reduced: the sum is
                else:
                    outgoing[target] = self.encode(slots.split(dealt, count))
        others = [i for i in dealers if i != self.me]
        senders = [i for i in others if self.me not in self._helpers[i]]
        received = await self._runtime.exchange(outgoing, dict.fromkeys(senders, self.width * count), self.decode)
        shares += map(slots.join, received.values())
        shares += [self._scale * self._pairwise(i, i, step, count) for i in others if i not in received]
        return slots.split(slots.combine([1] * len(shares), shares), count)

    # ---- randomness -------------------------------------------------------------------------------------------

    def uniform(self, count: int) -> IntArray:
        """Shares of uniform field elements that nobody knows."""
        step = self._runtime.step()
        parts = [
            self._weights[s] * self._stream(k, f"uniform/{step}", count, 0) for s, k in self._keys.replicated.items()
        ]
        return np.asarray(total(parts) % self.prime)

    def bounded(self, count: int, bits: int, shift: int = 0) -> tuple[IntArray, IntArray]:
        """Shares of r = Σ_S r_S and of Σ_S (r_S >> shift), every r_S uniform below 2^bits."""
        step = self._runtime.step()
        whole = shifted = mpz(0)
        for subset, key in self._keys.replicated.items():
            values = self._stream(key, f"bounded/{step}", count, bits)
            whole = whole + self._weights[subset] * values
            shifted = shifted + self._weights[subset] * (values >> shift)
        return np.asarray(whole % self.prime), np.asarray(shifted % self.prime)

    async def deal_halves(self, count: int) -> tuple[IntArray, IntArray]:
        """For t = 1: shares of random ±1/2 that the first node alone knows and deals, and of random ±1 that all nodes
        but the first know, so that there its shares are 0. Replicated keys give both."""
        step, others, zero = self._runtime.step(), range(1, self.m), np.zeros(count, dtype=object)
        signs = {s: self._signs(key, f"signs/{step}", count) for s, key in self._keys.replicated.items()}
        if self.me:
            ((subset, minus),) = ((s, bits) for s, bits in signs.items() if 0 not in s)
            weight = self._weights[subset] % self.prime
            return await self.reshare(zero, others), np.where(minus, self.prime - weight, weight)
        half = inverse(2 * self._degree_2t[0], self.prime)  # over λ_0, by which a dealer multiplies
        minus = reduce(operator.xor, signs.values())  # of all its keys: every other node lacks one of them
        return await self.reshare(np.where(minus, self.prime - half, half), others), zero

    def _signs(self, key: bytes, label: str, count: int) -> NDArray[np.bool_]:
        """`count` pseudorandom bits."""
        bits = int(self._stream(key, label, 1, count)[0])
        packed = np.frombuffer(bits.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
        return np.unpackbits(packed, count=count, bitorder="little").astype(np.bool_)

    def _pairwise(self, peer: int, dealer: int, step: int, count: int) -> Integer:
        return self._slots.join(self._stream(self._keys.pairwise[peer], f"deal/{dealer}/{step}", count, 0))

    def _stream(self, key: bytes, label: str, count: int, bits: int) -> IntArray:
        """`count` pseudorandom integers below 2^bits; for bits = 0 field elements. The label holds the step.

        The prime is 2^k + c with c about k, so k uniform bits are a uniform field element up to a distance of c/2^k.
        """
        derived = hashlib.sha256(key + f"tacita/prf/{label}/{bits}/{count}".encode()).digest()
        return pseudorandom(derived, bits or self.prime.bit_length() - 1, count)

    # ---- codec ------------------------------------------------------------------------------------------------

    def encode(self, values: IntArray) -> bytes:
        """Values in [0, p) at fixed width."""
        return bytes(gmpy2.pack(list(values), 8 * self.width).to_bytes(self.width * len(values), "little"))

    def decode(self, data: bytes) -> IntArray:
        """The inverse of `encode`; raises InvalidEncoding for values outside the field."""
        values = _vector(data, 8 * self.width, len(data) // self.width)
        if len(values) and max(values) >= self.prime:
            raise InvalidEncoding("an engine message holds a value outside the field")
        return values


def pseudorandom(key: bytes, bits: int, count: int) -> IntArray:
    """`count` integers of `bits` bits from AES-128 in counter mode; 32 bytes of key and start value, used once."""
    cipher = Cipher(algorithms.AES(key[:16]), modes.CTR(key[16:]))
    return _vector(cipher.encryptor().update(bytes((bits * count + 7) // 8)), bits, count)


def total(vectors: Iterable[IntArray]) -> IntArray:
    """The sum of at least one vector; `sum` would begin with an addition to 0."""
    return reduce(operator.add, vectors)


def _vector(data: bytes, bits: int, count: int) -> IntArray:
    """`count` integers of `bits` bits each, the first one in the lowest bits of the first bytes."""
    return objects(unpack(mpz.from_bytes(data, "little"), bits, count))
