"""Stage 2: keys of the engine from everybody's contributions, and each node's shares of the inputs.

Every subset of m − t nodes needs a common random key (replicated secret sharing) and so does every pair. Each member
contributes; contributions are committed before the first bid opens and sent to the members alone; all members
compare a hash of the key before it is used, so no member can hand out two different keys (attack A87).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols.faults import InvalidEncodingFault, ProtocolFault, SuspectFault
from tacita.protocols.mpc.sharing import EngineKeys, replicated_subsets
from tacita.protocols.roster import Roster
from tacita.protocols.stages.setup import Setup

Subset = tuple[int, ...]


def key_subsets(roster: Roster) -> list[Subset]:
    """All subsets that share a key: those of size m − t, and all pairs (once each)."""
    m = len(roster.nodes)
    return sorted({*replicated_subsets(m, roster.threshold), *combinations(range(m), 2)})


@dataclass(frozen=True)
class Contributions:
    """One node's random contribution to every key it takes part in."""

    values: Mapping[Subset, bytes] = field(repr=False)

    @staticmethod
    def draw(roster: Roster, me: int, entropy: Entropy) -> "Contributions":
        """32 fresh bytes per subset."""
        return Contributions({s: entropy.token(32) for s in key_subsets(roster) if me in s})

    def commitments(self) -> bytes:
        """One hash per subset, in the order of key_subsets."""
        return b"".join(_commitment(s, v) for s, v in self.values.items())

    def for_peer(self, peer: int) -> bytes:
        """The contributions that this peer shares."""
        writer = Writer()
        for subset, value in self.values.items():
            if peer in subset:
                writer.fixed(value, 32)
        return writer.to_bytes()


def _commitment(subset: Subset, value: bytes) -> bytes:
    return digest("key-contribution", ("subset", bytes(subset)), ("value", value))


def contributions_of(
    roster: Roster, sender: int, receiver: int, commitments: bytes, data: bytes
) -> dict[Subset, bytes]:
    """What `sender` told `receiver`, as committed to; raises ProtocolFault naming the sender."""
    name = roster.names[sender]
    theirs = [s for s in key_subsets(roster) if sender in s]
    try:
        reader = Reader(data, f"the key contributions of {name}")
        values = {s: reader.fixed(32) for s in theirs if receiver in s}
        reader.finish()
    except InvalidEncoding as error:
        raise InvalidEncodingFault(name, str(error)) from error
    for s, value in values.items():
        place = 32 * theirs.index(s)
        if commitments[place : place + 32] != _commitment(s, value):
            raise ProtocolFault(name, "its key contribution does not match its commitment")
    return values


def derive_keys(
    me: int,
    session: bytes,
    mine: Contributions,
    received: Mapping[int, Mapping[Subset, bytes]],
) -> dict[Subset, bytes]:
    """Hash everybody's contributions {node: {subset: value}}, checked by contributions_of, to keys."""
    parts: dict[Subset, dict[int, bytes]] = {s: {me: v} for s, v in mine.values.items()}
    for peer, values in received.items():
        for s, value in values.items():
            parts[s][peer] = value
    keys = {}
    for s, members in parts.items():
        transcript = Transcript("engine-key").absorb("session", session).absorb("subset", bytes(s))
        for member in sorted(members):
            transcript.absorb("member", member).absorb("value", members[member])
        keys[s] = transcript.digest()
    return keys


def confirmations(roster: Roster, keys: Mapping[Subset, bytes]) -> bytes:
    """H(key) per subset, zeros where this node is no member: broadcast before the keys are used."""
    blank = bytes(32)
    return b"".join(digest("key-confirmation", ("key", keys[s])) if s in keys else blank for s in key_subsets(roster))


def check_confirmations(roster: Roster, everybody: Mapping[str, bytes]) -> None:
    """All members of every subset must hold the same key; raises SuspectFault."""
    for name, data in everybody.items():
        if len(data) != 32 * len(key_subsets(roster)):
            raise InvalidEncodingFault(name, "its key confirmations have a wrong length")
    for i, subset in enumerate(key_subsets(roster)):
        members = [roster.names[j] for j in subset]
        if len({everybody[name][32 * i : 32 * i + 32] for name in members}) != 1:
            raise SuspectFault(tuple(members), "members of a key subset hold different keys; run again")


def engine_keys(roster: Roster, me: int, keys: Mapping[Subset, bytes]) -> EngineKeys:
    """Sort the keys into replicated and pairwise ones."""
    m = len(roster.nodes)
    replicated = {s: keys[s] for s in replicated_subsets(m, roster.threshold) if me in s}
    pairwise = {j: keys[min(me, j), max(me, j)] for j in range(m) if j != me}
    return EngineKeys(
        {s: digest("replicated", ("key", k)) for s, k in replicated.items()},
        {j: digest("pairwise", ("key", k)) for j, k in pairwise.items()},
    )


def by_block(setup: Setup, shares: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """This node's input shares in the engine's order {input label: shares} from {participant: shares ‖ one blind}."""
    blocks = {block.label: [0] * block.size for block in setup.demand.inputs}
    for name, row in shares.items():
        for place, value in zip(setup.instance.places(name), row[:-1], strict=True):
            blocks[place.label][place.position] = value
    return blocks
