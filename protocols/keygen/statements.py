"""What parties broadcast in a batch: announcements, outcomes and reveals, each with its one encoding.

An announcement (S1) fixes everything that a party may do in the batch: its seed tree, the trees it shares with the
parties after it, and the Merkle roots of its first private messages. A reveal (S9) opens the trees: by the root σ if
there is no winner, else by the co-paths around the winner's leaf and the hashes of what stays hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import InvalidEncoding
from tacita.protocols.keygen import merkle, seeds
from tacita.protocols.keygen.parameters import Parameters

NO_ROWS = bytes(32)
"""Stands for the root of a private message that has no rows: who contributes no unit sends no sieve shares."""


@dataclass(frozen=True)
class Place:
    """Where a message of the ceremony belongs; in every commitment, so that nothing can be replayed elsewhere."""

    session: bytes
    epoch: int
    batch: int

    def encode(self) -> bytes:
        """40 bytes."""
        return Writer().fixed(self.session, 32).unsigned(self.epoch, 4).unsigned(self.batch, 4).to_bytes()

    @staticmethod
    def read(reader: Reader) -> "Place":
        """The inverse."""
        return Place(reader.fixed(32), reader.unsigned(4), reader.unsigned(4))

    def commitment(self, step: str, sender: int, nonce: bytes, payload: bytes) -> bytes:
        """R12: SHA-256(tag, session, epoch, step, batch, sender, nonce, payload)."""
        name = step.encode()
        head = b"tacita/kg/commit" + self.encode() + bytes([len(name)]) + name + bytes([sender])
        return sha256(head + nonce + payload).digest()

    def tree_tag(self, owner: int, other: int = 0) -> bytes:
        """Separates the leaves of every tree: σ of `owner`, or K shared by `owner` and `other`."""
        return sha256(b"tacita/kg/leaf" + self.encode() + bytes([owner, other])).digest()


def message_root(rows: Sequence[bytes], indices: Sequence[int], hidden: bytes | None = None, at: int = 0) -> bytes:
    """The root that stands for a private message."""
    return merkle.root_of(rows, indices, hidden, at) if rows else NO_ROWS


@dataclass(frozen=True)
class Announcement:
    """S1 of one party."""

    place: Place
    tree: bytes
    pairs: Mapping[int, bytes]
    """Commitment of K_{ij} for every j > i."""
    roots: Mapping[int, bytes]
    """Root of the private message to every other party."""

    def encode(self) -> bytes:
        """Place, tree, pairs and roots in party order."""
        parts = [self.place.encode(), self.tree, *self.pairs.values(), *self.roots.values()]
        return b"".join(parts)

    @staticmethod
    def decode(parameters: Parameters, party: int, data: bytes) -> "Announcement":
        """The inverse; raises InvalidEncoding."""
        reader = Reader(data, "an announcement")
        place, tree = Place.read(reader), reader.fixed(32)
        pairs = {j: reader.fixed(32) for j in parameters.everyone if j > party}
        roots = {j: reader.fixed(32) for j in parameters.everyone if j != party}
        reader.finish()
        return Announcement(place, tree, pairs, roots)


def decode_roots(parameters: Parameters, party: int, data: bytes) -> dict[int, bytes]:
    """The roots of a party's later private messages."""
    reader = Reader(data, "a list of message roots")
    roots = {j: reader.fixed(32) for j in parameters.everyone if j != party}
    reader.finish()
    return roots


@dataclass(frozen=True)
class Hidden:
    """Hashes of what a punctured reveal leaves out."""

    at: int
    tree: bytes
    pairs: Mapping[int, bytes]
    rows: Sequence[Mapping[int, bytes]]
    """Per private message and receiver, the hash of the winner's row."""


@dataclass(frozen=True)
class Reveal:
    """S9 of one party: the leaves of its trees, all or all but the winner's."""

    leaves: Sequence[bytes] = field(repr=False)
    pairs: Mapping[int, Sequence[bytes]] = field(repr=False)
    hidden: Hidden | None

    @staticmethod
    def whole(parameters: Parameters, party: int, root: bytes) -> "Reveal":
        """From σ."""
        depth = parameters.batch.bit_length() - 1
        pairs = {j: seeds.expand(seeds.pair_root(root, j), depth) for j in parameters.everyone if j > party}
        return Reveal(seeds.expand(root, depth), pairs, None)

    def matches(self, parameters: Parameters, party: int, announced: Announcement) -> bool:
        """Whether these are the trees that were announced in S1."""
        place, hidden, indices = announced.place, self.hidden, indices_of(parameters, self.hidden)
        own = hidden.tree if hidden else None
        at = hidden.at if hidden else 0
        if seeds.commitment(place.tree_tag(party), self.leaves, indices, own, at) != announced.tree:
            return False
        return all(
            seeds.commitment(place.tree_tag(party, j), leaves, indices, hidden.pairs[j] if hidden else None, at)
            == announced.pairs[j]
            for j, leaves in self.pairs.items()
        )


def indices_of(parameters: Parameters, hidden: Hidden | None) -> list[int]:
    """The candidates that a reveal opens."""
    return [c for c in range(parameters.batch) if hidden is None or c != hidden.at]


def encode_whole(root: bytes) -> bytes:
    """The reveal of a batch without a winner."""
    return root


def encode_punctured(
    parameters: Parameters, party: int, place: Place, root: bytes, at: int, rows: Sequence[Mapping[int, bytes]]
) -> bytes:
    """The reveal of a batch with a winner; `rows` holds the hashes of the winner's rows per message and receiver."""
    depth = parameters.batch.bit_length() - 1
    writer = Writer()
    others = [(j, seeds.pair_root(root, j)) for j in parameters.everyone if j > party]
    for other, seed in [(0, root), *others]:
        for sibling in seeds.puncture(seed, depth, at):
            writer.fixed(sibling, 32)
        leaf = seeds.expand(seed, depth)[at]
        writer.fixed(seeds.hidden_leaf(place.tree_tag(party, other), leaf, at), 32)
    for message in rows:
        for j in parameters.everyone:
            if j != party:
                writer.fixed(message[j], 32)
    return writer.to_bytes()


def decode_reveal(parameters: Parameters, party: int, data: bytes, at: int | None) -> Reveal:
    """Take a reveal apart: whole if there is no winner, punctured at `at` otherwise; raises InvalidEncoding."""
    if at is None:
        if len(data) != seeds.SEED_BYTES:
            raise InvalidEncoding("a reveal is not a seed of 32 bytes")
        return Reveal.whole(parameters, party, data)
    depth, reader = parameters.batch.bit_length() - 1, Reader(data, "a punctured reveal")
    leaves: dict[int, list[bytes]] = {}
    hashes: dict[int, bytes] = {}
    for other in [0, *(j for j in parameters.everyone if j > party)]:
        leaves[other] = seeds.regrow([reader.fixed(32) for _ in range(depth)], at)
        hashes[other] = reader.fixed(32)
    others = [j for j in parameters.everyone if j != party]
    rows = [{j: reader.fixed(32) for j in others} for _ in range(parameters.threshold + 1)]
    reader.finish()
    own, tree = leaves.pop(0), hashes.pop(0)
    return Reveal(own, leaves, Hidden(at, tree, hashes, rows))
