"""What must hold at every step of a world; every sentence in `broken` is a bug in the protocol's code.

one word      an honest node signs one message for one place (session, round, receiver)
one ticket    it signs one ticket, whatever the attempt
agreement     honest nodes that go on from a round with echo hold the same message of everybody
held back     an honest node opens nothing before it holds everybody's commitment, and everybody's echo that all hold
              the same ones
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from tacita.crypto.errors import CryptoError
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.crypto.transcript import digest
from tacita.protocols.envelope import ABORT, GREET, Envelope

OPENS: Mapping[str, str] = {"open": "commit", "coins": "hello", "keys": "hello", "bind coin": "bind commit"}
"""Round that opens → round that commits. Rounds of one channel, but for the keys."""
OTHER_CHANNEL = ("keys",)


class Watch:
    """Sees what honest nodes say, hear and conclude."""

    def __init__(self, honest: Collection[str], names: Collection[str]) -> None:
        self._honest, self._names = honest, names
        self._said: dict[tuple[bytes, str, str, str], bytes] = {}
        self._concluded: dict[tuple[bytes, str], bytes] = {}
        self._tickets: dict[str, bytes] = {}
        self._heard: defaultdict[str, set[tuple[bytes, str, str]]] = defaultdict(set)
        self._held: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self.broken: list[str] = []

    def says(self, sender: str, envelope: Envelope, data: bytes) -> None:
        """A node hands a message to the network."""
        if sender not in self._honest:
            return
        if envelope.round != ABORT and envelope.round.split("/")[0] != GREET:
            place = (envelope.session, envelope.round, sender, envelope.receiver)
            if self._said.setdefault(place, data) != data:
                self.broken.append(f"{sender} signs two messages in round '{envelope.round}'")
        if envelope.round == "ticket" and self._tickets.setdefault(sender, envelope.session) != envelope.session:
            self.broken.append(f"{sender} signs the tickets of two attempts")
        if envelope.round in OPENS:
            self._opens(sender, envelope)

    def _opens(self, sender: str, envelope: Envelope) -> None:
        before = OPENS[envelope.round]
        for peer in self._names:
            for needed in (before, f"{before}/echo"):
                held = (
                    (needed, peer) in self._held[sender]
                    if envelope.round in OTHER_CHANNEL
                    else (envelope.session, needed, peer) in self._heard[sender]
                )
                if peer != sender and not held:
                    self.broken.append(f"{sender} sends '{envelope.round}' before it has '{needed}' of {peer}")

    def hears(self, sender: str, receiver: str, data: bytes) -> None:
        """The network hands a message to a node."""
        try:
            envelope = Envelope.decode(data[SIGNATURE_BYTES:])
        except CryptoError:
            return  # noise that a node sends who misbehaves
        self._heard[receiver].add((envelope.session, envelope.round, sender))
        self._held[receiver].add((envelope.round, sender))

    def concludes(self, node: str, session: bytes, round_name: str, payloads: Mapping[str, bytes]) -> None:
        """A node goes on from a round with echo."""
        if node not in self._honest:
            return
        view = digest("view", *((name, payloads[name]) for name in sorted(payloads)))
        if self._concluded.setdefault((session, round_name), view) != view:
            self.broken.append(f"{node} goes on from round '{round_name}' with other messages than another honest node")
