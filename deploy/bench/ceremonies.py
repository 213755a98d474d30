"""Whole key ceremonies of local node processes, and the public peer's time per candidate.

How long one ceremony takes is luck: the number of candidates is geometric. So what is compared is the time per
candidate, over all ceremonies together, and whole ceremonies are shown as a distribution. A ceremony is timed from the
operators' request to the last node's signed key, nodes running and linked; its search from the nodes' meeting to the
end of the last batch, with all commitments, signatures, journals and audits.
"""

import asyncio
import json
import math
import subprocess
import tempfile
import time
from importlib.resources import files as package_files
from pathlib import Path
from statistics import median
from typing import Any

from tacita.crypto.entropy import SystemEntropy
from tacita.deploy import local
from tacita.deploy.bench.measure import Note
from tacita.deploy.bench.processes import cpu_of
from tacita.deploy.bench.sessions import linked
from tacita.deploy.manifest import Manifest
from tacita.proto import tacita_pb2
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.parameters import Parameters

PEER_BITS, PEER_PARTIES, PEER_SECONDS = 1024, 3, 60.0
START_SECONDS = 30.0
"""What the peer's processes may take to find each other."""


class _Clock:
    """Wall and CPU time of the search and the candidates, from the nodes' events."""

    def __init__(self, processes: list[int]) -> None:
        self._processes = processes
        self._begun: tuple[float, float] | None = None
        self.candidates, self.wall, self.cpu = 0, 0.0, 0.0

    def __call__(self, _node: str, progress: tacita_pb2.Progress) -> None:
        if progress.stage not in ("meet", "candidates"):
            return
        now = time.perf_counter(), sum(map(cpu_of, self._processes))
        if self._begun is None:
            self._begun = now
        if progress.stage == "candidates":
            self.candidates = max(self.candidates, progress.step)
            self.wall, self.cpu = now[0] - self._begun[0], now[1] - self._begun[1]


async def one(manifest: Manifest, bits: int) -> dict[str, Any]:
    """One ceremony of a cluster without a key."""
    async with local.LocalCluster(manifest) as cluster:
        processes = await linked(cluster)
        clock = _Clock(list(processes.values()))
        begun = time.perf_counter()
        certificate = await local.keys_in(cluster, tacita_pb2.KeyRequest(name=local.CEREMONY, bits=bits), clock)
        seconds = time.perf_counter() - begun
    return {
        "seconds": round(seconds, 3),
        "candidates": clock.candidates,
        "aborts": certificate.origin.epoch,
        "search_wall": round(clock.wall, 3),
        "search_cpu": round(clock.cpu, 2),
    }


def run(folder: Path, bits: int, counts: dict[int, int], note: Note) -> dict[str, Any]:
    """{number of nodes: figures} of `counts[nodes]` ceremonies each; their clusters stay in folder/<nodes>-<run>."""
    figures = {}
    for nodes, count in counts.items():
        runs = []
        for k in range(count):
            note(f"key ceremony, {nodes} nodes, {bits} bits, {k + 1} of {count}")
            where = folder / f"{nodes}-{k}"
            local.prepare_cluster(where, nodes, SystemEntropy())
            runs.append(asyncio.run(one(Manifest.read(where), bits)))
        figures[str(nodes)] = summary(runs, nodes, Parameters.standard(bits, nodes).expected_candidates)
    return {"bits": bits, "nodes": figures, "peer": None}


def summary(runs: list[dict[str, Any]], nodes: int, expected: int) -> dict[str, Any]:
    """Milliseconds per candidate over all runs, and the distribution of whole ceremonies."""
    candidates, seconds = sum(r["candidates"] for r in runs), [r["seconds"] for r in runs]
    wall = 1e3 * sum(r["search_wall"] for r in runs) / candidates
    rest = median(r["seconds"] - r["search_wall"] for r in runs)
    return {
        "ceremonies": len(runs),
        "wall_milliseconds_per_candidate": round(wall, 3),
        "cpu_milliseconds_per_candidate_and_party": round(
            1e3 * sum(r["search_cpu"] for r in runs) / candidates / nodes, 3
        ),
        "min": min(seconds),
        "median": round(median(seconds), 3),
        "max": max(seconds),
        "candidates": candidates,
        "expected_candidates": expected,
        "expected_seconds": round(expected * wall / 1e3 + rest, 1),
        "runs": runs,
    }


def peer(python: Path, seconds: float, note: Note) -> dict[str, Any]:
    """The peer's time per candidate at 1024 bits: three processes for so many seconds; raises CallerMistake."""
    note(f"tno distributed_keygen, {PEER_BITS} bits, {seconds:.0f} s")
    script = Path(str(package_files("tacita") / "deploy" / "bench" / "peers" / "distributed_keygen.py"))
    ports = [str(port) for port in local.free_ports(PEER_PARTIES)]
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / f"{i}.log" for i in range(PEER_PARTIES)]
        processes = []
        for i, log in enumerate(logs):
            with log.open("wb") as out:
                command = [str(python), str(script), str(i), str(PEER_BITS), *ports]
                processes.append(subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd=folder))
        try:
            end = time.monotonic() + START_SECONDS
            while any(len(_lines(log)) < 2 for log in logs) and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(seconds)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        said = [_lines(log) for log in logs]
    if any(len(lines) < 2 for lines in said):
        raise CallerMistake("the keygen peer does not run; make its environment with make bench")
    last = [lines[-1] for lines in said]
    # Two primes of half the bits, each 3 modulo 4; the library has no sieve before its product.
    expected = (PEER_BITS / 2 * math.log(2) / 2) ** 2
    cpu = 1e3 * sum(line["cpu"] / line["candidates"] for line in last) / PEER_PARTIES
    wall = 1e3 * max(line["wall"] / line["candidates"] for line in last)
    return {
        "library": "tno.mpc.protocols.distributed_keygen",
        "version": said[0][0]["version"],
        "bits": PEER_BITS,
        "parties": PEER_PARTIES,
        "candidates": min(line["candidates"] for line in last),
        "wall_milliseconds_per_candidate": round(wall, 3),
        "cpu_milliseconds_per_candidate_and_party": round(cpu, 3),
        "expected_candidates": round(expected),
        "expected_seconds": round(expected * wall / 1e3, 1),
    }


def _lines(log: Path) -> list[dict[str, Any]]:
    """Complete lines of a peer's output."""
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]]
