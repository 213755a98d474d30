"""The whole benchmark: every part, then the goals."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacita.deploy import local
from tacita.deploy.bench import demo, encryption, instances, ranges, report, sessions
from tacita.deploy.bench.measure import Note, Others, load, machine

BITS = 2048


@dataclass(frozen=True)
class Scope:
    """What is measured and how often."""

    quick: bool
    peers: Path | None
    """The peers' python; None measures ours alone."""
    checkout: Path | None
    """Where `make demo` is tried; None leaves it out."""

    @property
    def crypto_rounds(self) -> int:
        """Rounds A B A B of the single operations."""
        return 1 if self.quick else 9

    @property
    def session_rounds(self) -> int:
        """Sessions of each case."""
        return 1 if self.quick else 3


def run(scope: Scope, note: Note) -> dict[str, Any]:
    """All figures as the tree that bench.json holds; raises TacitaError if a result is wrong or a peer fails."""
    result: dict[str, Any] = {"quick": scope.quick, "machine": machine(), "load": {"before": load()}}
    others, result["demo"] = {}, None
    with Others() as meanwhile:
        result["encryption"] = encryption.run(scope.peers, BITS, scope.crypto_rounds, note)
        result["ranges"] = ranges.run(BITS, 2 * scope.crypto_rounds, note)
    others["operations"] = meanwhile.cores
    with Others() as meanwhile, tempfile.TemporaryDirectory() as folder:
        result["sessions"] = asyncio.run(_sessions(scope, Path(folder), note))
    others["sessions"] = meanwhile.cores
    if scope.checkout:
        with Others() as meanwhile:
            result["demo"] = demo.run(scope.checkout, note)
        others["demo"] = meanwhile.cores
    result["other_programs_cores"] = others
    result["load"]["after"] = load()
    result["goals"] = [goal.tree() for goal in report.goals(result)]
    return result


async def _sessions(scope: Scope, folder: Path, note: Note) -> dict[str, Any]:
    """All cases on one cluster; the first session is the first one that its nodes ever run."""
    manifest = local.open_cluster(folder / "cluster", sessions.NODES, BITS, note)
    figures = {}
    async with local.LocalCluster(manifest) as cluster:
        for case in instances.cases(scope.quick):
            figures[case.name] = await sessions.compare(
                cluster, case, scope.peers, scope.session_rounds, folder / "cases", note
            )
    return figures
