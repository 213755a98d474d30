"""Sign and zero test of a shared integer from shared random bits.

[a < 0]: with r' < 2^(w−1) from shared bits and a high mask, open c = a + 2^(w−1) + r. Then a mod 2^(w−1) follows
from c' = c mod 2^(w−1) once the bit u = [c' < r'] is known. For u, take a random sign s ∈ {−1, 1}; over the bits
from the top, e_i = s + r_i − c_i + 3·Σ_{j>i}(r_j ⊕ c_j) is zero exactly at the first difference if s says so, and
e_last = s − 1 + 3·Σ(r_j ⊕ c_j) decides equality: ∏ e = 0 iff (s = 1 and r' ≤ c') or (s = −1 and r' > c'). The
product, verified, is opened behind a uniform factor: one random bit, independent of a. (Toft; the form MPyC uses.)

A coarse comparison saves the random bits of the low g places and their factors. It gives the sign of a + ρ with
ρ = Σ ρ_S − C·2^(g−1), every ρ_S uniform below 2^g from one replicated key, so |ρ| ≤ C·2^(g−1); ρ is the low part of
the mask, the random bits lie above it. What c shows of a: whoever misses one key knows all of the mask but
ρ_S + 2^g·(bits) + 2^(w−1)·h_S, and with h_S uniform below 2^h that is exactly uniform below 2^(w−1+h), as in an exact
comparison of this width. Openings of a and of a' are 2^(1−h) apart at most (Σ|P − P'|/2), with h = k − ⌊log2 C⌋ from
demand.py. The low bits of c, (a + ρ) mod 2^g, are thus uniform whatever a is. They and a decide the result: what is
released later depends on the inputs like values rounded at public random places. Nobody chooses these places, the keys
are fixed before; and an error in the tags of ρ, which are made last, is found before the next opening.

Payloads have shape (rows, size); bits are arranged as (rows, bit, size).
"""

from typing import TYPE_CHECKING

import numpy as np
from gmpy2 import invert, pack
from numpy.typing import NDArray

from tacita.protocols.mpc.demand import BLINDED_PRODUCT, COMPARISON, ZERO_TEST, Opening
from tacita.protocols.mpc.engine import IntArray

if TYPE_CHECKING:
    from tacita.protocols.mpc.shared import SharedEngine


async def negative(engine: "SharedEngine", a: IntArray, width: int, coarse: int) -> IntArray:
    """The payload of [a + ρ < 0] for |a + ρ| < 2^(width−1); ρ = 0 unless g = `coarse` is above 0."""
    n, p, low = a.shape[1], engine.prime, width - 1
    bits = (await engine.random_bits(n * (width - coarse))).reshape(len(a), width - coarse, n)
    sign, r = 2 * bits[:, 0] - engine.one, bits[:, 1:]  # r[:, i]: the bit of weight 2^(g+i)
    r_low = _weighted(r) << coarse
    high, _ = engine.shares.bounded(n, engine.term_bits)
    rho = engine.shares.bounded(n, coarse)[0] - engine.coarse_error(coarse) if coarse else np.zeros(n, dtype=object)
    masked = (a[0] + rho + (1 << low) + r_low[0] + (high << low)) % p
    c_low = (await engine.open(masked, Opening(COMPARISON, n, width, coarse))) & ((1 << low) - 1)
    if coarse:
        # Tags only now: before the opening they would need a verification of their own, as a has just been verified.
        a = a + await engine.authenticate(rho)
    c = _binary(c_low >> coarse, low - coarse)
    one = engine.one[:, :, None]
    e = r - one * c.astype(object)
    # differing[:, i]: Σ over bits j ≥ i of r_j ⊕ c_j, which is r_j − c_j up to sign; a layer of zeros above the top.
    differing = np.zeros((len(a), width - coarse, n), dtype=object)
    differing[:, :-1] = np.cumsum(np.where(c, -e, e)[:, ::-1], axis=1)[:, ::-1]
    last = sign - engine.one + 3 * differing[:, 0]
    # Shares need not be reduced before they are multiplied.
    factors = np.concatenate([sign[:, None] + e + 3 * differing[:, 1:], last[:, None]], axis=1)
    blinded = await _product(engine, factors, engine.shares.uniform(n))
    zero = (await engine.open(blinded[0], Opening(BLINDED_PRODUCT, n, 0))) == 0
    # zero: [r' ≤ c'] = (1 + s)/2; else (1 − s)/2; u = [c' < r'] is the complement.
    half = (p + 1) // 2
    u = (engine.one - np.where(zero, sign, -sign)) * half % p
    residue = engine.one * c_low - r_low + (u << low)
    return np.asarray((residue - a) * invert(1 << low, p) % p)


async def is_zero(engine: "SharedEngine", a: IntArray, width: int) -> IntArray:
    """The payload of [a = 0] for |a| < 2^(width−1): all `width` low bits of the opened mask agree with the mask's."""
    n, p = a.shape[1], engine.prime
    r = (await engine.random_bits(n * width)).reshape(len(a), width, n)
    high, _ = engine.shares.bounded(n, engine.term_bits)
    masked = (a[0] + (1 << (width - 1)) + _weighted(r)[0] + (high << width)) % p
    opened = (await engine.open(masked, Opening(ZERO_TEST, n, width))) - (1 << (width - 1))
    c = _binary(opened & ((1 << width) - 1), width).astype(object)
    one = engine.one[:, :, None]
    return await _product(engine, (one * (1 - c) + r * (2 * c - 1)) % p)


async def _product(engine: "SharedEngine", factors: IntArray, blind: IntArray | None = None) -> IntArray:
    """The product over all layers [:, i], in ⌈log2⌉ multiplications of whole layers, times `blind` if given."""
    rows, _, n = factors.shape
    while (layers := factors.shape[1]) > 1 or blind is not None:
        half = layers // 2
        left, right = factors[:, :half], factors[:1, half : 2 * half]
        rest = factors[:, 2 * half :]
        if blind is not None and (layers % 2 or layers == 1):
            # The layer that is left over meets the blinding factor, which needs no tag on this side.
            left, right = np.concatenate([left, rest], axis=1), np.concatenate([right, blind[None, None]], axis=1)
            rest, blind = rest[:, :0], None
        product = await engine.multiply(left.reshape(rows, -1), right.reshape(1, -1))
        factors = np.concatenate([product.reshape(rows, -1, n), rest], axis=1)
    return np.asarray(factors[:, 0])


def _weighted(bits: IntArray) -> IntArray:
    """Σ 2^i·(layer i)."""
    rows, count, n = bits.shape
    weights = np.array([1 << i for i in range(count)], dtype=object)
    return np.stack([weights.dot(row) for row in bits]) if count else np.zeros((rows, n), dtype=object)


def _binary(values: IntArray, bits: int) -> NDArray[np.uint8]:
    """Row i: bit i of each value, for values in [0, 2^bits)."""
    size = bits // 8 + 1
    data = pack(list(values), 8 * size).to_bytes(size * len(values), "little")
    table = np.frombuffer(data, dtype=np.uint8).reshape(len(values), size)
    return np.unpackbits(table, axis=1, count=bits, bitorder="little").T
