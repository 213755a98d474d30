"""How the session id of a ceremony came about: whoever knows this can tell what the messages of its batches are about.

A node signs a batch's messages under the label H(label of its epoch, place), and the place holds the session id, a hash
of name, parameters, roster and everybody's coins. So nothing here is signed, and yet nobody can give a node's messages
another meaning than it gave them itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tacita.crypto.encoding import read_json
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.security import ALLOWED_MODULUS_BITS
from tacita.crypto.transcript import Transcript, digest
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import Place
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

LIMITS = {"bits": max(ALLOWED_MODULUS_BITS), "batch": 1024, "trial_limit": 1 << 20, "rounds": 128, "statistical": 128}
MAX_LATTICE_BITS = 1024
"""Of F and of M: no ceremony takes more, and a judge computes with what a stranger gives."""


def session_place(name: str, roster: Roster, parameters: Parameters, purpose: str) -> bytes:
    """Under what a node remembers the session id of this ceremony; all nodes must mean the same."""
    meant = ("roster", roster.digest), ("parameters", parameters.digest), ("purpose", purpose)
    return digest("keygen-ceremony", ("name", name), *meant)


def session_id(place: bytes, channel: bytes, coins: Mapping[str, bytes]) -> bytes:
    """From the place, the label of the channel on which the nodes said hello, and the coins in roster order."""
    transcript = Transcript("keygen-session").absorb("place", place).absorb("channel", channel)
    for name, coin in coins.items():
        transcript.absorb("node", name).absorb("coin", coin)
    return transcript.digest()


def batch_label(epoch: bytes, place: Place) -> bytes:
    """The label of a batch's channel; `epoch` is the label of the channel on which that epoch's nodes said hello."""
    return digest("keygen-batch", ("label", epoch), ("place", place.encode()))


@dataclass(frozen=True)
class Beginning:
    """What a session id is made of."""

    name: str
    purpose: str
    parameters: Parameters
    channel: bytes
    """Label of the channel on which the session was agreed."""
    coins: Mapping[str, bytes]
    """Node → its part, in roster order."""

    def session(self, roster: Roster) -> bytes:
        """The session id."""
        place = session_place(self.name, roster, self.parameters, self.purpose)
        return session_id(place, self.channel, self.coins)

    def tree(self) -> dict[str, Any]:
        """For evidence and for the memory."""
        sizes = {f.name: format(getattr(self.parameters, f.name), "x") for f in fields(Parameters)}
        coins = {name: coin.hex() for name, coin in self.coins.items()}
        head = {"name": self.name, "purpose": self.purpose, "channel": self.channel.hex()}
        return {**head, "parameters": sizes, "coins": coins}

    @staticmethod
    def read(tree: Any, roster: Roster) -> "Beginning":
        """The inverse; raises InvalidEncoding, ValueError, LookupError, TypeError, AttributeError or CallerMistake."""
        coins = {name: bytes.fromhex(tree["coins"][name]) for name in roster.names}
        parameters = _parameters(tree["parameters"], roster)
        return Beginning(tree["name"], tree["purpose"], parameters, bytes.fromhex(tree["channel"]), coins)


def _parameters(tree: Mapping[str, str], roster: Roster) -> Parameters:
    """Raises CallerMistake for sizes that fit no ceremony."""
    names = {f.name for f in fields(Parameters)}
    if set(tree) != names or any(len(text) > MAX_LATTICE_BITS // 4 for text in tree.values()):
        raise InvalidEncoding("the sizes of the ceremony are not those of one")
    sizes = {name: int(text, 16) for name, text in tree.items()}
    if (sizes["parties"], sizes["threshold"]) != (len(roster.nodes), roster.threshold):
        raise InvalidEncoding("the ceremony is of another number of nodes")
    if any(not 0 < sizes[name] <= limit for name, limit in LIMITS.items()) or min(sizes.values()) < 1:
        raise InvalidEncoding("the sizes of the ceremony are beyond those of any ceremony")
    return Parameters(**sizes)


def context(beginning: bytes, batch: int, epochs: Mapping[int, bytes]) -> bytes:
    """The context of evidence: how the ceremony began, the batch, and the label of each epoch that worked on it."""
    labels = {str(number): label.hex() for number, label in epochs.items()}
    return canonical_json({"beginning": read_json(beginning), "batch": batch, "epochs": labels})


@dataclass(frozen=True)
class Batch:
    """What evidence is about: a batch, where it was begun and where it was worked on last."""

    parameters: Parameters
    begun: Place
    last: Place
    """The same, unless the ceremony was interrupted in between."""
    labels: tuple[bytes, bytes]
    """The labels of both."""


def read_context(data: bytes, roster: Roster) -> Batch:
    """From a context; raises as Beginning.read."""
    tree = read_json(data)
    beginning = Beginning.read(tree["beginning"], roster)
    session, number = beginning.session(roster), tree["batch"]
    epochs = sorted((int(text), bytes.fromhex(label)) for text, label in tree["epochs"].items())
    numbers = (number, *dict(epochs))
    if type(number) is not int or not 1 <= len(epochs) <= 2 or not all(0 <= n < 1 << 20 for n in numbers):
        raise InvalidEncoding("the evidence does not say which batch it is about")
    places = [Place(session, epoch, number) for epoch, _ in epochs]
    labels = [batch_label(label, place) for (_, label), place in zip(epochs, places, strict=True)]
    return Batch(beginning.parameters, places[0], places[-1], (labels[0], labels[-1]))
