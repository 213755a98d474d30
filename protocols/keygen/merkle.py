"""Merkle trees: a broadcast root fixes every candidate's bytes; a dispute or an audit opens all but the winner's."""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hashes(leaves: Sequence[bytes], indices: Sequence[int]) -> list[bytes]:
    """Hashes of leaves, each with its place."""
    placed = zip(indices, leaves, strict=True)
    return [sha256(b"\0" + index.to_bytes(4, "big") + leaf).digest() for index, leaf in placed]


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of leaf hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def root_of(leaves: Sequence[bytes], indices: Sequence[int], hidden: bytes | None = None, at: int = 0) -> bytes:
    """The root of leaves at `indices`; the one missing leaf, if any, is given by its hash and place."""
    hashes = leaf_hashes(leaves, indices)
    if hidden is not None:
        hashes.insert(at, hidden)
    return root(hashes)
