"""`make demo` in a copy of a checkout: from nothing (environment, cluster, key) and again."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tacita.deploy.bench.measure import Note
from tacita.protocols.faults import CallerMistake, MachineFault

LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "out", ".tacita", "__pycache__", ".*_cache", ".hypothesis", "dist")
SECONDS = 1800.0
"""A run that takes longer is ended."""


def run(checkout: Path, note: Note) -> dict[str, Any]:
    """Wall seconds of both runs; packages are fetched anew for the first one, so it depends on the network."""
    if not (checkout / "Makefile").exists():
        raise CallerMistake(f"{checkout} is no checkout of Tacita: it has no Makefile; leave --checkout out")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tacita"
        shutil.copytree(checkout, copy, symlinks=True, ignore=LEFT_OUT)
        seconds = {}
        for name in ("from_nothing", "again"):
            note(f"make demo, {name.replace('_', ' ')}")
            seconds[name] = round(_make(copy, Path(folder) / f"{name}.log"), 1)
    return {"seconds": seconds}


def _make(folder: Path, log: Path) -> float:
    outer = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {k: v for k, v in os.environ.items() if k not in outer}
    begun = time.perf_counter()
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                ["make", "demo"],  # noqa: S607 - the caller's make
                cwd=folder,
                env={**environment, "PIP_NO_CACHE_DIR": "1"},
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MachineFault(f"make demo took more than {SECONDS:.0f} seconds; look at the network") from None
    if done.returncode:
        said = log.read_text(errors="replace").strip()[-300:]
        raise MachineFault(f"make demo fails in a fresh copy: {said}")
    return time.perf_counter() - begun
