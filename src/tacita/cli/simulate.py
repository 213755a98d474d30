"""`tacita simulate`: deterministic worlds with faults, in this process alone."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tacita.cli.options import Format
from tacita.protocols.faults import CallerMistake
from tacita.protocols.roster import check_size

if TYPE_CHECKING:
    from tacita.deploy.simulate.report import Report

BITS = (512, 1024, 2048, 3072)
FAILED = 1


def simulate(
    worlds: Annotated[int, typer.Option(min=1, help="how many worlds: seeds SEED, SEED + 1, …")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="seed of the first world; it decides everything there")] = 1,
    nodes: Annotated[int, typer.Option(help="3 to 7 nodes")] = 3,
    bits: Annotated[int, typer.Option(help="bits of the INSECURE dealt key: 512, 1024, 2048 or 3072")] = 512,
    misbehaving: Annotated[int, typer.Option(min=0, max=100, help="percent of worlds in which a node deviates")] = 5,
    jobs: Annotated[int, typer.Option(min=0, help="worlds at once; 0: as many as this machine has cores")] = 0,
    format: Format = "text",
) -> int:
    """Run whole sessions on a virtual clock and a seeded network with delay, loss, doubles, reordering and cuts."""
    check_size(nodes)
    if bits not in BITS:
        raise CallerMistake(f"a simulated key has {', '.join(map(str, BITS[:-1]))} or {BITS[-1]} bits, not {bits}")
    from tacita.deploy.simulate import report, world

    scope = report.Scope(seed, worlds, nodes, bits, misbehaving, jobs or report.cores())
    columns = TextColumn("worlds"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    quiet = not sys.stderr.isatty()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("", total=worlds)
        failed = 0

        def note(verdict: world.Verdict) -> None:
            nonlocal failed
            failed += verdict.failed
            progress.update(task, advance=1, description=f"{failed} failing" if failed else "")

        done = report.simulate(scope, note)
    if format == "json":
        sys.stdout.write(json.dumps(done.tree()) + "\n")
    else:
        _show(done)
    return FAILED if done.failing else 0


def _show(done: "Report") -> None:
    console, tree = Console(), done.tree()
    console.print(f"INSECURE: simulated nodes with a key that everybody knows ({done.scope.bits} bits)", soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("worlds")
    table.add_column(f"{tree['worlds']:,}", justify="right")
    for name in ("completed", "aborted", "wrong", "false_blame", "unfinished", "misbehaved"):
        table.add_row(name.replace("_", " "), f"{tree[name]:,}")
    table.add_section()
    for name in ("delivered", "dropped", "duplicated", "reordered", "cut"):
        table.add_row(f"packets {name}", f"{tree[name]:,}")
    console.print(table)
    console.print(f"virtual time {tree['virtual_seconds']:,.0f} s; digest {tree['digest']}", soft_wrap=True)
    for verdict in done.failing:
        what = verdict.ending + (", false blame" if verdict.false_blame else "")
        console.print(f"seed {verdict.seed}: {what}; again: {done.scope.replay(verdict.seed)}", soft_wrap=True)
        for reason in verdict.reasons:
            console.print(f"  {reason}", soft_wrap=True, highlight=False, markup=False)
