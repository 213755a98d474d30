"""`tacita model prediction`: what the predictors are worth, on real series and on one made for the network."""

import csv
import json
import sys
from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from tacita.cli.options import Format

if TYPE_CHECKING:
    from tacita.protocols.policies.prediction.evaluation import Evaluation

SERIES = {
    "inflation": "US inflation, quarters 1959-2009",
    "cpi": "US consumer prices, quarters 1959-2009",
    "sunspots": "sunspots, years 1700-2008",
    "rai": "price of RAI in dollars, hours of March and April 2021",
}
PAIRS = (("linear", "naive"), ("network", "naive"), ("network", "linear"))
WIDTH = 118
"""Columns of the table where there is no terminal."""


def prediction(
    report: Annotated[bool, typer.Option("--report", help="fit and test on real series")] = False,
    format: Format = "text",
) -> None:
    """What network and regression learn of sign(x1·x2 + 0.3·x3); with --report also on real series, against naive."""
    from tacita.protocols.policies.prediction.evaluation import evaluate, synthetic_accuracy

    result: dict[str, Any] = {"synthetic": {loss: synthetic_accuracy(loss) for loss in ("squared", "hinge")}}
    evaluations = [evaluate(name, read_series(name)) for name in SERIES] if report else []
    if report:
        result["series"] = {e.name: _tree(e) for e in evaluations}
    if format == "json":
        sys.stdout.write(json.dumps(result) + "\n")
        return
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for loss, found in result["synthetic"].items():
        console.print(
            f"sign(x1·x2 + 0.3·x3), 600 rows, network 5-24-1 with {loss} loss after 40 iterations: "
            f"{found['network']:.3f} right, least squares {found['linear']:.3f}"
        )
    if report:
        console.print(_table(evaluations))
        console.print(_verdicts(evaluations))
        for e in evaluations:
            console.print(f"{e.name}: {SERIES[e.name]}")


def read_series(name: str) -> list[float]:
    """A shipped series."""
    path = Path(str(package_files("tacita") / "examples" / "prediction" / "series" / f"{name}.csv"))
    with path.open(newline="") as file:
        return [float(row["value"]) for row in csv.DictReader(file)]


def _tree(e: "Evaluation") -> dict[str, Any]:
    scores = {
        name: {"accuracy": s.accuracy, "root_mean_square_error": s.root_mean_square} for name, s in e.scores.items()
    }
    verdicts = {
        f"{a} against {b}": {"direction": e.verdict(a, b), "error": e.verdict(a, b, "errors")} for a, b in PAIRS
    }
    return {
        "training": e.training,
        "test": e.test,
        "naive_rule": e.rule,
        "scores": scores,
        "network_accuracies": list(e.networks),
        "verdicts": verdicts,
    }


def _table(evaluations: Sequence["Evaluation"]) -> Table:
    title = "Test part of each series: share of right directions, and root mean square error of the change"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("series", "fit", "test", "network (3 seeds)", "linear", "naive", "naive rule", "network", "linear"):
        table.add_column(name, justify="left" if name in ("series", "naive rule") else "right", no_wrap=True)
    table.add_column("no change", justify="right", no_wrap=True)
    for e in evaluations:
        s = e.scores
        errors = (f"{s[name].root_mean_square:.3g}" for name in ("network", "linear", "naive"))
        seeds = " ".join(f"{a:.2f}" for a in e.networks)
        shares = (seeds, f"{s['linear'].accuracy:.2f}", f"{s['naive'].accuracy:.2f}")
        table.add_row(e.name, str(e.training), str(e.test), *shares, e.rule, *errors)
    return table


def _verdicts(evaluations: Sequence["Evaluation"]) -> Table:
    table = Table(
        title="Direction / error: better or worse by more than two standard errors of the difference, or the same",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("series", no_wrap=True)
    for first, second in PAIRS:
        table.add_column(f"{first} against {second}", no_wrap=True)
    for e in evaluations:
        table.add_row(e.name, *(f"{e.verdict(a, b)} / {e.verdict(a, b, 'errors')}" for a, b in PAIRS))
    return table
