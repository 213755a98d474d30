"""Signed envelopes: what one party says to another or to all, as bytes that prove it.

An envelope is raw bytes (session, round, sender, receiver, sequence, payload) and the sender's Ed25519 signature
over exactly those bytes. Two different bodies for one place convict their signer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey, verify_signature
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols.faults import Evidence, PeerRefused
from tacita.protocols.roster import Roster

EVERYONE = "*"
ABORT = "abort"
EQUIVOCATION = "equivocation"
GREET = "greet"
MAX_PAYLOAD = 48 << 20


@dataclass(frozen=True)
class Envelope:
    """One signed message."""

    session: bytes
    round: str
    sender: str
    receiver: str
    sequence: int
    payload: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The bytes that are signed."""
        writer = Writer().fixed(self.session, 32).text(self.round).text(self.sender).text(self.receiver)
        return writer.unsigned(self.sequence, 8).blob(self.payload).to_bytes()

    @staticmethod
    def decode(body: bytes) -> "Envelope":
        """The inverse of encode; raises InvalidEncoding."""
        reader = Reader(body, "an envelope")
        session, name = reader.fixed(32), reader.text(64)
        sender, receiver = reader.text(64), reader.text(64)
        envelope = Envelope(session, name, sender, receiver, reader.unsigned(8), reader.blob(MAX_PAYLOAD))
        reader.finish()
        return envelope


def sign(envelope: Envelope, key: SigningKey) -> bytes:
    """signature ‖ body."""
    body = envelope.encode()
    return key.sign("envelope", body) + body


def open_signed(data: bytes, roster: Roster) -> tuple[Envelope, bytes]:
    """Check signature and sender; returns the envelope and the signed bytes. Raises CryptoError or PeerRefused."""
    if len(data) <= SIGNATURE_BYTES:
        raise InvalidEncoding("a message is too short to be signed")
    envelope = Envelope.decode(data[SIGNATURE_BYTES:])
    if not (envelope.round.isascii() and envelope.round.isprintable()):
        raise InvalidEncoding("the name of a round is not printable")
    if envelope.sender not in roster.names:
        raise PeerRefused("a message claims to come from somebody who is not in the roster")
    identity = roster.nodes[roster.index(envelope.sender)].identity
    verify_signature(identity, "envelope", data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES])
    return envelope, data


def convicted(evidence: Evidence, roster: Roster) -> str:
    """Who signed two different bodies for one place; a stranger can repeat this. Raises CryptoError or PeerRefused.

    Messages that an honest node may say anew (its greeting, an abort) and messages to two receivers convict nobody.
    """
    if evidence.check != EQUIVOCATION or len(evidence.signed) != 2:
        raise InvalidEncoding("this is not evidence of equivocation")
    (first, one), (second, other) = (open_signed(data, roster) for data in evidence.signed)
    places = [(e.session, e.round, e.sender, e.receiver) for e in (first, second)]
    repeatable = first.round == ABORT or first.round.split("/")[0] == GREET
    if places[0] != places[1] or repeatable or one[SIGNATURE_BYTES:] == other[SIGNATURE_BYTES:]:
        raise InvalidEncoding("the two messages do not contradict one another")
    return first.sender


def echo_of(signed: Iterable[bytes]) -> bytes:
    """What a node echoes: a digest of everybody's signed message, in roster order."""
    return b"".join(digest("echo", ("signed", data)) for data in signed)


def absorb(root: Transcript, round_name: str, payloads: Mapping[str, bytes]) -> None:
    """Add a broadcast, {node: payload} in roster order, to the digest of everything broadcast so far."""
    root.absorb("round", round_name)
    for name, payload in payloads.items():
        root.absorb(name, digest("payload", ("payload", payload)))


def root_of(session: bytes, earlier: bytes, rounds: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """`Channel.root` after these broadcasts {round: {node: payload}}, nodes in roster order."""
    root = Transcript("rounds").absorb("session", session).absorb("earlier", earlier)
    for name, payloads in rounds.items():
        absorb(root, name, payloads)
    return root.digest()
