"""What one peer may use of this node: frames per second, bytes that wait, lines in the log."""

import logging
import time
from collections import Counter
from collections.abc import Callable

log = logging.getLogger("tacita.node")

FRAMES_PER_SECOND, FRAMES_AT_ONCE = 5_000, 20_000
"""Far above what an honest engine sends: the demo's peak is 335 frames per second."""
MESSAGE_OVERHEAD = 512
"""Counted on top of every message that waits and its label, so that empty ones are not free."""
EARLY_SECONDS = 120.0


class Budget:
    """A token bucket: `rate` per second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left, self._seen = burst, clock()

    def take(self) -> bool:
        """Use one token; False if none is left."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Early:
    """Messages for sessions that have not begun here: bounded per peer and in time."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._held: dict[bytes, list[tuple[float, str, bytes]]] = {}
        self._used: Counter[str] = Counter()
        self._swept = clock()

    def hold(self, label: bytes, peer: str, data: bytes) -> bool:
        """Keep a message for later; False if too much of this peer waits already."""
        size, now = _size(label, data), self._clock()
        if self._used[peer] + size > self._limit and now - self._swept > 1:
            self._sweep(now)
        if self._used[peer] + size > self._limit:
            return False
        self._used[peer] += size
        self._held.setdefault(label, []).append((now, peer, data))
        return True

    def release(self, label: bytes) -> list[tuple[str, bytes]]:
        """What waited for this session and is not too old."""
        now, items = self._clock(), self._held.pop(label, [])
        for _, peer, data in items:
            self._used[peer] -= _size(label, data)
        return [(peer, data) for then, peer, data in items if now - then < EARLY_SECONDS]

    def _sweep(self, now: float) -> None:
        """Forget what is too old; at most once per second, because it looks at everything."""
        self._swept = now
        kept: dict[bytes, list[tuple[float, str, bytes]]] = {}
        for label, items in self._held.items():
            fresh = [item for item in items if now - item[0] < EARLY_SECONDS]
            if fresh:
                kept[label] = fresh
        self._held, self._used = kept, Counter()
        for label, items in kept.items():
            for _, peer, data in items:
                self._used[peer] += _size(label, data)


def _size(label: bytes, data: bytes) -> int:
    """What a waiting message takes; its label, too, has the length that the peer chose."""
    return len(label) + len(data) + MESSAGE_OVERHEAD


class Refusals:
    """Names who was refused and why, without letting a stranger fill the log: the 1st, 2nd, 4th, 8th… time."""

    MOST_NAMES = 256

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str]] = Counter()

    def note(self, who: str, why: str) -> None:
        """Count, and log now and then; `who` is a name from a certificate that our authority signed, or empty."""
        key = (who[:80], why)
        if key not in self._count and len(self._count) >= self.MOST_NAMES:
            key = ("others", why)
        self._count[key] += 1
        count = self._count[key]
        if count & (count - 1) == 0:
            log.warning("refused %s: %s (%d times so far)", repr(key[0]) if key[0] else "somebody", why, count)
