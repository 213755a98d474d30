"""The one injective transcript: everything that is hashed for a challenge or an identifier goes through it.

state_0 = SHA256("tacita/v1/" ‖ protocol); absorb(label, x): state = SHA256(state ‖ len16(label) ‖ label ‖
type ‖ len64(enc x) ‖ enc x). Types keep an integer apart from the bytes that spell it; sequences absorb their
length first. A challenge absorbs its own name, count and bit length, then reads SHAKE256(state).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tacita.crypto.integers import Integer
from tacita.crypto.security import CHALLENGE_BITS

Absorbable = Integer | bytes | str


@dataclass(frozen=True)
class Context:
    """Where a proof belongs; absorbed first, so that no proof can be replayed elsewhere or by somebody else."""

    session: bytes
    """Auction id for participants' proofs, session id for nodes' proofs (32 bytes)."""
    round: str
    prover: str
    object: str


class Transcript:
    """A chained hash over typed, length-prefixed fields."""

    def __init__(self, protocol: str, context: Context | None = None) -> None:
        self._state = hashlib.sha256(b"tacita/v1/" + protocol.encode()).digest()
        if context is not None:
            self.absorb("session", context.session).absorb("round", context.round)
            self.absorb("prover", context.prover).absorb("object", context.object)

    def absorb(self, label: str, value: Absorbable) -> "Transcript":
        """Append one field; returns self so that calls can be chained."""
        if isinstance(value, bytes):
            kind, data = b"b", value
        elif isinstance(value, str):
            kind, data = b"s", value.encode()
        else:
            number = int(value)
            kind = b"-" if number < 0 else b"+"
            data = abs(number).to_bytes((abs(number).bit_length() + 7) // 8, "big")
        name = label.encode()
        head = len(name).to_bytes(2, "big") + name + kind + len(data).to_bytes(8, "big")
        self._state = hashlib.sha256(self._state + head + data).digest()
        return self

    def absorb_all(self, label: str, values: Iterable[Absorbable]) -> "Transcript":
        """Append a sequence: its length, then each element."""
        items = list(values)
        self.absorb(label, len(items))
        for item in items:
            self.absorb(label, item)
        return self

    def challenges(self, name: str, count: int, bits: int = CHALLENGE_BITS) -> list[int]:
        """Draw `count` challenges of `bits` bits, one SHAKE block of ceil(bits/8) masked bytes each."""
        self.absorb("challenge", name).absorb("count", count).absorb("bits", bits)
        size, mask = (bits + 7) // 8, (1 << bits) - 1
        stream = hashlib.shake_256(self._state).digest(size * count)
        return [int.from_bytes(stream[i : i + size], "big") & mask for i in range(0, size * count, size)]

    def challenge(self, name: str, bits: int = CHALLENGE_BITS) -> int:
        """Draw one challenge."""
        return self.challenges(name, 1, bits)[0]

    def digest(self) -> bytes:
        """The 32-byte identifier of everything absorbed so far."""
        return hashlib.sha256(self._state + b"digest").digest()


def digest(protocol: str, *fields: tuple[str, Absorbable]) -> bytes:
    """The 32-byte identifier of a list of labelled fields."""
    transcript = Transcript(protocol)
    for label, value in fields:
        transcript.absorb(label, value)
    return transcript.digest()
