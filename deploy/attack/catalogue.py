"""All rows A01–A91, and how they are run: in as many processes as there are cores, with one result."""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tacita.deploy.attack import (
    attempts,
    computing,
    exhaustion,
    inputs,
    keys,
    local,
    openings,
    products,
    proofs,
    release,
    sharing,
    sizes,
    transport,
    verification,
)
from tacita.deploy.attack.case import CASES, Case, Row, run_case
from tacita.deploy.attack.evidence import judged
from tacita.deploy.attack.session import prepare
from tacita.protocols.faults import CallerMistake

__all__ = ["CASES", "Row", "cores", "find", "ids", "run_many", "run_one", "table"]
GROUPS = (
    inputs, keys, sharing, products, verification, openings, computing, attempts, release, transport, local, exhaustion,
    proofs, sizes,
)  # fmt: skip
ROWS = 91
SLOW = ("A18", "A33", "A83", "A35", "A34")
"""They take longest, so they begin first."""


def ids() -> list[str]:
    """A01, A02, …: every row of the catalogue, whether or not there is a case for it."""
    return [f"A{n:02d}" for n in range(1, ROWS + 1)]


def find(id: str) -> Case:
    """The case of an id; raises CallerMistake."""
    if id not in CASES:
        raise CallerMistake(f"there is no attack {id}; `tacita attack list` shows A01 to A{ROWS}")
    return CASES[id]


def run_one(id: str, parties: int, seed: int) -> Row:
    """Play one case and its control."""
    logging.getLogger().addHandler(logging.NullHandler())  # nodes and event loops log what they refuse
    prepare(parties)
    return run_case(find(id), parties, seed, judged)


def run_many(
    chosen: Iterable[str], parties: int, seed: int, jobs: int, note: Callable[[Row], None] = lambda _: None
) -> list[Row]:
    """The rows in the order of their ids."""
    wanted = sorted(chosen, key=lambda id: (id not in SLOW, id))
    if jobs == 1 or len(wanted) == 1:
        rows = []
        for id in wanted:
            rows.append(run_one(id, parties, seed))
            note(rows[-1])
        return sorted(rows, key=lambda row: row.case)
    done: dict[str, Row] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        work = [pool.submit(run_one, id, parties, seed) for id in wanted]
        for future in as_completed(work):
            row = future.result()
            done[row.case] = row
            note(row)
    return [done[id] for id in sorted(done)]


def cores() -> int:
    """How many processes this machine runs at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| id | attack | expected | verdict | named | evidence | without which defence: what is gained | ok |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        found = CASES[row.case]
        told = "; ".join(row.reasons)
        control = f"`{found.defence.name.removeprefix('tacita.')}`: {_plain(row.harm)}" if found.defence else ""
        cells = [
            row.case, found.title, row.expected, row.verdict, row.culprit_named or "",
            {True: "holds", False: "**missing**", None: ""}[row.evidence_checked],
            ". ".join(part for part in (control, _plain(told)) if part),
            ("yes" if row.ok else "**no**") if found.defence else "",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _plain(sentence: str, most: int = 160) -> str:
    text = " ".join(sentence.split())
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"
