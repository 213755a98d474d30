"""Pictures of a committee: its decision among the members' own paths, and its decisions in history.

Drawn by whoever holds all inputs (the operator of a local cluster).
"""

import io
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from tacita.node import files
from tacita.protocols.policies.interest_rate import history, plain
from tacita.protocols.policies.interest_rate.history import Quarter
from tacita.protocols.policies.interest_rate.inputs import MemberInputs
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms

BLUE, ORANGE, GREY = "#1f5fa8", "#c25b12", "#8a8a8a"
NAMED = 6
"""Members' paths are named up to this many."""


def shipped() -> tuple[history.Series, CommitteeTerms]:
    """Data and terms of the demo."""
    folder = Path(str(package_files("tacita") / "examples" / "interest-rate"))
    terms = CommitteeTerms.read(tomllib.loads((folder / "terms.toml").read_text()))
    return history.Series.read((folder / "macrodata.csv").read_text()), terms


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _write(path: Path, figure: Any, mode: int) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    _pyplot().close(figure)
    files.write(path, buffer.getvalue(), mode)


def _plain_axes(axis: Any) -> None:
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("rate, percent")


def save_decision(
    path: Path, terms: CommitteeTerms, members: Mapping[str, MemberInputs], rates: Sequence[float]
) -> None:
    """The decided path and what every member would choose alone; in the demo also the history around it."""
    quarters = _around(terms, members)
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(
        1, 2 if quarters else 1, figsize=(11 if quarters else 6.4, 4), squeeze=False, layout="constrained"
    )
    axis, periods = axes[0][-1], range(len(rates) + 1)
    before, neutral = float(terms.previous_rate), float(terms.economy.neutral)
    ends = []
    for name, inputs in members.items():
        path_alone = plain.ideal(terms, plain.views_of(terms, inputs)) + neutral
        axis.plot(periods, [before, *path_alone], color=GREY, lw=1.1, marker="o", ms=3)
        ends.append((float(path_alone[-1]), name))
    if len(members) <= NAMED:
        for rate, name in ends:
            axis.annotate(
                name, (periods[-1], rate), xytext=(5, -3), textcoords="offset points", color="#555", fontsize=9
            )
    axis.plot(periods, [before, *rates], color=BLUE, lw=2.2, marker="o", ms=5, label="decided, secure session")
    axis.plot([], [], color=GREY, lw=1.1, marker="o", ms=3, label="each member alone (private)")
    axis.set_xticks(list(periods), ["before", *(str(k) for k in periods[1:])])
    axis.set_xlim(-0.2, len(rates) + 0.55)
    axis.set_xlabel("period")
    axis.set_title("The decided path", fontsize=11)
    axis.legend(frameon=False, fontsize=9, loc="lower left")
    _plain_axes(axis)
    if quarters:
        _draw_history(axes[0][0], quarters)
        here = next(i for i, q in enumerate(quarters) if q.members == members)
        axes[0][0].plot(
            [_year(quarters[here].name)], [rates[0]], "o", color="#111", ms=7, zorder=5, label="this session"
        )
        axes[0][0].legend(frameon=False, fontsize=9, loc="upper right")
    _write(path, figure, files.PRIVATE)  # it shows what the members kept secret


def save_history(path: Path, quarters: Sequence[Quarter]) -> None:
    """Decisions against the treasury bill rate, over what the members would have decided alone."""
    figure, axis = _pyplot().subplots(figsize=(9, 4.4), layout="constrained")
    _draw_history(axis, quarters)
    axis.legend(frameon=False, fontsize=9)
    _write(path, figure, files.PUBLIC)


def _draw_history(axis: Any, quarters: Sequence[Quarter]) -> None:
    years = [_year(q.name) for q in quarters]
    columns = list(zip(*history.alone(quarters).values(), strict=True))
    axis.fill_between(
        years, list(map(min, columns)), list(map(max, columns)), color=BLUE, alpha=0.14, lw=0, label="members alone"
    )
    axis.plot(years, [q.rate for q in quarters], color=BLUE, lw=1.8, label="committee, computed in the clear")
    axis.plot(years, [q.actual for q in quarters], color=ORANGE, lw=1.6, label="three-month treasury bill")
    axis.set_xlabel("year")
    axis.set_title("A committee of three, United States 1985–2007", fontsize=11)
    axis.margins(x=0.01)
    _plain_axes(axis)


def _around(terms: CommitteeTerms, members: Mapping[str, MemberInputs]) -> list[Quarter]:
    """The history, if this session is one of its quarters; otherwise nothing."""
    if sorted(members) != sorted(history.PREFERENCES):
        return []
    series, demo = shipped()
    if terms.controller != demo.controller:
        return []
    quarters = history.decisions(series, demo)
    return quarters if any(q.members == members for q in quarters) else []


def _year(quarter: str) -> float:
    year, _, number = quarter.partition("q")
    return int(year) + (int(number) - 1) / 4
