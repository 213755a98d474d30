"""One entry of the table in decoders.py, and what all files of it share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.crypto.encoding import read_json
from tacita.protocols.faults import CallerMistake


@dataclass(frozen=True)
class Decoder:
    """Honest inputs and the function that takes them; `bad` are inputs that once broke the contract, or could."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    reads: Callable[[bytes], object]
    bad: Sequence[bytes] = ()
    arithmetic: bool = False
    inputs: int = 5000
    """Broken inputs in a run of the tests, unless arithmetic; `make fuzz` takes as many of every decoder."""


Seeds = Callable[[], Sequence[bytes]]
NESTED = b"[" * (1 << 16)
UTF_16 = ('["∀",' + "[" * 30_000).encode("utf-16-le")
"""JSON in UTF-16: a scan for quotes byte by byte takes ∀ (0x2200) for one and misses the brackets."""
EMPTY_VALUES = b"[" + b"[]," * 349_000 + b"[]]"
"""1 MiB of JSON whose values take thirty times as much memory."""
JSON_BOMBS = (NESTED, UTF_16, EMPTY_VALUES, b'{"a":' * 13_000, b"[1e999]", b"[NaN]", b"9" * 5000, b'"\\ud800"')


def tree(data: bytes) -> Any:
    """What the command line does with a JSON file of a stranger."""
    try:
        return read_json(data)
    except ValueError:
        raise CallerMistake("not JSON") from None


def on_tree(read: Callable[[Any], object], data: bytes) -> object:
    return read(tree(data))


def text_of(data: bytes) -> str:
    """What the command line does with a text file of a stranger."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CallerMistake("not text") from None
