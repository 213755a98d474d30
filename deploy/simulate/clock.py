"""An event loop whose clock moves only when everybody waits: deadlines cost no time, and a slow machine misses none."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(RuntimeError):
    """Everybody waits for somebody else, and no timer is left that could change it."""


class _Instant(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise Stuck("everybody waits, and nothing will ever happen")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Ready callbacks run in the order in which they became ready, as asyncio promises; waiting takes no time."""

    def __init__(self) -> None:
        self.instant = _Instant()
        super().__init__(self.instant)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.instant.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Refused: what a thread does when is not a function of the seed."""
        raise RuntimeError("there are no threads on a virtual clock")


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """asyncio.run without waiting; raises Stuck if nothing can ever happen again."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
