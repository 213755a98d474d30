"""The picture of a stabilisation: the scenarios with and without the agreed plan, and the closed loop that follows.

Drawn by whoever holds all inputs (the operator of a local cluster). The closed loop is the plain controller against
a market with the scenarios' mean coefficients that goes through the scenarios' shocks one after the other.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tacita.node import files
from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.stabilisation.inputs import PartyInputs, Scenario
from tacita.protocols.policies.stabilisation.loop import Controller, Period, closed_loop, linear_market
from tacita.protocols.policies.stabilisation.plain import all_scenarios, optimum, problem_of
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms

PERIODS = 36
PLAN, FREE, ISSUE, REWARD, RATIO = "#1f5fa8", "#9a9a9a", "#c25b12", "#e0b25c", "#4f8a4c"


def save(path: Path, terms: StabilisationTerms, parties: Mapping[str, PartyInputs], outcome: Mapping[str, Any]) -> None:
    """Write the PNG, readable by the operator alone: it shows private scenarios."""
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    scenarios = all_scenarios(parties)
    figure = plt.figure(figsize=(11, 6.4), layout="constrained")
    left, top, bottom = figure.subplot_mosaic(
        [["left", "top"], ["left", "bottom"]], width_ratios=[1, 1.35], height_ratios=[1.15, 1]
    ).values()
    _fan(left, terms, scenarios, outcome)
    periods, free = replay(terms, scenarios)
    x = 100 * np.array([p.economy.deviation for p in periods])
    top.plot(free, color=FREE, lw=1.6, label="without auctions")
    top.plot(x, color=PLAN, lw=1.8, label="controlled")
    top.axhline(0, color="#555", lw=0.8, ls=":")
    top.set_ylabel("price from its target, %")
    top.set_title("Closed loop: every period plans anew and carries out its first step", fontsize=10)
    top.legend(frameon=False, fontsize=9)
    _coins(bottom, periods)
    for axis in (left, top, bottom):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("What the parties kept secret, and the plan that came out", fontsize=12)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    plt.close(figure)
    files.write(path, buffer.getvalue(), files.PRIVATE)


def _fan(axis: Any, terms: StabilisationTerms, scenarios: list[Scenario], outcome: Mapping[str, Any]) -> None:
    """Every scenario's deviation under no control, and under the released plan with its own best later steps."""
    problem = problem_of(terms, scenarios)
    best = optimum(problem).controls.copy()
    released = [outcome["growth"], *([outcome["ratio_growth"]] if "ratio_growth" in outcome else [])]
    best[:, : problem.shared] = np.array(released).T.reshape(-1)
    start = np.full((len(scenarios), 1), terms.deviation)
    time = np.arange(terms.horizon + 1)
    for states, color, label in (
        (problem.states(np.zeros_like(best)), FREE, "no control"),
        (problem.states(best), PLAN, "with the plan" + (", then its own best" if terms.shared < terms.horizon else "")),
    ):
        rows = 100 * np.hstack([start, states])
        axis.plot(time, rows[1:].T, color=color, lw=1.1, alpha=0.75)
        axis.plot(time, rows[0], color=color, lw=1.1, alpha=0.75, label=label)
    axis.axvspan(0, terms.shared, color=PLAN, alpha=0.07, lw=0)
    axis.text(0.05, 0.015, "shared steps", color=PLAN, fontsize=8, transform=axis.get_xaxis_transform())
    axis.axhline(0, color="#555", lw=0.8, ls=":")
    axis.set_xticks(time)
    axis.set_xlabel("period")
    axis.set_ylabel("price from its target, %")
    axis.set_title(f"{len(scenarios)} scenarios of {terms.horizon} periods", fontsize=10)
    axis.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.09), ncol=2)


def _coins(axis: Any, periods: list[Period]) -> None:
    """Auctions, buy-backs and rewards as bars; the supply or the collateral ratio as a line on the other side."""
    time = np.arange(len(periods))
    unit, name = _unit(max(abs(p.decision.auction_size) for p in periods))
    axis.bar(
        time, [p.decision.auction_size / unit for p in periods], 0.7, color=ISSUE, label="auction (+), buy-back (−)"
    )
    rewards = [p.decision.block_reward / unit for p in periods]
    if max(rewards) > 0:
        axis.bar(time, rewards, 0.3, color=REWARD, label=f"block reward (at most {max(rewards):.2g})")
    axis.axhline(0, color="#555", lw=0.8)
    axis.set_xlabel("period")
    axis.set_ylabel(f"{name}coins")
    other = axis.twinx()
    if periods[0].economy.collateral:
        line, label = [p.decision.ratio for p in periods], "collateral ratio"
    else:
        first = periods[0].economy.outstanding
        line, label = [100 * p.decision.outstanding / first for p in periods], "supply, % of today's"
    other.plot(time, line, color=RATIO, lw=1.6, label=label)
    other.set_ylabel(label, color=RATIO)
    other.spines["top"].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncol=2)


def replay(terms: StabilisationTerms, scenarios: list[Scenario]) -> tuple[list[Period], Vector]:
    """The closed loop, and the deviation in % of the same market if there are no auctions."""
    mean = Scenario(
        sum((s.persistence for s in scenarios), Fraction(0)) / len(scenarios),
        tuple(
            sum(column, Fraction(0)) / len(scenarios) for column in zip(*(s.effects for s in scenarios), strict=True)
        ),
        (),
    )
    shocks = np.resize([float(w) for s in scenarios for w in s.shocks], PERIODS)
    market = linear_market(mean, shocks)
    periods = closed_loop(Controller(terms, scenarios), market, PERIODS)
    economy, free = terms.economy, []
    for t in range(PERIODS):
        free.append(100 * economy.deviation)
        after = economy.outstanding - economy.depreciation() + economy.reward
        control = np.zeros(economy.controls)
        control[0] = np.log(after / economy.outstanding)
        economy = economy.advance(economy.decide(control.tolist()), market(t, economy, control))
    return periods, np.array(free)


def _unit(largest: float) -> tuple[float, str]:
    for power, name in ((1e9, "billion "), (1e6, "million "), (1e3, "thousand ")):
        if largest >= power:
            return power, name
    return 1.0, ""
