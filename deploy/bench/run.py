"""The whole benchmark: every part, then the goals."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacita.deploy import local
from tacita.deploy.bench import ceremonies, demo, encryption, instances, ranges, report, sessions
from tacita.deploy.bench.measure import PARTS, Note, Others, load, machine

BITS = 2048
CEREMONIES = {3: 11, 5: 5}
"""Whole ceremonies by number of nodes; one of 3 nodes in a quick run."""


@dataclass(frozen=True)
class Scope:
    """What is measured and how often."""

    quick: bool
    peers: Path | None
    """The peers' python; None measures ours alone."""
    checkout: Path | None
    """Where `make demo` is tried; None leaves it out."""
    keygen_peer: Path | None = None
    """The python of the keygen peer's environment; None measures ours alone."""
    parts: tuple[str, ...] = PARTS

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
        if "encryption" in scope.parts:
            result["encryption"] = encryption.run(scope.peers, BITS, scope.crypto_rounds, note)
        if "ranges" in scope.parts:
            result["ranges"] = ranges.run(BITS, 2 * scope.crypto_rounds, note)
    others["operations"] = meanwhile.cores
    with tempfile.TemporaryDirectory() as folder:
        if "keygen" in scope.parts:
            with Others() as meanwhile:
                result["keygen"] = _ceremonies(scope, Path(folder), note)
            others["keygen"] = meanwhile.cores
        if "sessions" in scope.parts:
            with Others() as meanwhile:
                result["sessions"] = asyncio.run(_sessions(scope, Path(folder), note))
            others["sessions"] = meanwhile.cores
    if scope.checkout and "demo" in scope.parts:
        with Others() as meanwhile:
            result["demo"] = demo.run(scope.checkout, note)
        others["demo"] = meanwhile.cores
    result["other_programs_cores"] = others
    result["load"]["after"] = load()
    result["goals"] = [goal.tree() for goal in report.goals(result)]
    return result


def _ceremonies(scope: Scope, folder: Path, note: Note) -> dict[str, Any]:
    figures = ceremonies.run(folder, BITS, {sessions.NODES: 1} if scope.quick else CEREMONIES, note)
    if scope.keygen_peer:
        seconds = ceremonies.PEER_SECONDS / 30 if scope.quick else ceremonies.PEER_SECONDS
        figures["peer"] = ceremonies.peer(scope.keygen_peer, seconds, note)
    return figures


async def _sessions(scope: Scope, folder: Path, note: Note) -> dict[str, Any]:
    """All cases on one cluster, the one of the first ceremony if there was one."""
    manifest = local.open_cluster(folder / f"{sessions.NODES}-0", sessions.NODES, BITS, note)
    figures = {}
    async with local.LocalCluster(manifest) as cluster:
        for case in instances.cases(scope.quick):
            figures[case.name] = await sessions.compare(
                cluster, case, scope.peers, scope.session_rounds, folder / "cases", note
            )
    return figures
