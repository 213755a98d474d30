"""Vectors of integers at fixed widths, and rows of a private message: what travels and what is hashed."""

from collections.abc import Sequence

from gmpy2 import mpz

from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.integers import Integer

SALT_BYTES = 32


def pack(values: Sequence[Integer], width: int) -> bytes:
    """Unsigned big-endian integers of `width` bytes each."""
    return b"".join([int(x).to_bytes(width, "big") for x in values])


def unpack(data: bytes, width: int, count: int, limit: Integer) -> list[Integer]:
    """The inverse; refuses another length and values ≥ limit (raises InvalidEncoding)."""
    if len(data) != width * count:
        raise InvalidEncoding(f"a vector of {count} integers has {len(data)} bytes instead of {width * count}")
    values = [mpz(int.from_bytes(data[i : i + width], "big")) for i in range(0, len(data), width)]
    if values and max(values) >= limit:
        raise InvalidEncoding("an integer of a vector is not reduced")
    return values


def rows(pairs: Sequence[Integer], width: int, salts: Sequence[bytes]) -> list[bytes]:
    """One row per candidate: its two integers (for p and for q) and a salt that hides them in a hash."""
    encoded = [int(x).to_bytes(width, "big") for x in pairs]
    return [a + b + salt for a, b, salt in zip(encoded[::2], encoded[1::2], salts, strict=True)]


def split_rows(data: bytes, width: int, count: int, limit: Integer) -> tuple[list[Integer], list[bytes]]:
    """(values, rows) of a private message; raises InvalidEncoding."""
    size = 2 * width + SALT_BYTES
    if len(data) != size * count:
        raise InvalidEncoding(f"a private message has {len(data)} bytes instead of {size * count}")
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    values = unpack(b"".join([row[: 2 * width] for row in parts]), width, 2 * count, limit)
    return values, parts


def add_columns(columns: Sequence[Sequence[Integer]]) -> list[Integer]:
    """The sum of vectors, unreduced."""
    return [sum(entries) for entries in zip(*columns, strict=True)]


def horner(coefficients: Sequence[Sequence[Integer]], point: int, modulus: Integer) -> list[Integer]:
    """Values at `point` of polynomials given as columns, constant terms first."""
    if len(coefficients) == 2:
        return [(a + b * point) % modulus for a, b in zip(*coefficients, strict=True)]
    powers = [point**k for k in range(len(coefficients))]
    entries = zip(*coefficients, strict=True)
    return [sum(a * x for a, x in zip(entry, powers, strict=True)) % modulus for entry in entries]
