"""What was said in a ceremony of a Ring, as evidence that an honest node could show."""

from tacita.deploy.attack.ring import Ring
from tacita.protocols.envelope import ABORT, EVERYONE, Envelope, sign
from tacita.protocols.faults import Evidence
from tacita.protocols.keygen.beginning import context
from tacita.protocols.keygen.memory import Memory
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.talk import CHECK


def opened(data: bytes) -> Envelope:
    """The message without a look at its signature."""
    return Envelope.decode(data[64:])


def said(ring: Ring) -> list[bytes]:
    """Every signed message, once."""
    return list(dict.fromkeys(sign(s.envelope, ring.identities[s.envelope.sender]) for s in ring.sent))


def place_of(signed: tuple[bytes, ...]) -> Place:
    """As the announcements of a batch name it."""
    place = next(e.payload[:40] for e in map(opened, signed) if e.round == "S1")
    return Place(place[:32], int.from_bytes(place[32:36], "big"), int.from_bytes(place[36:], "big"))


def records(ring: Ring) -> list[Evidence]:
    """Everything that was broadcast about each batch, in order, with its echoes."""
    broadcasts = [(opened(d), d) for d in said(ring) if opened(d).receiver == EVERYONE and opened(d).round != ABORT]
    made = []
    for label in dict.fromkeys(e.session for e, _ in broadcasts if e.round == "S1"):
        signed = tuple(d for e, d in broadcasts if e.session == label)
        place = place_of(signed)
        memory = Memory(ring.stores["node1"], place.session)
        labels = {place.epoch: memory.label_of(place.epoch)}
        made.append(Evidence(CHECK, signed, context(memory.beginning(), place.batch, labels)))
    return made
