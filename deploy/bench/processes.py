"""What node processes and their engine workers use: peak memory and CPU time, read from /proc (Linux only)."""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")
SAMPLE_SECONDS = 0.05
TICK = os.sysconf("SC_CLK_TCK")


def children(process: int) -> list[int]:
    """Direct children of a process; none where /proc does not tell."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in (PROC / str(process) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def family(process: int) -> list[int]:
    """The process and all its descendants."""
    return [process, *(p for child in children(process) for p in family(child))]


def command(process: int) -> bytes:
    """The command line; empty if the process is gone."""
    with contextlib.suppress(OSError):
        return (PROC / str(process) / "cmdline").read_bytes()
    return b""


def separate(process: int) -> list[int]:
    """The process and its descendants, but for a child between fork and exec, whose memory is still its parent's."""
    return [process, *(p for p in family(process)[1:] if command(p) != command(process))]


def peak_mib(process: int) -> float:
    """The largest resident memory that the process ever had, in MiB; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(process) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu_of(process: int) -> float:
    """User and system seconds that the process used so far; 0 if it is gone."""
    with contextlib.suppress(OSError, IndexError):
        fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    return 0.0


class Watch:
    """Samples nodes while a session runs; `nodes` maps names to process ids.

    A node's memory is the sum of the peaks of its process and of its workers that were alive together, so it is
    never too low by falling between two samples, and pages shared between processes count for each of them.
    """

    def __init__(self, nodes: Mapping[str, int]) -> None:
        self._nodes = dict(nodes)
        self._cpu: dict[int, float] = {}
        self._before: dict[int, float] = {}
        self.memory = dict.fromkeys(self._nodes, 0.0)
        """MiB per node."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Watch":
        self._sample()
        self._before = dict(self._cpu)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._sample()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            self._sample()

    def _sample(self) -> None:
        for name, process in self._nodes.items():
            members = family(process)
            self.memory[name] = max(self.memory[name], sum(map(peak_mib, separate(process))))
            for member in members:
                self._cpu[member] = max(self._cpu.get(member, 0.0), cpu_of(member))

    @property
    def cpu(self) -> dict[str, float]:
        """CPU seconds since the watch began: all nodes together, and all their workers together."""
        spent = {p: seconds - self._before.get(p, 0.0) for p, seconds in self._cpu.items()}
        nodes = sum(spent[p] for p in self._nodes.values())
        return {"nodes": round(nodes, 2), "workers": round(sum(spent.values()) - nodes, 2)}


async def settle(nodes: Mapping[str, int], quiet_seconds: float = 0.5, limit_seconds: float = 30.0) -> None:
    """Wait until nodes and workers have finished starting: none of them uses the processor any more."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_seconds
    while loop.time() < end:
        before = [cpu_of(p) for process in nodes.values() for p in family(process)]
        await asyncio.sleep(quiet_seconds)
        after = [cpu_of(p) for process in nodes.values() for p in family(process)]
        if len(before) == len(after) and sum(after) - sum(before) <= 2 / TICK:
            return
