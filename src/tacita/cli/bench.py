"""`tacita bench`: measure this machine, beside other libraries if their environment is there."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from tacita.cli.options import Format
from tacita.deploy.bench.measure import PARTS
from tacita.protocols.faults import CallerMistake

FILE_WIDTH = 120
"""Columns of the tables where there is no terminal."""


def bench(
    out: Annotated[Path, typer.Option(help="folder for bench.json")] = Path("out/bench"),
    peers: Annotated[Path | None, typer.Option(help="python of the peers' environment (make bench makes it)")] = None,
    keygen_peer: Annotated[Path | None, typer.Option(help="python of the keygen peer's environment")] = None,
    only: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(PARTS)}; may be repeated")] = None,
    checkout: Annotated[Path | None, typer.Option(help="checkout in a copy of which `make demo` is timed")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="one small round: shows that everything works")] = False,
    format: Format = "text",
) -> None:
    """Time encryption, range proofs, key ceremonies and sessions; write bench.json and print goals met and not met."""
    from tacita.deploy.bench import report
    from tacita.deploy.bench.run import Scope, run
    from tacita.node import files

    parts = tuple(only or PARTS)
    for part in parts:
        if part not in PARTS:
            raise CallerMistake(f"--only {part} is no part of the benchmark; choose from {', '.join(PARTS)}")
    peers, keygen_peer = (_python(path, quick) for path in (peers, keygen_peer))

    def note(sentence: str) -> None:
        sys.stderr.write(f"{sentence}\n")

    result = run(Scope(quick, peers, checkout, keygen_peer, parts), note)
    files.write_json(out / "bench.json", result)
    if format == "json":
        sys.stdout.write(json.dumps(result) + "\n")
        return
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    for sheet in report.sheets(result):
        table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column(sheet.header[0], no_wrap=True)
        for name in sheet.header[1:]:
            table.add_column(name, justify="right")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    busy = ", ".join(f"{part} {cores}" for part, cores in result["other_programs_cores"].items())
    facts = result["machine"]
    console.print(
        f"{facts['cores']} cores, {facts['processor']}; cores busy with other programs: {busy}", soft_wrap=True
    )
    if quick:
        console.print("quick: one round of everything small; these figures are no benchmark")
    console.print(f"files: {out}/bench.json", soft_wrap=True)


def _python(path: Path | None, quick: bool) -> Path | None:
    """An interpreter of the peers, not resolved: the link is what makes a python that of an environment."""
    if path is not None and not path.exists():
        if not quick:
            raise CallerMistake(f"there is no python at {path}; make the peers' environments with make bench")
        return None
    return path and path.absolute()
