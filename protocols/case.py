"""The record of one session inside evidence: every broadcast up to a fault, each echoed alike by every node.

Of a session with several attempts it holds what was gathered before the first one, and one attempt alone: the number
in its context is part of the session id, the label of all messages after the gathering.

Whoever shows a record may have made up everything in it but what others signed. An honest node's echo of a round fixes
what it heard in that round, word by word, before it says anything in the next one; so a record that holds everybody's
echoes is what every honest node in it has really seen, however many of the others lie.
"""

from dataclasses import dataclass, field

from tacita.crypto.encoding import FILE_VALUES, read_json
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.security import ALLOWED_MODULUS_BITS
from tacita.crypto.threshold import check_key
from tacita.protocols.envelope import ABORT, EVERYONE, GREET, Envelope, echo_of, open_signed, root_of
from tacita.protocols.faults import Evidence
from tacita.protocols.policies.registry import complete_terms
from tacita.protocols.reading import COMPUTING, DISPUTE, GATHERING, Reading, gathering, meeting, opened_tree
from tacita.protocols.releasing import PARTIALS, SIGNED, TICKET
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import key_tree, read_key
from tacita.protocols.stages.setup import check_parties
from tacita.protocols.terms import canonical_json

PRIVATE = ("keys", "mask shares")
"""From one node to another."""
AFTERWARDS = (TICKET, SIGNED, PARTIALS)
"""To everybody, and not echoed."""
MAX_OPENED_DIGITS = 1 << 12
Messages = dict[tuple[bytes, str, str, str], tuple[Envelope, bytes]]
"""(label, round, sender, receiver) → message and signed bytes."""


def misplaced(message: Envelope, gathering: bool) -> bool:
    """Whether no node says this round to this receiver, under the label of the gathering or under the session id."""
    rounds, private, last = (GATHERING, (), ()) if gathering else ((*COMPUTING, *DISPUTE), PRIVATE, AFTERWARDS)
    if message.receiver == EVERYONE:
        return message.round not in {ABORT, *rounds, *(f"{name}/echo" for name in rounds), *last}
    name, _, number = message.round.partition("/dispute/")
    return message.round not in private and not (name in rounds and number.isdecimal())


def context(reading: Reading) -> bytes:
    """What the messages of a session refer to by hash."""
    tree = {
        "terms": reading.terms.tree,
        "attempt": reading.attempt,
        "key": key_tree(reading.key),
        "greetings": {name: data.hex() for name, data in reading.said[GREET].items()},
        "opened": opened_tree(reading.opened),
    }
    return canonical_json(tree)


@dataclass
class Case:
    """A record of one session that every node has confirmed by its echoes."""

    reading: Reading
    label: bytes
    """Of its gathering."""
    last: str
    """The last round of the record."""
    shown: list[Envelope] = field(default_factory=list)
    """Messages that are no part of a broadcast."""


def read_case(evidence: Evidence, roster: Roster) -> Case:
    """Take the record apart; raises CryptoError or PeerRefused for everything that no honest node has in its hands."""
    reading = _context(evidence.context, roster)
    messages = Messages()
    for data in evidence.signed:
        envelope, signed = open_signed(data, roster)
        place = (envelope.session, envelope.round, envelope.sender, envelope.receiver)
        if place in messages:
            raise InvalidEncoding("the evidence holds a message twice")
        messages[place] = (envelope, signed)
    label = gathering(meeting(reading.terms), reading.said[GREET])
    last = _admit(messages, label, GATHERING, reading)
    labels = {label}
    if last == GATHERING[-1] and messages:
        labels.add(reading.session)
        disputed = any(name == DISPUTE[0] for _, name, *_ in messages)
        order = (*COMPUTING[:-1], *DISPUTE) if disputed else COMPUTING
        last = _admit(messages, reading.session, order, reading) or last
    if any(session not in labels for session, *_ in messages):
        raise InvalidEncoding("the evidence mixes messages of several sessions, or its record has gaps")
    if last == COMPUTING[-1]:
        reading.root = _root(reading, label)
        if any(said != reading.openings for said in reading.said[last].values()):
            raise InvalidEncoding("the nodes did not all open what the evidence says")
        reading.check_opened()
    return Case(reading, label, last, [envelope for envelope, _ in messages.values()])


def _context(data: bytes, roster: Roster) -> Reading:
    tree = read_json(data, FILE_VALUES)
    if not isinstance(tree, dict) or set(tree) != {"terms", "attempt", "key", "greetings", "opened"}:
        raise InvalidEncoding("the context is not that of a session")
    terms, key = complete_terms(tree["terms"]), read_key(tree["key"])
    if terms.canonical() != canonical_json(tree["terms"]) or key_tree(key) != tree["key"]:
        raise InvalidEncoding("terms or key are not complete and canonical")
    if key.modulus.bit_length() > max(ALLOWED_MODULUS_BITS):
        raise InvalidEncoding("the key is longer than any key of a session")
    check_parties(key, roster)
    check_key(key)
    greetings = tree["greetings"]
    if set(greetings) != set(roster.names):
        raise InvalidEncoding("the greetings are not those of all nodes")
    if type(tree["attempt"]) is not int or not 1 <= tree["attempt"] <= terms.session.max_attempts:
        raise InvalidEncoding("the terms do not allow an attempt of this number")
    reading = Reading(terms, roster, key, attempt=tree["attempt"])
    reading.said[GREET] = {name: bytes.fromhex(greetings[name]) for name in roster.names}
    reading.opened = {label: [_integer(text) for text in values] for label, values in tree["opened"].items()}
    return reading


def _integer(text: str) -> int:
    if len(text) > MAX_OPENED_DIGITS:
        raise InvalidEncoding("an opened value is too long")
    return int(text, 16)


def _admit(messages: Messages, label: bytes, order: tuple[str, ...], reading: Reading) -> str:
    """Move complete broadcasts, each echoed alike by everybody, into the reading; returns the last one's name."""
    names, last = reading.roster.names, ""
    for name in order:
        places = [(label, name, sender, EVERYONE) for sender in names]
        if not all(place in messages for place in places):
            break
        said = [messages.pop(place) for place in places]
        echo = echo_of(signed for _, signed in said)
        for sender in names:
            heard = messages.pop((label, f"{name}/echo", sender, EVERYONE), None)
            if heard is None or heard[0].payload != echo:
                raise InvalidEncoding(f"{sender} has not confirmed the messages of round '{name}'")
        reading.said[name] = {envelope.sender: envelope.payload for envelope, _ in said}
        last = name
    return last


def _root(reading: Reading, label: bytes) -> bytes:
    """The digest of all broadcasts, as the nodes' channels have it."""
    root = root_of(meeting(reading.terms), b"", {GREET: reading.said[GREET]})
    root = root_of(label, root, {name: reading.said[name] for name in GATHERING})
    return root_of(reading.session, root, {name: reading.said[name] for name in COMPUTING})
