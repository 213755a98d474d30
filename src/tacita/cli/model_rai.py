"""`tacita model rai`: RAI's hourly series, its real controller, no controller, and the scenario controller."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tacita.node import files
from tacita.protocols.policies.stabilisation.rai import HORIZON, Hours, Study, price_model
from tacita.protocols.policies.stabilisation.rai import Path as Course

COLUMNS = (
    "block_number",
    "marketPriceUsd",
    "RedemptionPrice",
    "RedemptionRateHourlyRate",
    "RaiDrawnFromSAFEs",
    "RaiInUniswap",
)


@dataclass(frozen=True)
class Arm:
    """One controller in one market."""

    name: str
    market: str
    """What auctions do to the price: "fitted" or "pool"; empty if there are none."""
    course: Course


def read_study() -> Study:
    """The series and the gains that are shipped with the example."""
    folder = Path(str(package_files("tacita") / "examples" / "stabilisation"))
    rows = list(csv.DictReader(io.StringIO(files.read_text(folder / "rai_hourly.csv", "series"))))
    seconds = np.array([datetime.fromisoformat(row["block_timestamp"]).timestamp() for row in rows])
    hours = Hours(seconds, *(np.array([float(row[c]) for row in rows]) for c in COLUMNS)).from_launch()
    gains = csv.DictReader(io.StringIO(files.read_text(folder / "rai_gains.csv", "gains")))
    return Study(hours, [(float(g["eth_block"]), float(g["kp"]), float(g["period"])) for g in gains])


def arms(study: Study) -> list[Arm]:
    """All replays of the second half."""
    return [
        Arm("history", "", study.replay("history")),
        Arm("no control", "", study.replay("none")),
        Arm("RAI's PI gains", "", study.replay("PI")),
        Arm("MPC on the fit", "fitted", study.replay("MPC")),
        Arm("MPC on the pool", "pool", study.replay("MPC", True, True)),
        Arm("MPC on the pool", "fitted", study.replay("MPC", True, False)),
        Arm("MPC on the fit", "pool", study.replay("MPC", False, True)),
    ]


def report(out: Path | None, format: str) -> None:
    """Replay the second half under several controllers; print it, and write rai.png into the folder `out`."""
    study = read_study()
    courses = arms(study)
    if format == "json":
        sys.stdout.write(json.dumps([_figures(arm) for arm in courses]) + "\n")
    else:
        console = Console()
        for table in (_fits(study), _results(courses)):
            console.print(table, highlight=False)
        for sentence in findings(study, courses):
            console.print(sentence, highlight=False, soft_wrap=True)
    if out is not None:
        files.write(out / "rai.png", picture(study, courses))
        if format != "json":
            sys.stdout.write(f"files: {out}/rai.png\n")


def _figures(arm: Arm) -> dict[str, Any]:
    course = arm.course
    return {
        "controller": arm.name,
        "auctions_move_the_price_as": arm.market,
        "rms_deviation": course.rms,
        "largest_deviation": course.largest,
        "hours_beyond_2_percent": course.far,
        "supply_moved_by_controller": course.moved,
        "net_growth_by_controller": course.net,
        "supply_moved_in_all": course.total,
    }


def _fits(study: Study) -> Table:
    title = "x' = c + a·x + b·u + g·r by least squares, with t statistics"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("fitted to", no_wrap=True)
    for name in ("a", "t", "b", "t", "g", "t", "R²"):
        table.add_column(name, justify="right", no_wrap=True)
    windows = [(f"party {i + 1}", *w) for i, w in enumerate(study.windows)]
    rows = [("first half", 0, study.half), *windows, ("second half", study.half, len(study.hours.growth))]
    for name, start, end in rows:
        fit = price_model(study.hours, start, end)
        a, b, g = ((f"{fit[n]:.{digits}f}", f"{fit.ratio(n):.1f}") for n, digits in (("x", 3), ("u", 4), ("r", 1)))
        table.add_row(name, *a, *b, *g, f"{fit.explained:.2f}")
    return table


def _results(courses: Sequence[Arm]) -> Table:
    table = Table(title="Second half, the same shocks for all", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("controller", "market"):
        table.add_column(name, no_wrap=True)
    for name in ("rms %", "max %", "> 2 %", "moved", "net", "all"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in courses:
        c = arm.course
        cells = f"{100 * c.rms:.2f}", f"{100 * c.largest:.2f}", f"{100 * c.far:.1f} %"
        table.add_row(arm.name, arm.market, *cells, f"{c.moved:.2f}", f"{c.net:+.2f}", f"{c.total:.1f}")
    table.caption = (
        "market: how auctions move the price; > 2 %: part of the hours; moved: Σ|growth| of the supply by the "
        "controller, net: its Σ growth, all: Σ|growth| by users and controller"
    )
    table.caption_justify = "left"
    return table


def findings(study: Study, courses: Sequence[Arm]) -> list[str]:
    """What the figures say, computed from them."""
    fit, none = study.price, courses[1].course
    signs = ", ".join(f"{price_model(study.hours, *w)['u']:+.3f}" for w in study.windows)
    pool = ", ".join(f"{b:.2f}" for b in study.pool_effect)
    lines = [
        f"The effect of supply on the price cannot be read from history: b = {fit['u']:.4f}, "
        f"t = {fit.ratio('u'):+.1f}, and the four parties find {signs}. "
        "Users mint and repay for other reasons than the price.",
        f"The pool says b = −2·S/pool: {pool} by party. That is what a sold coin does at once, if nothing undoes it.",
        f"The fit blames the redemption rate for what it answers: g = {fit['r']:.1f}, t = {fit.ratio('r'):+.1f}, says "
        "that a higher rate lowers the price. So this model judges RAI's own controller too harshly.",
    ]
    for arm in courses[2:]:
        change = arm.course.rms / none.rms - 1
        verdict = "better" if change < -0.01 else "worse" if change > 0.01 else "no better"
        place = f" in the {arm.market} market" if arm.market else ""
        moved = f", moving {arm.course.moved:.2f} supplies" if arm.market else ""
        lines.append(f"{arm.name}{place}: {verdict} than no control ({100 * change:+.1f} % rms deviation{moved}).")
    return lines


def picture(study: Study, courses: Sequence[Arm]) -> bytes:
    """Deviation and the controller's supply, in the second half."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    days = (study.hours.seconds[study.half :] - study.hours.seconds[study.half]) / 86400
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(10, 6.4), sharex=True, layout="constrained", height_ratios=(1.5, 1)
    )
    for at, color in ((1, "#9a9a9a"), (2, "#c25b12"), (4, "#1f5fa8"), (5, "#4f8a4c")):
        arm = courses[at]
        label = arm.name + (f", {arm.market} market" if arm.market else "")
        label += f": rms {100 * arm.course.rms:.2f} %"
        if at != 5:  # the fitted market hardly reacts to auctions: that line would hide the one without control
            means = np.convolve(100 * arm.course.deviation, np.full(HORIZON, 1 / HORIZON), mode="same")
            top.plot(days, means, color=color, lw=1.1, label=label)
        if arm.market:
            bottom.plot(
                days[:-1],
                100 * (np.exp(np.cumsum(arm.course.coins)) - 1),
                color=color,
                lw=1.4,
                label=label.split(":")[0],
            )
    top.axhline(0, color="#555", lw=0.8, ls=":")
    top.set_ylabel(f"market from redemption price, %\n(means over {HORIZON} hours)")
    bottom.axhline(0, color="#555", lw=0.8, ls=":")
    bottom.set_ylabel("supply added\nby the controller, %")
    bottom.set_xlabel(f"days from {datetime.fromtimestamp(study.hours.seconds[study.half]).date()}")
    for axis in (top, bottom):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    figure.suptitle(f"RAI, second half, replayed hour by hour (horizon {HORIZON} hours)", fontsize=12)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    plt.close(figure)
    return buffer.getvalue()
