"""All randomness of one party in one batch: two kinds of seed trees, opened everywhere but at the winner (R7).

σ_{i,b} is the root of party i's tree, K_{ij,b} the root of the tree that i and j share for zero-sharing; the one with
the lower number draws it. Candidate c takes its randomness from leaf c of each tree and from nothing else. A tree is
expanded by SHA-512, node → two children (Goldreich–Goldwasser–Micali); its commitment is the Merkle root over hashes of
its leaves, so a reveal that leaves one leaf out can be checked against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256, sha512, shake_256
from typing import Any

from gmpy2 import gcd, mpz

from tacita.crypto.integers import Integer
from tacita.protocols.keygen import merkle
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.vectors import SALT_BYTES

SEED_BYTES = 32
SLACK_BYTES = 16
"""A value modulo n is drawn with 128 bits more than n has: its distance from uniform is below 2^−128."""


def expand(root: bytes, depth: int) -> list[bytes]:
    """The 2^depth leaves of a tree."""
    level = [root]
    for _ in range(depth):
        level = [
            half
            for node in [sha512(b"tacita/kg/tree" + seed).digest() for seed in level]
            for half in (node[:32], node[32:])
        ]
    return level


def puncture(root: bytes, depth: int, index: int) -> list[bytes]:
    """The co-path: the sibling of every node on the way to leaf `index`, from the top."""
    path = []
    for level in range(depth - 1, -1, -1):
        node = sha512(b"tacita/kg/tree" + root).digest()
        children = node[:32], node[32:]
        bit = index >> level & 1
        path.append(children[1 - bit])
        root = children[bit]
    return path


def regrow(path: Sequence[bytes], index: int) -> list[bytes]:
    """All leaves but leaf `index`, in order."""
    before: list[bytes] = []
    after: list[list[bytes]] = []
    depth = len(path)
    for level, seed in enumerate(path):
        leaves = expand(seed, depth - 1 - level)
        if index >> (depth - 1 - level) & 1:
            before += leaves
        else:
            after.append(leaves)
    return before + [leaf for leaves in reversed(after) for leaf in leaves]


def pair_root(root: bytes, receiver: int) -> bytes:
    """K_{ij,b}: what the party with root σ_{i,b} shares with party j > i."""
    return sha256(b"tacita/kg/pair" + bytes([receiver]) + root).digest()


def commitment(
    tag: bytes, leaves: Sequence[bytes], indices: Sequence[int], hidden: bytes | None = None, at: int = 0
) -> bytes:
    """The Merkle root over a tree's leaves; `tag` says whose tree and of which batch it is."""
    return merkle.root_of([tag + leaf for leaf in leaves], indices, hidden, at)


def hidden_leaf(tag: bytes, leaf: bytes, index: int) -> bytes:
    """What stands for the winner's leaf when all others are opened."""
    return merkle.leaf_hashes([tag + leaf], [index])[0]


@dataclass(frozen=True)
class Draws:
    """What a party draws for a list of candidates, as columns; columns of pairs hold p's entry, then q's."""

    units: list[Integer] = field(repr=False)
    """x_i modulo M; empty unless the party is one of the t+1 sievers."""
    sharing: list[list[Integer]] = field(repr=False)
    """t coefficient columns modulo M of the sharing of x_i."""
    resharing: list[list[list[Integer]]] = field(repr=False)
    """For each of the t−1 degree reductions, t coefficient columns modulo M."""
    lifts: list[Integer] = field(repr=False)
    """r_i below R."""
    product: list[list[Integer]] = field(repr=False)
    """t coefficient columns modulo P of the sharing of p_i and q_i."""
    salts: list[bytes] = field(repr=False)

    def salts_for(self, parameters: Parameters, step: int, receiver: int) -> list[bytes]:
        """The salts of private message `step` to `receiver`."""
        at = SALT_BYTES * (step * parameters.parties + receiver - 1)
        return [salts[at : at + SALT_BYTES] for salts in self.salts]


def draw(parameters: Parameters, party: int, leaves: Sequence[bytes]) -> Draws:
    """Read every leaf's stream; the same for the party itself and for whoever audits it."""
    t, m, sieve = parameters.threshold, parameters.parties, mpz(parameters.sieve)
    width, wide = parameters.sieve_width + SLACK_BYTES, parameters.field_width + SLACK_BYTES
    range_width = (parameters.lift_range.bit_length() + 7) // 8 + SLACK_BYTES
    sieving = party in parameters.sievers
    # One candidate's stream: for p and for q the integers modulo M, r, those modulo P; then the salts.
    small = (t + 1 if sieving else 0) + (t - 1) * t
    salt_bytes = SALT_BYTES * m * (t + 1)
    size = 2 * (small * width + range_width + t * wide) + salt_bytes
    columns: list[list[Any]] = [[] for _ in range(small + 1 + t)]
    widths = [width] * small + [range_width] + [wide] * t
    moduli = [sieve] * small + [parameters.lift_range] + [parameters.field] * t
    plan, at = [], 0
    for _half in range(2):
        for column, w, modulus in zip(columns, widths, moduli, strict=True):
            plan.append((column.append, at, at + w, modulus))
            at += w
    salts, read = [], int.from_bytes
    for leaf in leaves:
        stream = shake_256(b"tacita/kg/draw" + leaf).digest(size)
        for append, start, end, modulus in plan:
            append(mpz(read(stream[start:end], "big")) % modulus)
        salts.append(stream[at:])
    units: list[Integer] = []
    if sieving:
        units = columns.pop(0)
        for i, value in enumerate(units):
            if gcd(value, sieve) != 1:
                units[i] = _another_unit(leaves[i // 2], i % 2, width, sieve)
    sharing = [columns.pop(0) for _ in range(t)] if sieving else []
    resharing = [[columns.pop(0) for _ in range(t)] for _ in range(t - 1)]
    return Draws(units, sharing, resharing, columns[0], columns[1:], salts)


def _another_unit(leaf: bytes, half: int, width: int, modulus: Integer) -> Integer:
    attempt = 0
    while True:
        stream = shake_256(b"tacita/kg/unit" + bytes([half]) + attempt.to_bytes(4, "big") + leaf).digest(width)
        value = mpz(int.from_bytes(stream, "big")) % modulus
        if gcd(value, modulus) == 1:
            return value
        attempt += 1


@dataclass(frozen=True)
class Zeros:
    """One party's sharings of zero: `sieve` modulo M (pairs), `product` modulo P; the parties' sum is zero."""

    sieve: list[Integer] = field(repr=False)
    product: list[Integer] = field(repr=False)


def zeros(parameters: Parameters, party: int, pairs: Mapping[int, Sequence[bytes]], count: int) -> Zeros:
    """From the leaves of the trees shared with every other party; the lower-numbered one adds, the other subtracts."""
    width, wide = parameters.sieve_width + SLACK_BYTES, parameters.field_width + SLACK_BYTES
    sieve_sum, product_sum = [mpz(0)] * (2 * count), [mpz(0)] * count
    opening, size = party in parameters.openers, 2 * width + wide
    for other, leaves in pairs.items():
        streams = [shake_256(b"tacita/kg/zero" + leaf).digest(size) for leaf in leaves]
        sign = 1 if party < other else -1
        masks = [int.from_bytes(s[h : h + width], "big") for s in streams for h in (0, width)]
        sieve_sum = [a + sign * b for a, b in zip(sieve_sum, masks, strict=True)]
        if opening and other in parameters.openers:
            masks = [int.from_bytes(s[2 * width :], "big") for s in streams]
            product_sum = [a + sign * b for a, b in zip(product_sum, masks, strict=True)]
    return Zeros([a % parameters.sieve for a in sieve_sum], [a % parameters.field for a in product_sum])
