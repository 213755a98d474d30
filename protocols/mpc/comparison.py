"""Sign and zero test of a shared integer from shared random bits.

[a < 0]: with r' < 2^(w−1) from shared bits and a high mask, open c = a + 2^(w−1) + r. Then a mod 2^(w−1) follows
from c' = c mod 2^(w−1) once the bit u = [c' < r'] is known. For u, take a random sign s ∈ {−1, 1}; over the bits
from the top, e_i = s + r_i − c_i + 3·Σ_{j>i}(r_j ⊕ c_j) is zero exactly at the first difference if s says so, and
e_last = s − 1 + 3·Σ(r_j ⊕ c_j) decides equality: ∏ e = 0 iff (s = 1 and r' ≤ c') or (s = −1 and r' > c'). The
product is opened behind a uniform factor: one random bit, independent of a. (Toft; the form MPyC uses.)
"""

from typing import TYPE_CHECKING

import numpy as np
from gmpy2 import invert, pack
from numpy.typing import NDArray

from tacita.protocols.mpc.demand import BLINDED_PRODUCT, COMPARISON, ZERO_TEST, Opening
from tacita.protocols.mpc.engine import IntArray

if TYPE_CHECKING:
    from tacita.protocols.mpc.shared import SharedEngine


async def negative(engine: "SharedEngine", a: IntArray, width: int) -> IntArray:
    """Shares of [a < 0] for |a| < 2^(width−1)."""
    n, p, low = len(a), engine.prime, width - 1
    bits = await engine.random_bits(n * width)
    sign = 2 * bits[:n] - 1
    r = bits[n:].reshape(low, n)  # row i: the bit of weight 2^i
    r_low = _weighted(r)
    high, _ = engine.bounded(n, engine.term_bits)
    masked = (a + (1 << low) + r_low + (high << low)) % p
    c_low = (await engine.open(masked, Opening(COMPARISON, n, width))) & ((1 << low) - 1)
    factors = _factors(engine, sign, r, _binary(c_low, low))
    del bits, r, high, masked  # the product below is what needs memory
    zero = (await engine.open(await _product(engine, factors), Opening(BLINDED_PRODUCT, n, 0))) == 0
    # zero: [r' ≤ c'] = (1 + s)/2; else (1 − s)/2; u = [c' < r'] is the complement.
    half = (p + 1) // 2
    u = (1 - np.where(zero, sign, -sign)) * half % p
    residue = c_low - r_low + (u << low)
    return np.asarray((residue - a) * invert(1 << low, p) % p)


def _factors(engine: "SharedEngine", sign: IntArray, r: IntArray, c: NDArray[np.uint8]) -> list[IntArray]:
    """Rows e_i, e_last and the uniform factor that blinds their product; r and c hold bit i in row i.

    Shares need not be reduced before they are multiplied.
    """
    rows: list[IntArray] = []
    above = np.zeros(len(sign), dtype=object)  # Σ over bits above i of r_j ⊕ c_j, which is r_j − c_j up to sign
    for r_i, c_i in zip(r[::-1], c[::-1], strict=True):
        e = r_i - c_i.astype(object)
        rows.append(sign + e + 3 * above)
        above = above + np.where(c_i, -e, e)
    return [*rows, sign - 1 + 3 * above, engine.uniform(len(sign))]


async def is_zero(engine: "SharedEngine", a: IntArray, width: int) -> IntArray:
    """Shares of [a = 0] for |a| < 2^(width−1): all `width` low bits of the opened mask agree with the mask's."""
    n, p = len(a), engine.prime
    r = (await engine.random_bits(n * width)).reshape(width, n)
    high, _ = engine.bounded(n, engine.term_bits)
    masked = (a + (1 << (width - 1)) + _weighted(r) + (high << width)) % p
    opened = (await engine.open(masked, Opening(ZERO_TEST, n, width))) - (1 << (width - 1))
    c = _binary(opened & ((1 << width) - 1), width).astype(object)
    return await _product(engine, list((1 - (r + c - 2 * c * r)) % p))


async def _product(engine: "SharedEngine", rows: list[IntArray]) -> IntArray:
    """The product over rows, in ⌈log2 rows⌉ multiplications of whole layers; empties the list as it goes."""
    while len(rows) > 1:
        half, n = len(rows) // 2, len(rows[0])
        left, right = np.concatenate(rows[:half]), np.concatenate(rows[half : 2 * half])
        del rows[: 2 * half]
        rows[:0] = (await engine.multiply(left, right)).reshape(half, n)
    return rows[0]


def _weighted(bits: IntArray) -> IntArray:
    """Σ 2^i·(row i)."""
    weights = np.array([1 << i for i in range(len(bits))], dtype=object)
    return weights.dot(bits) if len(bits) else np.zeros(bits.shape[1], dtype=object)


def _binary(values: IntArray, bits: int) -> NDArray[np.uint8]:
    """Row i: bit i of each value, for values in [0, 2^bits)."""
    size = bits // 8 + 1
    data = pack(list(values), 8 * size).to_bytes(size * len(values), "little")
    table = np.frombuffer(data, dtype=np.uint8).reshape(len(values), size)
    return np.unpackbits(table, axis=1, count=bits, bitorder="little").T
