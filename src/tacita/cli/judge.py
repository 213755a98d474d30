"""`tacita judge`: convict or acquit offline. Imports nothing of a node."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tacita.cli.options import Format
from tacita.cli.verify import read_file, read_json_file
from tacita.protocols import judge as check
from tacita.protocols.roster import Roster

ACQUITTED = 1


def judge(
    evidence: Annotated[Path, typer.Argument(help="evidence.json, as a node saved it beside its session")],
    roster: Annotated[Path, typer.Option(help="roster.json of the cluster whose nodes you know")],
    format: Format = "text",
) -> int:
    """Say whom the evidence convicts, without network and without trusting who shows it.

    Exit code 0: it convicts somebody. 1: it convicts nobody.
    """
    verdict = check.judge(read_file(evidence, "evidence"), Roster.read(read_json_file(roster, "roster")))
    if format == "json":
        sys.stdout.write(json.dumps({"convicted": verdict.convicts, **vars(verdict)}) + "\n")
    else:
        word = f"convicted ({verdict.fault}): " if verdict.convicts else "acquitted: "
        sys.stdout.write(word + verdict.sentence + "\n")
    return 0 if verdict.convicts else ACQUITTED
