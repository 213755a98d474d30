"""The ADMM of a session in stock MPyC: three processes of the peers' environment, on the same auction."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np

from tacita.deploy.local import free_ports
from tacita.protocols.faults import CallerMistake, VerificationFailed

PARTIES = 3
SECONDS = 1800.0
"""A run that takes longer is ended."""
ITERATION_TOLERANCE = 1e-5
"""Largest difference between stock MPyC and the same iterations in floating point, in units of about the largest bid:
sums of truncation errors of 2^-32."""
OUTCOME_TOLERANCE = 5e-3
"""Largest difference from the allocation that the session released, in the same units: a welfare gap of 1e-4 leaves
quantities this uncertain."""


def run(peers: Path, problem: Mapping[str, Any]) -> dict[str, Any]:
    """Wall seconds `total` from linked parties to the opened allocation, wall and CPU seconds per iteration.

    Raises:
        CallerMistake: the processes fail; the peers' environment is incomplete.
    """
    script = Path(str(package_files("tacita") / "deploy" / "bench" / "peers" / "stock_admm.py"))
    addresses = [a for port in free_ports(PARTIES) for a in ("-P", f"127.0.0.1:{port}")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.json"
        path.write_text(json.dumps(dict(problem)))
        processes = [
            subprocess.Popen(
                [str(peers), str(script), str(path), *addresses, "-I", str(i)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=folder,
            )
            for i in range(PARTIES)
        ]
        try:
            results = [_result(process) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    steps = max(1, int(problem["iterations"]) - 1)
    return {
        "total": max(r["total"] for r in results),
        "iteration_wall": max(r["wall"] for r in results) / steps,
        "iteration_cpu": sum(r["cpu"] for r in results) / steps / PARTIES,
        "iteration_bytes": sum(r["bytes"] for r in results) / steps / PARTIES,
        "allocation": next(r["allocation"] for r in results if "allocation" in r),
    }


def _result(process: "subprocess.Popen[str]") -> dict[str, Any]:
    try:
        said = process.communicate(timeout=SECONDS)[0].strip()
    except subprocess.TimeoutExpired:
        raise CallerMistake(f"stock MPyC took more than {SECONDS:.0f} seconds; use a faster machine") from None
    if process.returncode or not said:
        raise CallerMistake("stock MPyC does not run; make its environment with make bench")
    return dict(json.loads(said.splitlines()[-1]))


def in_floating_point(problem: Mapping[str, Any]) -> Any:
    """The same iterations in float64: what the fixed-point results must agree with."""
    scaled, inverse, upper = (np.array(problem[n]) for n in ("value", "share_inverse", "maximum"))
    rho, relax, members = problem["penalty"], problem["relaxation"], np.array(problem["members"], dtype=float)
    gain = rho / (rho + members * np.array(problem["cost_quadratic"]))
    offset, cap = np.array(problem["cost_linear"]) * gain / rho, np.array(problem["cap_mean"])
    x, x_mean, y_mean, u = np.zeros_like(scaled), np.zeros_like(cap), np.zeros_like(cap), np.zeros_like(cap)
    for _ in range(problem["iterations"]):
        x = np.clip((scaled + x - (x_mean - y_mean + u)) * inverse, 0, upper)
        x_mean = x.sum(axis=0) / members
        relaxed = relax * x_mean + (1 - relax) * y_mean
        y_mean = np.clip((u + relaxed) * gain - offset, 0, cap)
        u = u + relaxed - y_mean
    return x


def check(problem: Mapping[str, Any], stock: Sequence[Sequence[float]], released: Any) -> dict[str, float]:
    """Largest differences of stock MPyC's allocation from floating point and from what our session released, both in
    normalised units; raises VerificationFailed if either is too large."""
    allocation = np.array(stock)
    differences = {
        "from_floating_point": float(np.abs(allocation - in_floating_point(problem)).max()),
        "from_session": float(np.abs(allocation - np.array(released)).max()),
    }
    limits = {"from_floating_point": ITERATION_TOLERANCE, "from_session": OUTCOME_TOLERANCE}
    for name, limit in limits.items():
        if differences[name] > limit:
            raise VerificationFailed(f"stock MPyC's allocation is {differences[name]:.1e} {name.replace('_', ' ')}")
    return {name: float(f"{value:.2e}") for name, value in differences.items()}
