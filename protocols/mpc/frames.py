"""Signed frames: the bytes of one engine for another, so that what no engine writes convicts the node that sent it.

A frame holds whole messages: a program counter (8 bytes), a length (4) and a content. A content is field elements at
fixed width, or the digest of a ready round; nothing else is ever sent. TLS already tells who speaks, so a receiver
checks the signature only of a frame that its engine refuses: whoever signs wrongly is refused without being named,
as it would be if every signature were checked.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey, verify_signature

HEAD = struct.Struct("<qI")
READY_BYTES = 32
MAX_DATA = 32 << 20
"""Far above the largest message of any session that the terms allow."""
DOMAIN = "engine frame"


@dataclass(frozen=True)
class EngineFrame:
    """What one node's engine wrote to another's in one go."""

    session: bytes
    sender: str
    receiver: str
    data: bytes = field(repr=False)

    def sign(self, key: SigningKey) -> bytes:
        """signature ‖ body."""
        writer = Writer().fixed(self.session, 32).text(self.sender).text(self.receiver)
        body = writer.blob(self.data).to_bytes()
        return key.sign(DOMAIN, body) + body

    @staticmethod
    def decode(signed: bytes) -> "EngineFrame":
        """The frame, whoever signed it; raises InvalidEncoding."""
        reader = Reader(signed, "an engine frame")
        reader.fixed(SIGNATURE_BYTES)
        frame = EngineFrame(reader.fixed(32), reader.text(64), reader.text(64), reader.blob(MAX_DATA))
        reader.finish()
        return frame

    @staticmethod
    def verify(signed: bytes, identity: bytes) -> None:
        """Raises InvalidSignature unless the holder of this identity signed the frame."""
        verify_signature(identity, DOMAIN, signed[SIGNATURE_BYTES:], signed[:SIGNATURE_BYTES])


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(program counter, content) of the messages in a frame; raises InvalidEncoding where one is not whole."""
    at = 0
    while at < len(data):
        begin = at + HEAD.size
        if begin > len(data):
            raise InvalidEncoding("the head of an engine message is cut short")
        step, size = HEAD.unpack_from(data, at)
        at = begin + size
        if at > len(data):
            raise InvalidEncoding("an engine message is cut short")
        yield step, data[begin:at]


def check_contents(data: bytes, prime: int) -> None:
    """Raise InvalidEncoding unless the messages are for one step after another, and hold what engines over this field
    send."""
    width, before = byte_width(prime.bit_length()), 0
    for step, content in messages(data):
        if step <= before:
            raise InvalidEncoding("an engine message is for a step that is over")
        before = step
        if len(content) == READY_BYTES:
            continue
        if len(content) % width:
            raise InvalidEncoding("an engine message does not hold whole field elements")
        elements = (content[i : i + width] for i in range(0, len(content), width))
        if any(int.from_bytes(element, "little") >= prime for element in elements):
            raise InvalidEncoding("an engine message holds a value outside the field")
