"""A committee of three in the history of the United States: who read what in which quarter, and what it decides.

Each member measures slack and inflation in its own way, from nothing later than the quarter itself:

    dove     λ = 0.2   GDP against a smooth (Hodrick–Prescott) trend, consumer prices over four quarters
    centre   λ = 0.5   −2 × (unemployment − its mean of ten years), consumer prices over four quarters
    hawk     λ = 0.8   GDP against a quadratic trend, consumer prices over eight quarters, per year
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.inputs import MemberInputs
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms

Reals = NDArray[np.float64]
FIRST, LAST = "1985q1", "2007q4"
PREFERENCES = {"centre": "0.5", "dove": "0.2", "hawk": "0.8"}
SMOOTHING = 1600
"""Of the Hodrick–Prescott trend for quarters."""


@dataclass(frozen=True)
class Series:
    """Quarterly data; percent where a unit is not named."""

    quarters: tuple[str, ...]
    output: Reals
    """100·ln of real GDP."""
    prices: Reals
    """100·ln of the consumer price index."""
    bills: Reals
    """Three-month treasury bill rate."""
    unemployment: Reals

    @staticmethod
    def read(text: str) -> "Series":
        """From year,quarter,realgdp,cpi,tbilrate,unemp."""
        rows = list(csv.DictReader(text.splitlines()))

        def column(name: str) -> Reals:
            return np.array([float(row[name]) for row in rows])

        return Series(
            tuple(f"{row['year']}q{row['quarter']}" for row in rows),
            100 * np.log(column("realgdp")),
            100 * np.log(column("cpi")),
            column("tbilrate"),
            column("unemp"),
        )


@dataclass(frozen=True)
class Quarter:
    """One decision: the state of the world that the members read, and the rates."""

    name: str
    members: Mapping[str, MemberInputs]
    terms: CommitteeTerms
    rate: float
    """What the committee decides for this quarter."""
    actual: float
    """The treasury bill rate that was."""


def readings(series: Series, t: int) -> dict[str, MemberInputs]:
    """What the three members read in quarter number t, to two decimals."""
    output, prices = series.output[: t + 1], series.prices
    slack = {
        "dove": output[-1] - _smooth(output)[-1],
        "centre": -2 * (series.unemployment[t] - series.unemployment[t - 39 : t + 1].mean()),
        "hawk": output[-1] - _quadratic(output)[-1],
    }
    year, two_years = prices[t] - prices[t - 4], (prices[t] - prices[t - 8]) / 2
    inflation = {"dove": year, "centre": year, "hawk": two_years}
    return {
        name: MemberInputs(Fraction(PREFERENCES[name]), _cents(slack[name]), _cents(inflation[name]))
        for name in sorted(PREFERENCES)
    }


def decisions(series: Series, terms: CommitteeTerms) -> list[Quarter]:
    """Quarter by quarter in the clear: what is decided becomes the previous rate of the next quarter.

    The world goes its historical way whatever the committee decides; this is not a simulation of another history.
    """
    first, last = series.quarters.index(FIRST), series.quarters.index(LAST)
    rate, quarters = _cents(series.bills[first - 1]), []
    for t in range(first, last + 1):
        today = replace(terms, previous_rate=rate)
        members = readings(series, t)
        decided = float(plain.decide(today, members).rates[0])
        quarters.append(Quarter(series.quarters[t], members, today, decided, float(series.bills[t])))
        rate = _cents(decided)
    return quarters


def alone(quarters: Sequence[Quarter]) -> dict[str, list[float]]:
    """What each member would decide alone in every quarter, from the committee's previous rate."""
    rates: dict[str, list[float]] = {name: [] for name in sorted(PREFERENCES)}
    for quarter in quarters:
        for name, inputs in quarter.members.items():
            path = plain.ideal(quarter.terms, plain.views_of(quarter.terms, inputs))
            rates[name].append(float(path[0]) + float(quarter.terms.economy.neutral))
    return rates


def fit(series: Series, until: str = FIRST) -> dict[str, float]:
    """Least squares of (4.30) and (4.31) on the quarters before `until`, with the four-quarter inflation and the gap
    against a quadratic trend over the same quarters."""
    stop = series.quarters.index(until)
    gap = (series.output[:stop] - _quadratic(series.output[:stop]))[4:]
    inflation = series.prices[4:stop] - series.prices[: stop - 4]
    slope = float(gap[:-1] @ np.diff(inflation) / (gap[:-1] @ gap[:-1]))
    regressors = np.column_stack([gap[:-1], -(series.bills[4:stop] - inflation)[:-1], np.ones(len(gap) - 1)])
    persistence, sensitivity, _ = np.linalg.lstsq(regressors, gap[1:], rcond=None)[0]
    return {"slope": slope, "persistence": float(persistence), "sensitivity": float(sensitivity)}


def distance(quarters: Sequence[Quarter]) -> dict[str, float]:
    """How far the committee is from what was decided then, in percentage points, and how much they move together."""
    decided, actual = (np.array([getattr(q, key) for q in quarters]) for key in ("rate", "actual"))
    return {
        "mean_distance": float(np.abs(decided - actual).mean()),
        "mean_difference": float((decided - actual).mean()),
        "correlation": float(np.corrcoef(decided, actual)[0, 1]),
    }


def _cents(value: Any) -> Fraction:
    return Fraction(round(float(value) * 100), 100)


def _smooth(values: Reals) -> Reals:
    """The Hodrick–Prescott trend: argmin |values − trend|² + 1600·|second differences|²."""
    second = np.diff(np.eye(len(values)), 2, axis=0)
    return np.asarray(np.linalg.solve(np.eye(len(values)) + SMOOTHING * second.T @ second, values))


def _quadratic(values: Reals) -> Reals:
    time = np.linspace(-1, 1, len(values))
    return np.asarray(np.polyval(np.polyfit(time, values, 2), time))
