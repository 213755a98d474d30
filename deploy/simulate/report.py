"""Many worlds: run them, on all cores, and add up what became of them."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from tacita.deploy.simulate.network import COUNTED
from tacita.deploy.simulate.plan import MISBEHAVING_PERCENT, TOY_BITS, Plan
from tacita.deploy.simulate.world import Verdict, World

ENDINGS = ("completed", "aborted", "wrong", "unfinished")


@dataclass(frozen=True)
class Scope:
    """Which worlds: those of the seeds `seed`, `seed` + 1, …"""

    seed: int
    worlds: int
    nodes: int = 3
    bits: int = TOY_BITS
    misbehaving: int = MISBEHAVING_PERCENT
    jobs: int = 1

    def plans(self) -> list[Plan]:
        """One per world."""
        seeds = range(self.seed, self.seed + self.worlds)
        return [Plan.draw(seed, self.nodes, self.bits, self.misbehaving) for seed in seeds]

    def replay(self, seed: int) -> str:
        """The command that runs one of these worlds again."""
        changed = {"nodes": self.nodes, "bits": self.bits, "misbehaving": self.misbehaving}
        default = Scope(0, 1)
        options = "".join(f" --{name} {value}" for name, value in changed.items() if value != getattr(default, name))
        return f"tacita simulate --seed {seed} --worlds 1{options}"


@dataclass(frozen=True)
class Report:
    """What became of the worlds of a scope."""

    scope: Scope
    verdicts: tuple[Verdict, ...]

    @property
    def failing(self) -> tuple[Verdict, ...]:
        """Worlds that show a bug."""
        return tuple(v for v in self.verdicts if v.failed)

    @property
    def digest(self) -> str:
        """Of the histories of all worlds."""
        return hashlib.sha256("/".join(v.digest for v in self.verdicts).encode()).hexdigest()

    def tree(self) -> dict[str, Any]:
        """As printed with --format json."""
        endings = Counter(v.ending for v in self.verdicts)
        return {
            "worlds": len(self.verdicts),
            **{ending: endings[ending] for ending in ENDINGS[:3]},
            "false_blame": sum(v.false_blame for v in self.verdicts),
            "unfinished": endings["unfinished"],
            **{what: sum(v.counts[what] for v in self.verdicts) for what in COUNTED},
            "failing_seeds": [v.seed for v in self.failing],
            "digest": self.digest,
            "virtual_seconds": round(sum(v.seconds for v in self.verdicts), 3),
            "misbehaved": sum(bool(v.misbehaved) for v in self.verdicts),
            "key": f"dealer-insecure, {self.scope.bits} bits",
        }


def simulate(scope: Scope, note: Callable[[Verdict], None] = lambda _: None) -> Report:
    """Run all worlds of a scope; `note` is told of each, in the order of their seeds."""
    verdicts = []
    with _mapped(min(scope.jobs, scope.worlds)) as run_all:
        for verdict in run_all(run_world, scope.plans()):
            note(verdict)
            verdicts.append(verdict)
    return Report(scope, tuple(verdicts))


def run_world(plan: Plan) -> Verdict:
    """One world from beginning to end."""
    return World(plan).run()


def cores() -> int:
    """How many worlds run at once unless told otherwise."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _mapped(jobs: int) -> Iterator[Callable[..., Iterator[Verdict]]]:
    """`map`, on so many processes; worlds share nothing, so where they run changes nothing."""
    if jobs == 1:
        yield map
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
