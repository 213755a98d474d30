"""Broken inputs from honest ones: byte by byte, by length fields, by tokens of text, by the tree of a JSON object."""

import json
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random  # noqa: TID251 - nothing secret: a failure must come back from its seed
from typing import Any

LARGEST_INPUT = 1 << 16
"""Longer inputs take longer, which no decoder can help; what grows faster than its input shows below, too."""
TOKEN = re.compile(rb"[0-9A-Za-z_.+-]+")
TOKENS = (
    b"", b"0", b"-0", b"-1", b"1e9999", b"-1e-9999", b"9" * 40, b"9" * 400, b"9" * 5000, b"0x", b"1_0", b"nan", b"inf",
    b"Infinity", b"NaN", b"true", b"null", b"1/0", b"1.5", b"1/3", b"00000000000015", b"000000001" + b"0" * 5000,
    b"4294967296", b'"', b",", b"\n", b"[[[[[[[[", b'{"a":', b"\xd9\xa3", b"\x00", b"\xff\xfe", b"a" * 65, b"A0",
    b"../x", b" ", b"'", b"=", b"#",
)  # fmt: skip
LEAVES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 255, 1 << 16, 1 << 64, 10**400, -(10**400), 0.5, 1e308, -1e-308, "", "0", "a" * 65,
    "é", "\ud800", "ff", "FF", "f f", "9" * 5000, "1e999", "1/0", "*", [], {}, [[]], [0], {"a": 1}, [None, True],
)  # fmt: skip
SIZES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def mutated(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """`data` after one to four edits; `others` are honest inputs to take pieces from."""
    if chance.random() < 0.5 and data[:1] in (b"{", b"["):
        data = _tree(data, chance)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 4)) or (data[:1] not in (b"{", b"["))):
        data = chance.choice(EDITS)(data, others, chance)
    return data[:LARGEST_INPUT]


def _span(data: bytes, chance: Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 4, 32, 1 << chance.randrange(12))))


def _flip(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    at = chance.randrange(len(data) or 1)
    return data[:at] + bytes([(data + b"\0")[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _set(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + bytes([chance.choice((0, 0x22, 0x7F, 0x80, 0xC0, 0xFF))]) * (end - start) + data[end:]


def _truncate(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _extend(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    return data + chance.randbytes(1 << chance.randrange(10))


def _delete(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _duplicate(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    start, end = _span(data, chance)
    times = chance.choice((1, 1, 2, 500))
    return data[:end] + data[start:end] * times + data[end:]


def _splice(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    other = chance.choice(others)
    start, end = _span(other, chance)
    at = chance.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at + chance.choice((0, end - start)) :]


def _length(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """An integer of 1, 2, 4 or 8 bytes that says how much follows, or is as large as can be."""
    width, at = chance.choice((1, 2, 4, 4, 4, 8)), chance.randrange(len(data) + 1)
    value = chance.choice((*SIZES, len(data), len(data) - at, max(0, len(data) - at - width), 1 << 20, 1 << 26))
    field = (value & (1 << 8 * width) - 1).to_bytes(width, chance.choice(("big", "little")))
    return data[:at] + field + data[at + width :]


def _huge(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """The largest or smallest integers of a field."""
    start, end = _span(data, chance)
    return (
        data[:start] + chance.choice((b"\xff", b"\x00", b"f", b"9")) * chance.choice((end - start, 4096)) + data[end:]
    )


def _token(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Another word or number in a text."""
    found = list(TOKEN.finditer(data, *sorted(chance.sample(range(len(data) + 2), 2))))
    if not found:
        return data + chance.choice(TOKENS)
    start, end = chance.choice(found).span()
    return data[:start] + chance.choice(TOKENS) + data[end:]


EDITS: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    _flip, _flip, _set, _truncate, _extend, _delete, _duplicate, _splice, _length, _huge, _token, _token,
)  # fmt: skip


def _tree(data: bytes, chance: Random) -> bytes:
    """One to three changes of a JSON tree, written canonically again."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(chance.choice((1, 1, 2, 3))):
        tree = _changed(tree, chance)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=chance.random() < 0.9)
    return text.encode(errors="surrogatepass") + (b"\n" if data.endswith(b"\n") else b"")


def _changed(tree: Any, chance: Random) -> Any:
    """The tree with one place changed: a random walk from the root ends there."""
    items = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    if not items or chance.random() < 0.15:
        return _leaf(tree, chance)
    at = chance.choice(items)
    action = chance.random()
    if action < 0.1:
        del tree[at]
    elif action < 0.15 and isinstance(tree, dict):
        tree[chance.choice(("a", "", at + "x", "é"))] = tree[at]
    elif action < 0.2 and isinstance(tree, list):
        tree += tree[at : at + 1] * chance.choice((1, 2, 300))
    else:
        tree[at] = _changed(tree[at], chance)
    return tree


def _leaf(value: Any, chance: Random) -> Any:
    if isinstance(value, str) and chance.random() < 0.5:
        at = chance.randrange(len(value) + 1)
        edits = value[:at], value[at:], value + value, value.upper(), value[:at] + "0" + value[at + 1 :], f"-{value}"
        return chance.choice(edits)
    return deepcopy(chance.choice(LEAVES))
