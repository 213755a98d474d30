"""Stop-watches, goals and the machine: everything that the single benchmarks have in common."""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

PARTS = ("encryption", "ranges", "keygen", "sessions", "demo")
"""What the benchmark measures."""
Note = Callable[[str], None]
"""Says one sentence of progress."""


def cpu_seconds(function: Callable[[], object], repeats: int) -> float:
    """CPU seconds of one call, all threads of this process together."""
    begun = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - begun) / repeats


def interleaved(competitors: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Every competitor once per round, A B A B: what slows the machine for a while slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, run in competitors.items():
            seconds[name].append(run())
    return seconds


def ratio(theirs: list[float], ours: list[float]) -> float:
    """The median over the rounds of theirs divided by ours: how many times faster we are (dimensionless)."""
    return median(a / b for a, b in zip(theirs, ours, strict=True))


@dataclass(frozen=True)
class Goal:
    """A limit and what was measured; None means that it was not measured in this run."""

    name: str
    limit: float
    value: float | None
    unit: str
    at_least: bool = False
    """True if larger values are better."""

    @property
    def met(self) -> bool | None:
        """None if it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def tree(self) -> dict[str, Any]:
        """As in bench.json."""
        return {**vars(self), "met": self.met}


def load() -> list[float]:
    """Load averages over 1, 5 and 15 minutes; our own processes count too."""
    return [round(x, 2) for x in os.getloadavg()]


class Others:
    """How many cores other programs kept busy meanwhile: what disturbs a measurement (None where /proc is missing)."""

    def __init__(self) -> None:
        self.cores: float | None = None

    def __enter__(self) -> "Others":
        self._begun = (time.perf_counter(), _busy(), _own())
        return self

    def __exit__(self, *_: object) -> None:
        """All our processes have ended and been waited for by now, so that their time is known."""
        begun, busy, own = self._begun
        now = _busy()
        if busy is not None and now is not None:
            others = (now - busy) - (_own() - own)
            self.cores = max(0.0, round(others / (time.perf_counter() - begun), 2))


def _busy() -> float | None:
    """Core seconds that the whole machine has worked since it started."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, *interrupts = map(int, file.readline().split()[1:8])
    except OSError:
        return None
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """CPU seconds of this process and of everything it started and waited for."""
    return sum(os.times()[:4])


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "system": platform.system(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.processor() or "unknown"
