"""The engine that policies compute with.

A policy sees vectors of bounded integers with a public scale: `Secret`. It never sees a prime, a share or a field
element, and it calls the same operations in the same order at every node. Every operation carries the public
interval of its result along; an operand that could leave what its mask hides is refused before anything is sent.

Local: +, −, times a public integer, indexing, `concat`, `group_sum`, `matvec`. With communication: `mul`, `dot`,
`trunc`, `less`, `is_zero`, `select`, `clip`, `minimum`. Only `to_cipher` lets a value out, as a ciphertext that the
nodes decrypt after they have signed the ticket; no operation opens a value in the clear.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH_BITS = 1 << 15
"""Values times bits that are compared at once."""
Payload = Any
Index = NDArray[np.int64]
IntArray = Any
"""One-dimensional numpy array of dtype object that holds Python integers; numpy types its arithmetic as Any."""


def fixed(value: Any, scale: int) -> IntArray:
    """Round real numbers to integers at `scale` fractional bits, as a vector."""
    flat = np.atleast_1d(np.asarray(value, dtype=object)).reshape(-1)
    return np.fromiter((round(x * (1 << scale)) for x in flat), dtype=object, count=len(flat))


@dataclass(frozen=True)
class EngineInfo:
    """What a policy and a certificate may know about the engine."""

    name: str
    security: str
    """"passive" or "abort": the same two words in terms, outcome and certificate."""
    parties: int
    corrupt_max: int

    @property
    def ulp(self) -> int:
        """Truncation is exact up to this many units: C(m, t) replicated masks each lose a fraction."""
        return math.comb(self.parties, self.corrupt_max)


class Secret:
    """An opaque vector: value_i = integer_i / 2^scale, lo ≤ integer_i ≤ hi, all three public."""

    __slots__ = ("engine", "hi", "lo", "payload", "scale", "size")
    __array_ufunc__ = None  # so that `array - secret` reaches __rsub__ instead of numpy's broadcasting

    def __init__(self, engine: "Engine", payload: Payload, size: int, scale: int, lo: int, hi: int) -> None:
        self.engine, self.payload, self.size, self.scale = engine, payload, size, scale
        self.lo, self.hi = int(lo), int(hi)

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"Secret(size={self.size}, scale={self.scale}, lo={self.lo}, hi={self.hi})"

    def __add__(self, other: "Secret | int | IntArray") -> "Secret":
        return self.engine.add(self, other)

    def __sub__(self, other: "Secret | int | IntArray") -> "Secret":
        return self.engine.add(self, -other)

    def __rsub__(self, other: "int | IntArray") -> "Secret":
        return self.engine.add(-self, other)

    __radd__ = __add__

    def __neg__(self) -> "Secret":
        return self * -1

    def __mul__(self, factor: "int | IntArray") -> "Secret":
        """Times public integers; the scale stays."""
        return self.engine.mul_public(self, factor)

    __rmul__ = __mul__

    def times(self, factor: "int | IntArray", scale: int) -> "Secret":
        """Times public integers that stand for reals at `scale`; the scales add up."""
        product = self.engine.mul_public(self, factor)
        return product.as_scale(self.scale + scale)

    def halved(self) -> "Secret":
        """Half of every value, exactly: one more fractional bit."""
        return self.as_scale(self.scale + 1)

    def __getitem__(self, index: "Index | slice | Sequence[int]") -> "Secret":
        return self.engine.take(self, index)

    def rescaled(self, scale: int) -> "Secret":
        """The same values at a larger scale (exact)."""
        if scale < self.scale:
            raise ValueError("a smaller scale needs trunc")
        shifted = self * (1 << (scale - self.scale))
        return Secret(self.engine, shifted.payload, self.size, scale, shifted.lo, shifted.hi)

    def as_scale(self, scale: int) -> "Secret":
        """The same integers read at another scale: multiplication by a power of two."""
        return Secret(self.engine, self.payload, self.size, scale, self.lo, self.hi)


class Engine(ABC):
    """Interval arithmetic once, for every engine; subclasses supply the underscore operations on payloads."""

    info: EngineInfo

    # ---- local operations -------------------------------------------------------------------------------------

    def add(self, a: Secret, b: "Secret | int | IntArray") -> Secret:
        """Elementwise sum; a public operand is given as integers at a's scale."""
        if isinstance(b, Secret):
            if a.scale != b.scale or a.size != b.size:
                raise ValueError(f"cannot add {a!r} and {b!r}")
            return Secret(self, self._add(a.payload, b.payload), a.size, a.scale, a.lo + b.lo, a.hi + b.hi)
        vector = _vector(b, a.size)
        if a.size == 0:
            return a
        payload = self._add_public(a.payload, vector)
        return Secret(self, payload, a.size, a.scale, a.lo + min(vector), a.hi + max(vector))

    def mul_public(self, a: Secret, factor: "int | IntArray") -> Secret:
        """Elementwise product with public integers; the scale stays."""
        vector = _vector(factor, a.size)
        if a.size == 0:
            return a
        ends = [int(f) * x for f in (min(vector), max(vector)) for x in (a.lo, a.hi)]
        return Secret(self, self._mul_public(a.payload, vector), a.size, a.scale, min(ends), max(ends))

    def take(self, a: Secret, index: "Index | slice | Sequence[int]") -> Secret:
        """Select and repeat elements by public positions."""
        positions = np.arange(a.size)[index]
        return Secret(self, self._take(a.payload, positions), len(positions), a.scale, a.lo, a.hi)

    def concat(self, parts: Iterable[Secret]) -> Secret:
        """One vector from several of the same scale."""
        items = [part for part in parts if part.size]
        if not items:
            raise ValueError("nothing to concatenate")
        if len({part.scale for part in items}) != 1:
            raise ValueError("only vectors of one scale can be concatenated")
        payload = self._concat([part.payload for part in items])
        size, lo, hi = sum(p.size for p in items), min(p.lo for p in items), max(p.hi for p in items)
        return Secret(self, payload, size, items[0].scale, lo, hi)

    def group_sum(self, a: Secret, group: Index, count: int) -> Secret:
        """result_g = Σ a_i over group_i = g, for g < count; an empty group gives 0."""
        members = np.bincount(group, minlength=count)
        most, least = int(members.max()), int(members.min())
        lo = a.lo * (most if a.lo < 0 else least)
        hi = a.hi * (most if a.hi > 0 else least)
        return Secret(self, self._group_sum(a.payload, group, count), count, a.scale, lo, hi)

    def prefix_sum(self, a: Secret, group: Index) -> Secret:
        """Running sums within groups: result_i = Σ a_j over j ≤ i with group_j = group_i. Groups are contiguous."""
        longest = int(np.bincount(group).max()) if a.size else 0
        starts = np.searchsorted(group, group)
        payload = self._prefix_sum(a.payload, starts)
        return Secret(self, payload, a.size, a.scale, min(a.lo, a.lo * longest), max(a.hi, a.hi * longest))

    def matvec(self, matrix: IntArray, a: Secret, scale: int) -> Secret:
        """Public integer matrix (at `scale`) times vector; the result's scale is the sum of both."""
        if matrix.shape[1] != a.size:
            raise ValueError(f"a matrix of shape {matrix.shape} cannot multiply {a!r}")
        positive = np.where(matrix > 0, matrix, 0).sum(axis=1)
        negative = np.where(matrix < 0, matrix, 0).sum(axis=1)
        lo = min(int(p) * a.lo + int(n) * a.hi for p, n in zip(positive, negative, strict=True))
        hi = max(int(p) * a.hi + int(n) * a.lo for p, n in zip(positive, negative, strict=True))
        return Secret(self, self._matvec(matrix, a.payload), matrix.shape[0], a.scale + scale, lo, hi)

    def zeros(self, size: int, scale: int) -> Secret:
        """A vector of public zeros."""
        return Secret(self, self._public(np.zeros(size, dtype=object)), size, scale, 0, 0)

    def public(self, values: IntArray, scale: int) -> Secret:
        """Public integers as a vector that local operations accept."""
        vector = np.array([int(x) for x in values], dtype=object)
        return Secret(self, self._public(vector), len(vector), scale, min(vector), max(vector))

    def within(self, a: Secret, lo: int, hi: int) -> Secret:
        """Tighten the public interval by a theorem that interval arithmetic cannot see; say which at the call."""
        return Secret(self, self._within(a.payload, lo, hi), a.size, a.scale, max(a.lo, lo), min(a.hi, hi))

    # ---- operations with communication ------------------------------------------------------------------------

    async def mul(self, a: Secret, b: Secret) -> Secret:
        """Elementwise product; scales add up."""
        if a.size != b.size:
            raise ValueError(f"cannot multiply {a!r} and {b!r}")
        ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        payload = await self._mul(a.payload, b.payload, min(ends), max(ends))
        return Secret(self, payload, a.size, a.scale + b.scale, min(ends), max(ends))

    async def dot(self, a: Secret, b: Secret, group: Index, count: int) -> Secret:
        """result_g = Σ a_i·b_i over group_i = g: one resharing per group; the bounds are those of a sum."""
        if a.size != b.size:
            raise ValueError(f"cannot multiply {a!r} and {b!r}")
        most = int(np.bincount(group, minlength=count).max())
        ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        lo, hi = min(0, most * min(ends)), max(0, most * max(ends))
        payload = await self._dot(a.payload, b.payload, group, count, lo, hi)
        return Secret(self, payload, count, a.scale + b.scale, lo, hi)

    async def trunc(self, a: Secret, bits: int) -> Secret:
        """a / 2^bits with an error in [−C//2 − 1, C − C//2] units, C = info.ulp; the scale falls by `bits`."""
        if bits == 0 or a.size == 0:
            return a.as_scale(a.scale - bits)
        ulp = self.info.ulp
        lo, hi = (a.lo >> bits) - ulp // 2, (a.hi >> bits) + ulp - ulp // 2
        payload = await self._trunc(a.payload, bits, signed_bits(a.lo, a.hi))
        return Secret(self, payload, a.size, a.scale - bits, lo, hi)

    async def trunc_each(self, parts: Sequence[Secret], bits: int) -> list[Secret]:
        """`trunc` of several vectors in one round; each keeps the public interval of its own."""
        joined = await self.trunc(self.concat(parts), bits)
        ulp, results, start = self.info.ulp, [], 0
        for part in parts:
            lo, hi = (part.lo >> bits) - ulp // 2, (part.hi >> bits) + ulp - ulp // 2
            results.append(self.within(joined[start : start + part.size], lo, hi))
            start += part.size
        return results

    async def negative(self, a: Secret) -> Secret:
        """The bit [a < 0]."""
        if a.hi < 0 or a.lo >= 0:
            return self.public(np.full(a.size, int(a.hi < 0), dtype=object), 0)
        width = self.compared_bits(a)
        parts = [await self._negative(part.payload, width) for part in self.batches(a, width)]
        return Secret(self, self._concat(parts), a.size, 0, 0, 1)

    async def negative_part(self, a: Secret, coarse: int = 0) -> Secret:
        """min(a, 0); with `coarse` > 0 a·[a + ε < 0] for some ε of at most `coarse_error` units.

        A coarse comparison needs random digits and products for `coarse` fewer bits. Use it only where a later, exact
        one mends the error. ε is random; nobody chooses it.
        """
        if a.lo >= 0:
            return self.zeros(a.size, a.scale)
        if a.hi < 0:
            return a
        width = self.compared_bits(a, coarse)
        parts = [await self._negative_part(part.payload, width, coarse) for part in self.batches(a, width - coarse)]
        largest = min(a.hi, self.coarse_error(coarse))
        return Secret(self, self._concat(parts), a.size, a.scale, a.lo, largest)

    def coarse_error(self, coarse: int) -> int:
        """Half of C·2^coarse, C = info.ulp: within this distance of 0 a coarse comparison may say either."""
        return self.info.ulp << (coarse - 1) if coarse else 0

    def compared_bits(self, a: Secret, coarse: int = 0) -> int:
        """The width of a comparison: a + ε is an integer of so many bits with its sign. What is left without the sign
        and the coarse bits are whole digits of two bits, at least one."""
        error = self.coarse_error(coarse)
        width = max(signed_bits(a.lo - error, a.hi + error), coarse + 2)
        return width + (width - 1 - coarse) % 2

    async def less(self, a: Secret, b: Secret) -> Secret:
        """The bit [a < b]."""
        return await self.negative(a - b)

    async def is_zero(self, a: Secret) -> Secret:
        """The bit [a = 0]; meant for small public intervals."""
        if a.lo > 0 or a.hi < 0:
            return self.zeros(a.size, 0)
        width = self.tested_bits(a)
        parts = [await self._is_zero(part.payload, width) for part in self.batches(a, width)]
        return Secret(self, self._concat(parts), a.size, 0, 0, 1)

    def tested_bits(self, a: Secret) -> int:
        """The width of a zero test, in whole digits."""
        width = signed_bits(a.lo, a.hi)
        return width + width % 2

    def batches(self, a: Secret, width: int) -> list[Secret]:
        """Pieces that are compared one after the other: a comparison holds a dozen vectors of size·width elements."""
        most = max(1, BATCH_BITS // width)
        return [a[i : i + most] for i in range(0, a.size, most)]

    async def select(self, bit: Secret, a: Secret, b: Secret) -> Secret:
        """a where bit = 1, else b."""
        chosen = b + await self.mul(bit, a - b)
        return self.within(chosen, min(a.lo, b.lo), max(a.hi, b.hi))

    async def clip(self, a: Secret, lo: Secret, hi: Secret, coarse: int = 0) -> Secret:
        """min(max(a, lo), hi) elementwise, for lo ≤ hi; one batch of comparisons.

        With `coarse` > 0 the comparisons are coarse: the result is then off, and may leave [lo, hi], by
        `coarse_error` units. Never use it for a value that is released.
        """
        below, above = a - lo, hi - a
        both = self.concat([below, above])
        moved = await self.negative_part(both, coarse)
        clipped = a - moved[: a.size] + moved[a.size :]
        slack = self.coarse_error(coarse)
        return self.within(clipped, lo.lo - slack, hi.hi + slack)

    async def clip_each(
        self, parts: Sequence[Secret], lower: Sequence[Secret], upper: Sequence[Secret], coarse: int = 0
    ) -> list[Secret]:
        """`clip` of several vectors in one batch; each keeps the public interval of its own."""
        joined = await self.clip(self.concat(parts), self.concat(lower), self.concat(upper), coarse)
        slack, results, start = self.coarse_error(coarse), [], 0
        for part, lo, hi in zip(parts, lower, upper, strict=True):
            results.append(self.within(joined[start : start + part.size], lo.lo - slack, hi.hi + slack))
            start += part.size
        return results

    async def minimum(self, a: Secret, b: Secret) -> Secret:
        """The smaller of two, elementwise."""
        difference = a - b
        chosen = b + await self.negative_part(difference)
        return self.within(chosen, min(a.lo, b.lo), min(a.hi, b.hi))

    async def positive_part(self, a: Secret) -> Secret:
        """max(a, 0)."""
        return self.within(a - await self.negative_part(a), 0, max(a.hi, 0))

    # ---- boundary ---------------------------------------------------------------------------------------------

    @abstractmethod
    async def from_cipher(self, label: str, size: int, scale: int, lo: int, hi: int) -> Secret:
        """The committed inputs `label`, `size` of them, each proven to lie in [lo, hi]."""

    @abstractmethod
    async def to_cipher(self, label: str, a: Secret) -> None:
        """Hand `a` to the release as ciphertexts under the name `label`."""

    async def verify(self) -> None:  # noqa: B027 - optional for engines
        """Barrier: everything multiplied so far is consistent (nothing to do in passive engines)."""

    # ---- what an engine implements ----------------------------------------------------------------------------

    @abstractmethod
    def _public(self, values: IntArray) -> Payload: ...
    @abstractmethod
    def _add(self, a: Payload, b: Payload) -> Payload: ...
    @abstractmethod
    def _add_public(self, a: Payload, values: IntArray) -> Payload: ...
    @abstractmethod
    def _mul_public(self, a: Payload, values: IntArray) -> Payload: ...
    @abstractmethod
    def _take(self, a: Payload, index: Index) -> Payload: ...
    @abstractmethod
    def _concat(self, parts: list[Payload]) -> Payload: ...
    @abstractmethod
    def _group_sum(self, a: Payload, group: Index, count: int) -> Payload: ...
    @abstractmethod
    def _prefix_sum(self, a: Payload, starts: Index) -> Payload: ...
    @abstractmethod
    def _matvec(self, matrix: IntArray, a: Payload) -> Payload: ...
    def _within(self, a: Payload, lo: int, hi: int) -> Payload:
        return a

    @abstractmethod
    async def _mul(self, a: Payload, b: Payload, lo: int, hi: int) -> Payload: ...
    @abstractmethod
    async def _dot(self, a: Payload, b: Payload, group: Index, count: int, lo: int, hi: int) -> Payload: ...
    @abstractmethod
    async def _trunc(self, a: Payload, bits: int, width: int) -> Payload: ...
    @abstractmethod
    async def _negative(self, a: Payload, width: int) -> Payload: ...
    @abstractmethod
    async def _negative_part(self, a: Payload, width: int, coarse: int) -> Payload: ...
    @abstractmethod
    async def _is_zero(self, a: Payload, width: int) -> Payload: ...


def signed_bits(lo: int, hi: int) -> int:
    """The least w with −2^(w−1) ≤ lo and hi < 2^(w−1)."""
    return max((-lo - 1).bit_length() if lo < 0 else 0, hi.bit_length() if hi > 0 else 0) + 1


def _vector(value: "int | IntArray", size: int) -> IntArray:
    if isinstance(value, np.ndarray):
        if value.shape != (size,):
            raise ValueError(f"a public vector of shape {value.shape} does not match {size} secrets")
        return value.astype(object)
    return np.full(size, int(value), dtype=object)
