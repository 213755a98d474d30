"""Sign and zero test of a shared integer from shared random digits.

[a < 0]: with r' < 2^(w−1) from random digits and a high mask, open c = a + 2^(w−1) + r. Then a mod 2^(w−1) is
c' − r' + u·2^(w−1) for c' = c mod 2^(w−1) and the bit u = [c' < r'], and a less that residue is 0 or −2^(w−1).

A digit holds two random bits x and y (weight 2) and their product, made ahead. With its place in c' open, [digit > c]
and [digit = c] are sums of x, y and xy. Two neighbours, high and low, join into one digit of twice the length,
    greater = greater_high + equal_high·greater_low,    equal = equal_high·equal_low,
so u takes ⌈log2⌉ rounds of products and nothing is opened but c.

A coarse comparison, for `negative_part` only, saves the digits of the low g places. It gives the sign of a + ρ with
ρ = Σ ρ_S − C·2^(g−1), every ρ_S uniform below 2^g from one replicated key, so |ρ| ≤ C·2^(g−1); ρ is the low part of
the mask, the digits lie above it. What c shows of a: whoever misses one key knows all of the mask but
ρ_S + 2^g·(digits) + 2^(w−1)·h_S, and with h_S uniform below 2^h that is exactly uniform below 2^(w−1+h), as in an exact
comparison of this width. Openings of a and of a' are 2^(1−h) apart at most (Σ|P − P'|/2), with h = k − ⌊log2 C⌋ from
demand.py. The low bits of c, (a + ρ) mod 2^g, are thus uniform whatever a is. They and a decide the result: what is
released later depends on the inputs like values rounded at public random places. Nobody chooses these places, the keys
are fixed before. ρ has no tags and needs none: it only enters the second factor of a product.

Payloads have shape (rows, size); digits are arranged as (rows, 3, digit, size), the lowest digit first.
"""

from typing import TYPE_CHECKING

import numpy as np
from gmpy2 import invert, pack
from numpy.typing import NDArray

from tacita.protocols.mpc.demand import COMPARISON, ZERO_TEST, Opening
from tacita.protocols.mpc.engine import IntArray

if TYPE_CHECKING:
    from tacita.protocols.mpc.shared import SharedEngine


async def negative(engine: "SharedEngine", a: IntArray, width: int) -> IntArray:
    """The payload of [a < 0] for |a| < 2^(width−1)."""
    residue = await _residue(engine, a[0], width, 0)
    return np.asarray((residue - a) * invert(1 << (width - 1), engine.prime) % engine.prime)


async def negative_part(engine: "SharedEngine", a: IntArray, width: int, coarse: int) -> IntArray:
    """The payload of a·[a + ρ < 0] for |a + ρ| < 2^(width−1); ρ = 0 unless g = `coarse` is above 0."""
    rho: IntArray = np.zeros(a.shape[1], dtype=object)
    if coarse:
        rho = engine.shares.bounded(a.shape[1], coarse)[0] - engine.coarse_error(coarse)
    residue = await _residue(engine, a[0] + rho, width, coarse)
    bit = (residue[0] - a[0] - rho) * invert(1 << (width - 1), engine.prime) % engine.prime
    return await engine.multiply(a, bit[None])


async def _residue(engine: "SharedEngine", v: IntArray, width: int, coarse: int) -> IntArray:
    """The payload of v mod 2^(width−1), for the shares v of something below 2^(width−1) in magnitude."""
    n, p, low = len(v), engine.prime, width - 1
    digits = await _digits(engine, n, (low - coarse) // 2)
    r_low = _weighted(digits) << coarse
    high, _ = engine.shares.bounded(n, engine.term_bits)
    masked = (v + (1 << low) + r_low[0] + (high << low)) % p
    c_low = (await engine.open(masked, Opening(COMPARISON, n, width, coarse))) & ((1 << low) - 1)
    u = await _below(engine, *_compared(engine, digits, _base4(c_low >> coarse, digits.shape[2])))
    return np.asarray((engine.one * c_low - r_low + (u << low)) % p)


async def is_zero(engine: "SharedEngine", a: IntArray, width: int) -> IntArray:
    """The payload of [a = 0] for |a| < 2^(width−1): all low digits of the opened mask agree with the mask's."""
    n, p = a.shape[1], engine.prime
    digits = await _digits(engine, n, width // 2)
    high, _ = engine.shares.bounded(n, engine.term_bits)
    masked = (a[0] + (1 << (width - 1)) + _weighted(digits)[0] + (high << width)) % p
    opened = (await engine.open(masked, Opening(ZERO_TEST, n, width))) - (1 << (width - 1))
    _, equal = _compared(engine, digits, _base4(opened & ((1 << width) - 1), width // 2))
    while (count := equal.shape[1]) > 1:
        half = count // 2
        product = await _multiply(engine, equal[:, :half], equal[:1, half : 2 * half])
        equal = np.concatenate([product, equal[:, 2 * half :]], axis=1)
    return np.asarray(equal[:, 0] % p)


async def _below(engine: "SharedEngine", greater: IntArray, equal: IntArray) -> IntArray:
    """The payload of [c < r] from [digit > c] and [digit = c] of every digit; of the lowest only the first is used."""
    while (count := greater.shape[1]) > 1:
        half, even = count // 2, count // 2 * 2
        low = np.concatenate([greater[:, 0:even:2], equal[:, 2:even:2]], axis=1)
        high = np.concatenate([equal[:1, 1:even:2], equal[:1, 3:even:2]], axis=1)
        joined = await _multiply(engine, low, high)
        greater = np.concatenate([greater[:, 1:even:2] + joined[:, :half], greater[:, even:]], axis=1)
        equal = np.concatenate([equal[:, :1], joined[:, half:], equal[:, even:]], axis=1)
    return np.asarray(greater[:, 0])


async def _multiply(engine: "SharedEngine", a: IntArray, b: IntArray) -> IntArray:
    """Products of whole layers of digits; of b only the shares."""
    product = await engine.multiply(a.reshape(len(a), -1), b.reshape(1, -1))
    return product.reshape(a.shape)


async def _digits(engine: "SharedEngine", n: int, count: int) -> IntArray:
    digits = await engine.random_digits(n * count)
    return digits.reshape(len(digits), 3, count, n)


def _compared(engine: "SharedEngine", digits: IntArray, c: IntArray) -> tuple[IntArray, IntArray]:
    """[digit > c] and [digit = c] for public c in {0, 1, 2, 3}, as payloads of shape (rows, digit, size)."""
    x, y, both = digits[:, 0], digits[:, 1], digits[:, 2]
    only_x, only_y = x - both, y - both
    equal = np.choose(c, [engine.one[:, :, None] - x - only_y, only_x, only_y, both])
    return np.choose(c, [x + only_y, y, both, both - both]), equal


def _weighted(digits: IntArray) -> IntArray:
    """Σ 4^i·(x + 2y) over the digits."""
    values = digits[:, 0] + 2 * digits[:, 1]
    weights = np.array([1 << 2 * i for i in range(values.shape[1])], dtype=object)
    return np.stack([weights.dot(row) for row in values])


def _base4(values: IntArray, digits: int) -> NDArray[np.uint8]:
    """Row i: digit i of each value, for values in [0, 4^digits)."""
    size = (digits + 3) // 4
    data = pack(list(values), 8 * size).to_bytes(size * len(values), "little")
    table = np.frombuffer(data, dtype=np.uint8).reshape(len(values), size)
    bits = np.unpackbits(table, axis=1, count=2 * digits, bitorder="little").T
    return bits[0::2] + 2 * bits[1::2]
