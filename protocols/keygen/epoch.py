"""One epoch of a ceremony at one node: what it is given, its channels, and how it ends.

Every start of a node is an epoch of its own with fresh labels; the session id and the memory outlive it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tacita.crypto.encoding import read_json
from tacita.crypto.entropy import Entropy
from tacita.crypto.signature import SigningKey
from tacita.crypto.threshold import KeyShare
from tacita.protocols.channel import Channel
from tacita.protocols.faults import LocalFault, ProtocolFault
from tacita.protocols.keygen import judge
from tacita.protocols.keygen.beginning import batch_label
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.keygen.memory import KeyStore, Memory
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.talk import Talk
from tacita.protocols.keygen.view import steps
from tacita.protocols.party import Event
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

KEY, MODULUS = "key", "commitment modulus"
OpenChannel = Callable[[bytes, bytes], Channel]


@dataclass(frozen=True)
class Ceremony:
    """One node's part in a ceremony; everything outside is injected here."""

    name: str
    """Tells this ceremony from others of the same roster."""
    node: str
    roster: Roster
    parameters: Parameters
    identity: SigningKey = field(repr=False)
    entropy: Entropy
    store: KeyStore
    report: Callable[[Event], None] = lambda _: None
    purpose: str = KEY
    share: KeyShare | None = field(default=None, repr=False)
    """This node's share, if it has finished this ceremony before and others have not."""


@dataclass(frozen=True)
class Made:
    """What a node has at the end."""

    certificate: KeyCertificate
    share: KeyShare = field(repr=False)
    candidates: int
    """How many were tried in this epoch."""


class Epoch:
    """The channels, the memory and the number of one epoch."""

    def __init__(self, ceremony: Ceremony, open_channel: OpenChannel) -> None:
        self.ceremony, self.open_channel, self.parameters = ceremony, open_channel, ceremony.parameters
        self.channel: Channel | None = None
        self.talk: Talk | None = None
        self.memory = Memory(ceremony.store, bytes(32))
        self.label, self.number, self.candidates = b"", 0, 0
        self.ended = False

    async def end(self, error: BaseException) -> None:
        """Tell the others, once; who was named with evidence ends the ceremony for good."""
        if self.ended:
            return
        self.ended = True
        evidence = error.evidence if isinstance(error, ProtocolFault) else None
        if evidence is not None:
            self.memory.end(str(error))
        if self.channel is not None:
            await asyncio.shield(self.channel.abort(evidence))

    def next_channel(self, label: bytes) -> Channel:
        """The next channel; evidence that comes with an abort is judged here."""
        earlier, ceremony = self.channel, self.ceremony
        self.channel = channel = self.open_channel(label, earlier.root if earlier else b"")
        if earlier is not None:
            channel.judge = lambda evidence: judge.verdict(ceremony.roster, evidence, self.memory.session)
            channel.follow(earlier)
        return channel

    def talk_about(self, batch: int) -> Talk:
        """A channel for one batch of this epoch."""
        place = Place(self.memory.session, self.number, batch)
        self.talk = Talk(self.next_channel(batch_label(self.label, place)), place, self.memory, self.ceremony.entropy)
        return self.talk

    def talk_again(self, batch: int) -> Talk:
        """A channel for a batch of an earlier epoch, with what was said then."""
        talk = self.talk_about(batch)
        for step in steps(self.parameters):
            talk.record.enter(self.memory.recall_said(batch, step), self.ceremony.roster)
        return talk

    def before_opening(self) -> None:
        """A node that signed a key opens nothing of its ceremony; one that opens something signs no key of it."""
        if self.memory.signed() is not None:
            raise LocalFault("this node has signed a key of this ceremony and opens nothing of it")
        self.memory.drop_key()


def encode_pending(certificate: KeyCertificate, share: KeyShare) -> bytes:
    """The key without signatures and this node's share, for the memory."""
    tree = {"certificate": certificate.tree(), "index": share.index, "secret": format(share.secret, "x")}
    return canonical_json(tree)


def read_pending(data: bytes) -> tuple[KeyCertificate, KeyShare]:
    """The inverse."""
    tree = read_json(data)
    return KeyCertificate.read(tree["certificate"]), KeyShare(tree["index"], int(tree["secret"], 16))
