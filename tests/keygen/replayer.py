"""An independent replay: N and every verification key from nothing but the nodes' seeds, by other code.

It shares no line with protocols/keygen: plain integers, one candidate, formulas of keygen.md. What it rebuilds, the
ceremony cannot have taken from anywhere else.
"""

from dataclasses import dataclass
from hashlib import sha256, sha512, shake_256
from math import factorial, gcd, isqrt

from gmpy2 import next_prime

from tacita.crypto.paillier import encryption_key
from tacita.crypto.threshold import verification_base


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def size(value: int) -> int:
    return (value.bit_length() + 7) // 8 + 16


def leaf(root: bytes, depth: int, index: int) -> bytes:
    for level in reversed(range(depth)):
        node = sha512(b"tacita/kg/tree" + root).digest()
        root = node[32:] if index >> level & 1 else node[:32]
    return root


@dataclass(frozen=True)
class Sizes:
    bits: int
    parties: int
    batch: int
    fixed: int
    sieve: int

    @property
    def t(self) -> int:
        return (self.parties - 1) // 2

    @property
    def lattice(self) -> int:
        return self.fixed * self.sieve

    @property
    def offset(self) -> int:
        return (isqrt(1 << (self.bits - 1)) // self.lattice + 1) * self.lattice

    @property
    def lifts(self) -> int:
        return ((1 << self.bits // 2) // self.lattice - self.offset // self.lattice - self.parties) // self.parties

    @property
    def field(self) -> int:
        return int(next_prime(1 << (self.bits + 1)))


def candidate(sizes: Sizes, roots: dict[int, bytes], index: int) -> dict[int, tuple[int, int]]:
    """(p_i, q_i) of every party."""
    depth, t, m = sizes.batch.bit_length() - 1, sizes.t, sizes.parties
    units, again, lift = {}, {}, {}
    for i, root in roots.items():
        seed = leaf(root, depth, index)
        small, wide = size(sizes.sieve), size(sizes.field)
        counts = [(size(sizes.sieve), sizes.sieve)] * ((t + 1 if i <= t + 1 else 0) + (t - 1) * t)
        plan = [*counts, (size(sizes.lifts), sizes.lifts), *[(wide, sizes.field)] * t]
        stream = shake_256(b"tacita/kg/draw" + seed).digest(2 * sum(w for w, _ in plan) + 32 * m * (t + 1))
        at = 0
        for half in (0, 1):
            drawn = []
            for width, modulus in plan:
                drawn.append(number(stream[at : at + width]) % modulus)
                at += width
            if i <= t + 1:
                attempt = 0
                while gcd(drawn[0], sizes.sieve) != 1:
                    head = b"tacita/kg/unit" + bytes([half]) + attempt.to_bytes(4, "big")
                    drawn[0] = number(shake_256(head + seed).digest(small)) % sizes.sieve
                    attempt += 1
                units[i, half], drawn = drawn[: t + 1], drawn[t + 1 :]
            again[i, half] = [drawn[k * t : (k + 1) * t] for k in range(t - 1)]
            lift[i, half] = drawn[(t - 1) * t]
    return {i: tuple(part(sizes, roots, units, again, lift, i, half, index) for half in (0, 1)) for i in roots}


def poly(coefficients: list[int], x: int, modulus: int) -> int:
    return sum(a * x**k for k, a in enumerate(coefficients)) % modulus


def weight(points: list[int], i: int, modulus: int) -> int:
    top = bottom = 1
    for j in points:
        if j != i:
            top, bottom = top * j, bottom * (j - i)
    return top * pow(bottom, -1, modulus) % modulus


def part(sizes, roots, units, again, lift, i, half, index) -> int:
    """p_i: the masked local product at party i, lifted."""
    points, modulus = list(roots), sizes.sieve
    local = {j: poly(units[1, half], j, modulus) * poly(units[2, half], j, modulus) % modulus for j in points}
    for step in range(1, sizes.t):
        reduced = {
            j: sum(
                poly([weight(points, k, modulus) * local[k] % modulus, *again[k, half][step - 1]], j, modulus)
                for k in points
            )
            for j in points
        }
        local = {j: reduced[j] * poly(units[step + 2, half], j, modulus) % modulus for j in points}
    mask = 0
    for j in points:
        if j != i:
            low, high = min(i, j), max(i, j)
            shared = sha256(b"tacita/kg/pair" + bytes([high]) + roots[low]).digest()
            seed = leaf(shared, sizes.batch.bit_length() - 1, index)
            stream = shake_256(b"tacita/kg/zero" + seed).digest(2 * size(modulus) + size(sizes.field))
            mask += (1 if i < j else -1) * number(stream[half * size(modulus) : (half + 1) * size(modulus)])
    residue = (weight(points, i, modulus) * local[i] + mask) % modulus
    first = sizes.fixed - 1 if i == 1 else 0
    # The number below L that is `residue` modulo M and `first` modulo F.
    steps = (first - residue) * pow(modulus, -1, sizes.fixed) % sizes.fixed
    return residue + modulus * steps + sizes.lattice * lift[i, half]


def replay(
    sizes: Sizes, roots: dict[int, bytes], index: int, taus: dict[int, bytes]
) -> tuple[int, dict[int, int], tuple[int, int]]:
    """(N, {party: v_i}, (p, q))."""
    parts, m, t = candidate(sizes, roots, index), sizes.parties, sizes.t
    p, q = (sizes.offset + sum(pair[half] for pair in parts.values()) for half in (0, 1))
    modulus, delta = p * q, factorial(m)

    def below(i: int, label: str, bound: int) -> int:
        return number(shake_256(b"tacita/kg/tau" + taus[i] + label.encode()).digest(size(bound))) % bound

    def tail(i: int, label: str, bound: int) -> list[int]:
        limit = delta**2 * bound << 128
        return [below(i, f"{label}/{k}", 2 * limit + 1) - limit for k in range(t)]

    def value(coefficients: list[int], x: int) -> int:
        return sum(a * x**k for k, a in enumerate(coefficients))

    f, g = {}, {}
    for i, (own_p, own_q) in parts.items():
        phi = -(own_p + own_q) + (modulus + 1 - 2 * sizes.offset if i == 1 else 0)
        bound = 1 << (sizes.bits + 1 if i == 1 else sizes.bits // 2 + 2)
        f[i] = [delta * phi, *tail(i, "phi", bound)]
        g[i] = [delta * below(i, "beta", modulus), *tail(i, "beta", 1 << sizes.bits)]
    openers = range(1, 2 * t + 2)
    spread = t * m**t
    h = m * (delta * (1 << sizes.bits + 1) + spread * (delta**2 << (sizes.bits + 1 + 128)))
    lagrange = {}
    for i in openers:
        top, bottom = delta, 1
        for j in openers:
            if j != i:
                top, bottom = top * j, bottom * (j - i)
        lagrange[i] = top // bottom
    w_bound = delta * max(map(abs, lagrange.values())) * h * h
    shares = dict.fromkeys(parts, 0)
    for i in openers:
        w = lagrange[i] * sum(value(c, i) for c in f.values()) * sum(value(c, i) for c in g.values())
        polynomial = [delta * w, *tail(i, "w", w_bound)]
        for j in parts:
            shares[j] += value(polynomial, j)
    v = int(verification_base(encryption_key(modulus), 1))
    return modulus, {j: pow(v, delta * s, modulus**2) for j, s in shares.items()}, (p, q)
