"""Decoding of what peers say inside a session: whatever is malformed is a fault of the node that sent it."""

from collections.abc import Collection
from typing import Any

from tacita.crypto.encoding import Reader, read_json
from tacita.crypto.errors import CryptoError, InvalidSignature
from tacita.crypto.signature import verify_signature
from tacita.protocols.faults import InvalidEncodingFault, ProtocolFault
from tacita.protocols.terms import canonical_json


def canonical_tree(node: str, payload: bytes, keys: Collection[str]) -> dict[str, Any]:
    """The JSON object of a message; it must be canonical and have exactly these keys."""
    try:
        tree = read_json(payload)
        canonical = isinstance(tree, dict) and canonical_json(tree) == payload
    except ValueError:
        canonical = False
    if not canonical or set(tree) != set(keys):
        raise InvalidEncodingFault(node, "a message is not the canonical encoding of what its round expects")
    return dict(tree)


def list_of(node: str, value: Any) -> list[Any]:
    """The value, if it is a list."""
    if not isinstance(value, list):
        raise InvalidEncodingFault(node, "a message holds something else where a list is expected")
    return value


def hex_bytes(node: str, value: Any, size: int) -> bytes:
    """The bytes of a hexadecimal string of exactly this size."""
    try:
        data = bytes.fromhex(value)
    except (ValueError, TypeError):
        data = b""
    if len(data) != size:
        raise InvalidEncodingFault(node, f"a message holds something else where {size} bytes in hex are expected")
    return data


def read_blob(node: str, reader: Reader) -> bytes:
    """The next blob of a message."""
    try:
        return reader.blob(1 << 25)
    except CryptoError as error:
        raise InvalidEncodingFault(node, str(error)) from error


def finish(node: str, reader: Reader) -> None:
    """Refuse what follows the end of a message."""
    try:
        reader.finish()
    except CryptoError as error:
        raise InvalidEncodingFault(node, str(error)) from error


def check_signed(node: str, identity: bytes, domain: str, message: bytes, signature: bytes) -> None:
    """Refuse a signature that is not `identity`'s on this message."""
    try:
        verify_signature(identity, domain, message, signature)
    except InvalidSignature:
        raise ProtocolFault(node, f"it signed another {domain} than this node computed") from None


def field_elements(node: str, data: bytes, prime: int, count: int) -> list[int]:
    """Exactly `count` integers below the prime, at its width."""
    width = (prime.bit_length() + 7) // 8
    error = InvalidEncodingFault(node, "a message does not hold the field elements that its round expects")
    if len(data) != count * width:  # before any list is made: a message may have 48 MiB
        raise error
    values = [int.from_bytes(data[i : i + width], "big") for i in range(0, len(data), width)]
    if any(value >= prime for value in values):
        raise error
    return values
