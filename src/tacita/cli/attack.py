"""`tacita attack`: every attack of the catalogue, and its control, in this process alone."""

import json
import os
import sys
from pathlib import Path
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
    from tacita.deploy.attack.case import Row

FAILED = 1
BEGIN, END = "<!-- tacita attack table -->", "<!-- end of the table -->"
app = typer.Typer(
    help="Attack INSECURE nodes in this process: every case with its control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Nodes = Annotated[int, typer.Option(help="3 to 7 nodes")]
Seed = Annotated[int, typer.Option(min=0, help="decides everything random")]
Jobs = Annotated[int, typer.Option(min=0, help="cases at once; 0: as many as this machine has cores")]


@app.command("list")
def list_(format: Format = "text") -> int:
    """Show every id with what is attacked, what must come of it, and which defence its control lacks."""
    from tacita.deploy.attack import catalogue

    found = [catalogue.CASES.get(id) for id in catalogue.ids()]
    if format == "json":
        tree = [
            {"case": c.id, "title": c.title, "expected": c.expected, "defence": c.defence.name if c.defence else None,
             "variants": list(c.variants), "not_applicable": c.not_applicable or None}
            for c in found if c is not None
        ]  # fmt: skip
        sys.stdout.write(json.dumps(tree) + "\n")
        return 0
    table = Table("id", "attack", "expected", "defence that the control lacks", box=box.SIMPLE_HEAD)
    for id, c in zip(catalogue.ids(), found, strict=True):
        if c is None:
            table.add_row(id, "", "", "not built")
        else:
            name = c.defence.name.removeprefix("tacita.") if c.defence else f"not applicable: {c.not_applicable}"
            table.add_row(id, c.title, c.expected, name)
    Console().print(table)
    return 0


@app.command()
def run(
    cases: Annotated[list[str], typer.Argument(help="ids such as A07, or `all`")],
    nodes: Nodes = 3,
    seed: Seed = 1,
    jobs: Jobs = 0,
    format: Format = "text",
) -> int:
    """Play attacks and their controls. Exit code 1 if one row is not ok."""
    rows = _run(cases, nodes, seed, jobs)
    if format == "json":
        sys.stdout.write(json.dumps([row.tree() for row in rows]) + "\n")
    else:
        _show(rows)
    return 0 if all(row.ok for row in rows) else FAILED


@app.command()
def table(
    into: Annotated[Path, typer.Option(help="the file whose marked table is replaced")],
    nodes: Nodes = 3,
    seed: Seed = 1,
    jobs: Jobs = 0,
) -> int:
    """Run all cases and write their table between the marks of a Markdown file."""
    from tacita.deploy.attack import catalogue

    text = into.read_text() if into.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise CallerMistake(f"{into} does not hold the two marks `{BEGIN}` and `{END}`; take tests/adversary/README.md")
    rows = _run(["all"], nodes, seed, jobs)
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    into.write_text(f"{before}{BEGIN}\n{catalogue.table(rows)}{END}{after}")
    return 0 if all(row.ok for row in rows) else FAILED


def _run(cases: list[str], nodes: int, seed: int, jobs: int) -> "list[Row]":
    check_size(nodes)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # refused handshakes are what is tested; read when grpc is imported
    from tacita.deploy.attack import catalogue

    chosen = list(catalogue.CASES) if cases == ["all"] else list(dict.fromkeys(cases))
    for id in chosen:
        catalogue.find(id)
    columns = TextColumn("attacks"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    quiet = not sys.stderr.isatty()
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=quiet) as progress:
        task, bad = progress.add_task("", total=len(chosen)), list[str]()

        def note(row: "Row") -> None:
            if not row.ok:
                bad.append(row.case)
            progress.update(task, advance=1, description=f"not ok: {', '.join(sorted(bad))}" if bad else "")

        return catalogue.run_many(chosen, nodes, seed, jobs or catalogue.cores(), note)


def _show(rows: "list[Row]") -> None:
    console = Console()
    console.print("INSECURE: simulated nodes with keys that everybody knows", soft_wrap=True)
    shown = Table("id", "expected", "verdict", "named", "evidence", "control", "ok", box=box.SIMPLE_HEAD)
    word = {True: "yes", False: "no", None: ""}
    for row in rows:
        cells = row.verdict, row.culprit_named or "", word[row.evidence_checked], word[row.control_succeeded]
        shown.add_row(row.case, row.expected, *cells, word[row.ok])
    console.print(shown)
    for row in rows:
        if row.harm:
            console.print(f"{row.case} control: {row.harm}", soft_wrap=True, highlight=False, markup=False)
        for reason in row.reasons:
            console.print(f"{row.case}: {reason}", soft_wrap=True, highlight=False, markup=False)
    applicable = [row for row in rows if row.verdict != "not applicable"]
    good = sum(row.ok for row in applicable)
    console.print(f"{good} of {len(applicable)} ok; {len(rows) - len(applicable)} not applicable", soft_wrap=True)
