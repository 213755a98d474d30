"""The canonical binary codec of every object that is signed, hashed or sent: one value, one encoding.

Integers have a fixed width that the reader knows from the statement, never from the bytes; lengths are read
only against a limit the reader states. `Reader.finish` refuses trailing bytes.
"""

import json
import re
from math import isfinite
from typing import Any

from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.integers import Integer

JSON_DEPTH = 32
JSON_VALUES = 80_000
"""More than any message needs: 256 participants in 256 slots each, and who they are."""
FILE_VALUES = 200_000
"""More than any certificate needs: the same, and an output for each."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_json(data: bytes, values: int = JSON_VALUES) -> Any:
    """Parse JSON in UTF-8 from a stranger; raises ValueError for anything else, for more than JSON_DEPTH nested or
    `values` values, and for numbers that are not finite.

    Python's parser follows nesting on the C stack, up to a limit that any imported module may have raised: a message
    of brackets would then end the process. Given bytes it would also take UTF-16, whose quotes this scan cannot see.
    Empty values take thirty times as much memory as text; every value but the first comes after a comma or bracket.
    """
    outside = _STRING.sub(b"", data)
    if sum(map(outside.count, (b",", b"[", b"{"))) > values:
        raise ValueError(f"more than {values} values")
    depth = 0
    for bracket in outside.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > JSON_DEPTH:
            raise ValueError(f"more than {JSON_DEPTH} nested values")
    return json.loads(data.decode(), parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is not finite")
    return number


def byte_width(bits: int) -> int:
    """Bytes that hold an unsigned integer of `bits` bits."""
    return (bits + 7) // 8


class Writer:
    """Builds an encoding field by field."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def unsigned(self, value: Integer, width: int) -> "Writer":
        """A non-negative integer in exactly `width` bytes, big-endian."""
        self._parts.append(int(value).to_bytes(width, "big"))
        return self

    def signed(self, value: Integer, width: int) -> "Writer":
        """A two's-complement integer in exactly `width` bytes, big-endian."""
        self._parts.append(int(value).to_bytes(width, "big", signed=True))
        return self

    def fixed(self, data: bytes, size: int) -> "Writer":
        """Bytes whose size both sides know."""
        if len(data) != size:
            raise ValueError(f"expected {size} bytes, got {len(data)}")
        self._parts.append(data)
        return self

    def blob(self, data: bytes) -> "Writer":
        """Bytes behind a 4-byte length."""
        self._parts += [len(data).to_bytes(4, "big"), data]
        return self

    def text(self, value: str) -> "Writer":
        """UTF-8 text behind a 4-byte length."""
        return self.blob(value.encode())

    def to_bytes(self) -> bytes:
        """The encoding."""
        return b"".join(self._parts)


class Reader:
    """Takes an encoding apart; every method raises InvalidEncoding instead of guessing."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise InvalidEncoding(f"{self._what} is cut short at byte {len(self._data)}")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def unsigned(self, width: int) -> int:
        """See Writer.unsigned."""
        return int.from_bytes(self._take(width), "big")

    def signed(self, width: int) -> int:
        """See Writer.signed."""
        return int.from_bytes(self._take(width), "big", signed=True)

    def fixed(self, size: int) -> bytes:
        """See Writer.fixed."""
        return self._take(size)

    def blob(self, limit: int) -> bytes:
        """See Writer.blob; a longer one than `limit` is refused before it is read."""
        size = int.from_bytes(self._take(4), "big")
        if size > limit:
            raise InvalidEncoding(f"{self._what} holds a field of {size} bytes where at most {limit} are allowed")
        return self._take(size)

    def text(self, limit: int) -> str:
        """See Writer.text."""
        try:
            return self.blob(limit).decode()
        except UnicodeDecodeError:
            raise InvalidEncoding(f"{self._what} holds text that is not UTF-8") from None

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self._data) - self._at

    def finish(self) -> None:
        """Refuse bytes behind the last field."""
        if self._at != len(self._data):
            raise InvalidEncoding(f"{self._what} has {len(self._data) - self._at} bytes too many")
