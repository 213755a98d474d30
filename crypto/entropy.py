"""The one place where randomness enters. Everything else is handed an `Entropy`."""

import hashlib
import secrets
from typing import Protocol

from tacita.crypto.errors import EntropyFailure


class Entropy(Protocol):
    """A source of independent uniform bytes."""

    def token(self, size: int) -> bytes:
        """Return `size` fresh bytes."""
        ...


class SystemEntropy:
    """The operating system's generator, with a repeat test on every block of 16 bytes or more.

    The operating system reseeds after a fork and after a restored snapshot on its own; nothing is
    buffered here, so a forked process shares no state with its parent.
    """

    def __init__(self) -> None:
        self._last = b""

    def token(self, size: int) -> bytes:
        block = secrets.token_bytes(size)
        if size >= 16:
            if block == self._last:
                raise EntropyFailure("the system's random source returned the same block twice; stop this machine")
            self._last = block
        return block


class SeededEntropy:
    """INSECURE deterministic bytes for tests and simulation: SHAKE256(seed ‖ counter)."""

    def __init__(self, seed: int | str | bytes) -> None:
        self._seed = seed if isinstance(seed, bytes) else str(seed).encode()
        self._counter = 0

    def token(self, size: int) -> bytes:
        self._counter += 1
        block = hashlib.shake_256(b"tacita/insecure/" + self._seed + b"/" + str(self._counter).encode())
        return block.digest(size)


def random_bits(entropy: Entropy, bits: int) -> int:
    """Return a uniform integer in [0, 2^bits)."""
    return int.from_bytes(entropy.token((bits + 7) // 8), "big") & ((1 << bits) - 1)


def random_below(entropy: Entropy, bound: int) -> int:
    """Return a uniform integer in [0, bound), by rejection."""
    if bound < 1:
        raise ValueError("the bound of a random integer must be at least 1")
    bits = (bound - 1).bit_length()
    while True:
        value = random_bits(entropy, bits)
        if value < bound:
            return value
