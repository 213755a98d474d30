"""What a node does that misbehaves: it runs the honest program, and hooks change what it says, sends and takes in.

on_step     what it says in a round, to all alike: its own echo and its own view hold the lie, too
on_send     what leaves towards one receiver: another message under its signature, none, or other bytes
on_receive  what it takes in from a peer
on_engine   the bytes of its engine towards one peer
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tacita.protocols.envelope import Envelope
from tacita.protocols.mpc.shared import SharedEngine

Change = Callable[[bytes], bytes]
Sent = Envelope | Sequence[bytes] | None
"""What leaves: an envelope to sign, signed bytes, or nothing."""


@dataclass
class Behaviour:
    """A node that follows the protocol, but for what its fields and methods say."""

    lies: Mapping[str, Change] = field(default_factory=dict)
    """{round: payload → payload}, see on_step."""
    rewrite: Callable[[Envelope, str], Sent] = lambda envelope, receiver: envelope
    """See on_send."""
    rushes: bool = False
    """It waits for everybody else's message before it tells a lie."""
    engine: type[SharedEngine] = SharedEngine
    engine_bytes: Callable[[int, bytes], bytes] = lambda receiver, data: data
    """See on_engine; receivers count from 0."""
    job: Callable[[Any], Any] = lambda job: job
    """Changes what its engine is given."""
    delay: float = 0.0
    """Seconds that it waits before it sends a message."""
    engine_delay: float = 0.0
    """Seconds that its engine bytes wait."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of its Party that differ; "terms" for other terms."""

    def on_step(self, round_name: str, payload: bytes) -> bytes:
        """What it says in a round instead of this."""
        return self.lies[round_name](payload) if round_name in self.lies else payload

    def on_send(self, envelope: Envelope, receiver: str) -> Sent:
        """What goes to one receiver instead of this."""
        return self.rewrite(envelope, receiver)

    def on_receive(self, sender: str, data: bytes) -> bytes | None:
        """What it makes of bytes that arrive; None: it does not hear them."""
        return data

    def on_engine(self, receiver: int, data: bytes) -> bytes:
        """Engine bytes that go to one peer instead of these."""
        return self.engine_bytes(receiver, data)


def to(round_name: str, change: Change, receivers: Collection[str] | None = None) -> Callable[[Envelope, str], Sent]:
    """A rewrite of one round towards some receivers."""

    def rewrite(envelope: Envelope, receiver: str) -> Envelope:
        if envelope.round == round_name and (receivers is None or receiver in receivers):
            return replace(envelope, payload=change(envelope.payload))
        return envelope

    return rewrite


def silence(round_name: str, receivers: Collection[str] | None = None) -> Callable[[Envelope, str], Sent]:
    """Send nothing in one round to some receivers."""

    def rewrite(envelope: Envelope, receiver: str) -> Envelope | None:
        gone = envelope.round == round_name and (receivers is None or receiver in receivers)
        return None if gone else envelope

    return rewrite


def first_time(
    round_name: str, instead: Callable[[Envelope], Sent] = lambda _: None
) -> Callable[[Envelope, str], Sent]:
    """Send nothing, or something else, in one round of the first attempt; the attempts after it are honest."""
    labels: list[bytes] = []

    def rewrite(envelope: Envelope, receiver: str) -> Sent:
        if envelope.round != round_name:
            return envelope
        if envelope.session not in labels:
            labels.append(envelope.session)
        return instead(envelope) if envelope.session == labels[0] else envelope

    return rewrite


def last_bit(payload: bytes) -> bytes:
    """Another payload of the same length."""
    return payload[:-1] + bytes([payload[-1] ^ 1])


def first_bit(payload: bytes) -> bytes:
    """Another payload of the same length."""
    return bytes([payload[0] ^ 1]) + payload[1:]
