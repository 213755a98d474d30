"""What every decoder of a stranger's bytes must keep: errors of our tree only, little time, little memory."""

import time
import tracemalloc
from collections.abc import Callable

from tacita.crypto.errors import CryptoError
from tacita.protocols.faults import TacitaError
from tacita.protocols.keygen.blame import Blame

SECONDS = 10e-3
BYTES = 8 << 20
REPEATS = 3
ALLOWED = (TacitaError, CryptoError, Blame)
"""Blame is the key ceremony's own word for a fault before it knows the roster."""


class Violation(AssertionError):
    """An input that a decoder does not take as it must."""


def check(read: Callable[[bytes], object], data: bytes, timed: bool = True) -> None:
    """Raises Violation. A slow input must be slow again every time, in CPU time of this thread."""
    tracing = tracemalloc.is_tracing()
    seconds, used = _traced(read, data)
    if used > BYTES:
        used = _traced(read, data)[1]  # the first time may have filled a cache
    if used > BYTES:
        raise Violation(f"{used} bytes of memory for {_shown(data)}")
    if timed and seconds > SECONDS:
        if tracing:
            tracemalloc.stop()
        try:
            seconds = min(seconds, *(_once(read, data) for _ in range(REPEATS)))
        finally:
            if tracing:
                tracemalloc.start()
        if seconds > SECONDS:
            raise Violation(f"{1e3 * seconds:.1f} ms for {_shown(data)}")


def _traced(read: Callable[[bytes], object], data: bytes) -> tuple[float, int]:
    """(seconds, bytes at the peak); no bytes are counted while tracemalloc is off."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    seconds = _once(read, data)
    return seconds, tracemalloc.get_traced_memory()[1] - before


def _once(read: Callable[[bytes], object], data: bytes) -> float:
    begun = time.thread_time()
    try:
        read(data)
    except ALLOWED:
        pass
    except Exception as error:
        raise Violation(f"{type(error).__name__} ({str(error)[:200]}) for {_shown(data)}") from error
    return time.thread_time() - begun


def _shown(data: bytes) -> str:
    return f"{len(data)} bytes {data[:2000]!r}"
