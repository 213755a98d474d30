"""Judging what honest nodes took away: by a stranger with the roster, from the bytes of the evidence alone."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tacita.deploy.attack.case import Shown
from tacita.protocols import judge
from tacita.protocols.evidence import to_file
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

OFFLINE = """
import runpy, socket, sys
def refuse(*_, **__): raise RuntimeError("the judge has no network")
socket.socket.connect = socket.socket.bind = socket.socket.sendto = refuse
sys.argv = ["tacita", "judge", *sys.argv[1:], "--format", "json"]
runpy.run_module("tacita.cli", run_name="__main__")
"""
"""`tacita judge` in a process whose sockets lead nowhere."""


def judged(shown: Shown, culprit: str, apart: bool) -> bool | None:
    """Whether all evidence names the culprit; None where nobody is named. `apart`: also in a process of its own."""
    if not culprit or shown.roster is None:
        return None
    files = [to_file(evidence, shown.roster) for evidence in shown.evidence]
    if not files or any(judge.judge(data, shown.roster).culprit != culprit for data in files):
        return False
    return not apart or judged_apart(files[0], shown.roster) == culprit


def judged_apart(data: bytes, roster: Roster) -> str:
    """Whom `tacita judge` convicts in a fresh process without network, environment or anything of this one."""
    with tempfile.TemporaryDirectory() as folder:
        evidence, known = Path(folder) / "evidence.json", Path(folder) / "roster.json"
        evidence.write_bytes(data)
        known.write_bytes(canonical_json(roster.tree()))
        command = [sys.executable, "-c", OFFLINE, str(evidence), "--roster", str(known)]
        kept = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        done = subprocess.run(command, capture_output=True, env=kept, timeout=60, check=False)
    try:
        (verdict,) = json.loads(done.stdout)["verdicts"]
        return str(verdict["culprit"])
    except (ValueError, KeyError):
        return ""
