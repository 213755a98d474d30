"""The symbolic dry run: what a program needs, known from public bounds before anything is sent.

`DryRun` executes the program on intervals alone. From its record follow the prime field, the statistical parameter,
the random bits to prepare, the output layout, the cost, and the exact list of openings that the session may make.
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import gmpy2

from tacita.crypto.security import MASK_BITS, MAX_ATTEMPTS
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.engine import Engine, EngineInfo, Index, IntArray, Secret, signed_bits

LEAST_FIELD_BITS = 128
"""A wrong product or input escapes the engine's checks with probability about one in the size of the field."""
MAX_FIELD_BITS = 288
DEFAULT_STATISTICAL_BITS = 64
FLOOR_STATISTICAL_BITS = 40

TRUNCATION, COMPARISON, ZERO_TEST, OUTPUT = "truncation", "comparison", "zero test", "output mask"
MASKED_KINDS = (TRUNCATION, COMPARISON, ZERO_TEST, OUTPUT)
RANDOM_SQUARE = "random square"
"""The square of a uniform field element."""
SIGN_CHECK = "sign check"
"""A random combination of what says that a block of random signs are signs, and unknown: 0."""

DIGIT_BLOCK = 1 << 13
"""Random digits, of two bits each, are made in blocks of this many."""


@dataclass(frozen=True)
class Block:
    """One labelled vector of inputs or outputs: `size` integers at `scale`, each in [lo, hi]."""

    label: str
    size: int
    scale: int
    lo: int
    hi: int


@dataclass(frozen=True)
class Opening:
    """One masked opening: `count` values whose operand is below 2^(width−1) in magnitude."""

    kind: str
    count: int
    width: int
    coarse: int = 0
    """Low bits of the operand that need no random bits; only in comparisons."""


def signs_are_dealt(info: EngineInfo) -> bool:
    """Whether random signs are dealt: for one corrupt node, with three or four nodes. A sign that nobody among more
    knows would need more factors; then square roots of opened squares are cheaper."""
    return info.corrupt_max == 1


class RandomDigits:
    """How many random digits to make when: the same answer in the dry run and at every node."""

    def __init__(self, demanded: int) -> None:
        self._unmade, self._held = demanded, 0

    def take(self, count: int) -> Iterator[int]:
        """The blocks to make now so that `count` digits can be taken."""
        while self._held < count:
            block = min(self._unmade, DIGIT_BLOCK)
            if block == 0:
                raise AssertionError("the program uses more random digits than its dry run announced")
            self._unmade -= block
            self._held += block
            yield block
        self._held -= count


@dataclass(frozen=True)
class Demand:
    """What the program needs at `info`'s number of parties."""

    info: EngineInfo
    inputs: tuple[Block, ...]
    outputs: tuple[Block, ...]
    openings: tuple[Opening, ...]
    multiplications: int
    magnitude_bits: int

    @cached_property
    def random_digits(self) -> int:
        """Shared random digits of two bits: for the width of a comparison less its sign and coarse bits, and for the
        whole width of a zero test."""
        return sum(map(_digits, self.openings))

    @cached_property
    def comparisons(self) -> int:
        """Values compared, the usual measure of cost."""
        return sum(o.count for o in self.openings if o.kind in (COMPARISON, ZERO_TEST))

    @cached_property
    def statistical_bits(self) -> int:
        """k = 41 + log2 C(m,t) + log2(masked openings of all attempts), at least 64: the masks of the whole session
        together hide up to distance 2^−40 even if all but one of the replicated terms are known, and each opening
        hides up to 2^(1−k)·C."""
        masked = MAX_ATTEMPTS * sum(o.count for o in self.openings if o.kind in MASKED_KINDS)
        needed = FLOOR_STATISTICAL_BITS + 1 + math.log2(self.info.ulp) + math.log2(max(masked, 1))
        return max(DEFAULT_STATISTICAL_BITS, math.ceil(needed))

    @cached_property
    def prime(self) -> int:
        """The prime of the field: no operand plus mask wraps around. Raises CallerMistake if it gets too long."""
        bits = max(self.magnitude_bits + 2, LEAST_FIELD_BITS)
        for opening in self.openings:
            if opening.kind == OUTPUT:
                bits = max(bits, opening.width + MASK_BITS + self.info.parties.bit_length() + 1)
            else:
                bits = max(bits, opening.width + self.statistical_bits + 2)
        if bits > MAX_FIELD_BITS:
            raise CallerMistake(
                f"these terms need a field of {bits} bits, at most {MAX_FIELD_BITS} are supported: "
                "narrow the bounds, lower the iterations or split the auction"
            )
        return field_prime(bits)


@lru_cache(maxsize=64)
def field_prime(bits: int) -> int:
    """The smallest prime p = 3 mod 4 above 2^bits: so near that `bits` random bits are a random field element, and
    c^((p+1)/4) is a square root of every square c."""
    p = gmpy2.next_prime(1 << bits)
    while p % 4 != 3:
        p = gmpy2.next_prime(p)
    return int(p)


def _digits(opening: Opening) -> int:
    """Random digits that the masks of an opening consist of."""
    bits = {COMPARISON: opening.width - 1 - opening.coarse, ZERO_TEST: opening.width}.get(opening.kind, 0)
    return opening.count * bits // 2


class DryRun(Engine):
    """Runs a program without values; `demand()` tells what it did."""

    def __init__(self, info: EngineInfo) -> None:
        self.info = info
        self._inputs: list[Block] = []
        self._outputs: list[Block] = []
        self._openings: list[Opening] = []
        self._multiplications = 0
        self._magnitude = 0

    def demand(self) -> Demand:
        """The record of the run so far."""
        return Demand(
            self.info,
            tuple(self._inputs),
            tuple(self._outputs),
            tuple(self._with_random_squares()),
            self._multiplications,
            self._magnitude,
        )

    def _with_random_squares(self) -> Iterator[Opening]:
        pool = RandomDigits(sum(map(_digits, self._openings)))
        for opening in self._openings:
            for block in pool.take(_digits(opening)):
                if not signs_are_dealt(self.info):
                    yield Opening(RANDOM_SQUARE, 2 * block, 0)
                if self.info.security == "abort":
                    yield Opening(SIGN_CHECK, 1, 0)
            yield opening

    async def from_cipher(self, label: str, size: int, scale: int, lo: int, hi: int) -> Secret:
        self._inputs.append(Block(label, size, scale, lo, hi))
        return Secret(self, None, size, scale, lo, hi)

    async def to_cipher(self, label: str, a: Secret) -> None:
        self._outputs.append(Block(label, a.size, a.scale, a.lo, a.hi))
        self._openings.append(Opening(OUTPUT, a.size, (a.hi - a.lo).bit_length()))

    def _public(self, values: IntArray) -> None:
        return None

    def _add(self, a: None, b: None) -> None:
        return None

    def _add_public(self, a: None, values: IntArray) -> None:
        return None

    def _mul_public(self, a: None, values: IntArray) -> None:
        return None

    def _take(self, a: None, index: Index) -> None:
        return None

    def _concat(self, parts: list[None]) -> None:
        return None

    def _group_sum(self, a: None, group: Index, count: int) -> None:
        return None

    def _prefix_sum(self, a: None, starts: Index) -> None:
        return None

    def _matvec(self, matrix: IntArray, a: None) -> None:
        return None

    async def mul(self, a: Secret, b: Secret) -> Secret:
        self._multiplications += a.size
        return await super().mul(a, b)

    async def _mul(self, a: None, b: None, lo: int, hi: int) -> None:
        self._magnitude = max(self._magnitude, lo.bit_length(), hi.bit_length())

    async def _dot(self, a: None, b: None, group: Index, count: int, lo: int, hi: int) -> None:
        self._multiplications += count
        self._magnitude = max(self._magnitude, lo.bit_length(), hi.bit_length())

    async def trunc(self, a: Secret, bits: int) -> Secret:
        if bits and a.size:
            self._openings.append(Opening(TRUNCATION, a.size, signed_bits(a.lo, a.hi)))
        return await super().trunc(a, bits)

    async def negative(self, a: Secret) -> Secret:
        self._compares(a, 0)
        return await super().negative(a)

    async def negative_part(self, a: Secret, coarse: int = 0) -> Secret:
        self._compares(a, coarse)
        self._multiplications += a.size
        return await super().negative_part(a, coarse)

    def _compares(self, a: Secret, coarse: int) -> None:
        if a.lo < 0 <= a.hi:
            width = self.compared_bits(a, coarse)
            parts = self.batches(a, width - coarse)
            self._openings += [Opening(COMPARISON, part.size, width, coarse) for part in parts]

    async def is_zero(self, a: Secret) -> Secret:
        if a.lo <= 0 <= a.hi:
            width = self.tested_bits(a)
            self._openings += [Opening(ZERO_TEST, part.size, width) for part in self.batches(a, width)]
        return await super().is_zero(a)

    async def _trunc(self, a: None, bits: int, width: int) -> None:
        return None

    async def _negative(self, a: None, width: int) -> None:
        return None

    async def _negative_part(self, a: None, width: int, coarse: int) -> None:
        return None

    async def _is_zero(self, a: None, width: int) -> None:
        return None


def dry_run(
    program: Callable[[Engine, Callable[[int, int], None]], Awaitable[None]],
    parties: int,
    threshold: int,
    security: str,
) -> Demand:
    """What a policy's program needs; raises CallerMistake for one that no field can hold."""
    run = DryRun(EngineInfo("dry", security, parties, threshold))
    iterator = program(run, lambda _step, _steps: None).__await__()
    try:
        next(iterator)
    except StopIteration:
        demand = run.demand()
        assert demand.prime > 0
        return demand
    raise AssertionError("a dry run must not wait")
