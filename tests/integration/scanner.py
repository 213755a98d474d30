"""Looks for private numbers in folders, byte streams and the memory of processes, in every usual spelling."""

import base64
import contextlib
import ctypes
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

CHUNK, OVERLAP = 16 << 20, 256
SMALLEST = 1 << 20
"""Smaller integers occur by chance."""


def spellings(number: int) -> dict[str, bytes]:
    """An integer as raw bytes, as the interpreter keeps it, and as text. At least six bytes each: of 1600 random
    strings of five bytes one stood by chance in the memory of three nodes, at two looks. Shorter integers are looked
    for with the zeros of a 64-bit word."""
    assert number >= SMALLEST
    word = max(8, (number.bit_length() + 7) // 8)
    little, big = number.to_bytes(word, "little"), number.to_bytes(word, "big")
    found = {
        "little endian": little,
        "big endian": big,
        "interpreter": ctypes.string_at(id(number) + 16, sys.getsizeof(number) - 16),
        "decimal": str(number).encode(),
        "hex": format(number, "x").encode(),
        "HEX": format(number, "X").encode(),
    }
    if number >= 1 << 40:
        found["short little endian"] = number.to_bytes((number.bit_length() + 7) // 8, "little")
        found["short big endian"] = number.to_bytes((number.bit_length() + 7) // 8, "big")
    for name, raw in (("little", little), ("big", big), ("decimal", str(number).encode())):
        for shift in range(3):
            found[f"base64 {name} {shift}"] = _base64(raw, shift)
    return found


def _base64(raw: bytes, shift: int) -> bytes:
    """The characters that depend on `raw` alone when it stands at an offset of `shift` modulo 3."""
    padded = bytes(shift) + raw
    whole = base64.b64encode(padded + bytes(-len(padded) % 3))
    return whole[-(-shift * 8 // 6) : len(padded) * 8 // 6]


def decimal_spellings(text: str) -> dict[str, bytes]:
    """A decimal as it stands in a file, and as a 64-bit float."""
    return {"text": text.encode(), "float": struct.pack("<d", float(text))}


class Scanner:
    """Finds many labelled byte strings in one pass."""

    def __init__(self, needles: Mapping[str, bytes]) -> None:
        self._table = np.zeros(1 << 16, dtype=bool)
        self._by_key: dict[int, list[tuple[str, bytes, int]]] = {}
        for label, needle in needles.items():
            anchor = max(range(len(needle) - 3), key=lambda i: len(set(needle[i : i + 4]) - {0}))
            key = int.from_bytes(needle[anchor : anchor + 4], "little")
            self._table[key & 0xFFFF] = True
            self._by_key.setdefault(key, []).append((label, needle, anchor))
        self._keys = np.array(sorted(self._by_key), dtype=np.uint32)

    def find(self, pieces: Iterable[bytes]) -> set[str]:
        """Labels of the needles that occur in any piece."""
        found: set[str] = set()
        for data in pieces:
            for phase in range(min(4, max(0, len(data) - 3))):
                words = np.frombuffer(data, dtype="<u4", offset=phase, count=(len(data) - phase) // 4)
                places = np.flatnonzero(self._table[words & 0xFFFF])
                places = places[np.isin(words[places], self._keys)]
                for place in places.tolist():
                    for label, needle, anchor in self._by_key[int(words[place])]:
                        start = phase + 4 * place - anchor
                        if start >= 0 and data[start : start + len(needle)] == needle:
                            found.add(label)
        return found


def folder_pieces(folder: Path) -> Iterator[bytes]:
    """Every file below a folder, whatever it is called, and the names themselves."""
    for path in sorted(folder.rglob("*")):
        yield str(path).encode()
        if path.is_file():
            yield path.read_bytes()


def memory_pieces(process: int) -> Iterator[bytes]:
    """All writable memory of a process, read as root or by its owner; overlapping where it is cut."""
    with contextlib.suppress(OSError):
        regions = Path(f"/proc/{process}/maps").read_text().splitlines()
        with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
            for region in regions:
                span, rights = region.split()[:2]
                if "rw" not in rights:
                    continue
                start, end = (int(x, 16) for x in span.split("-"))
                while start < end:
                    size = min(CHUNK, end - start)
                    with contextlib.suppress(OSError, ValueError):
                        memory.seek(start)
                        yield memory.read(size)
                    start += size if start + size == end else size - OVERLAP
