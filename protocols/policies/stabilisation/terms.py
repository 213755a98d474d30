"""The terms of a stabilisation: state of the chain, objective, public bounds of the scenarios, solver.

Every party holds private scenarios of the price deviation x = ln(P / target):

    x_{k+1} = a·x_k + b·u_k (+ b'·v_k) + w_k,    k = 0 … N−1

with u the growth of the supply and, for a collateralised coin, v the growth of the collateral ratio. The first M
controls are common to all scenarios, later ones are each scenario's own reaction.

    tracking   (λ/S) Σ_i Σ_k (x_k² + R·u_k²) + (1−λ)·s²        ψ_i = Σ_k x_k, s² = Σ_i (ψ_i − μ)²/(S−1)
    mean       λ·μ + (1−λ)·s²                                   the paper's (6.4)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.stabilisation.economy import Cohorts, Collateral, Economy
from tacita.protocols.terms import Table, plain

LARGEST = 1e15
MODELS, OBJECTIVES = ("coin", "collateralised", "depreciation"), ("tracking", "mean")
PUBLIC_OUTPUTS = ("mean", "variance")
MAX_CONTROLS, MAX_SCENARIOS, MAX_EPOCHS = 12, 64, 1000
DEFAULT_ITERATIONS = 200
CONTROL_PENALTY, OBJECTIVE_PENALTY, MEAN_PENALTY = 2.8, 0.4, 2.8
"""Penalties as multiples of the curvature that the public bounds suggest."""

Interval = tuple[Fraction, Fraction]
Amounts = tuple[tuple[str, Fraction], ...]
"""Numbers by key."""
OPTIONAL_SUPPLY = ("maximum", "block_reward_max", "auction_max", "buyback_max")


@dataclass(frozen=True)
class StabilisationTerms:
    """Everything public, in the caller's units."""

    model: str
    objective: str
    horizon: int
    """N."""
    shared: int
    """M."""
    weight: Fraction
    """λ of the objective."""
    control_cost: tuple[Fraction, ...]
    """R per control."""
    public_outputs: tuple[str, ...]
    price: Amounts
    """now, previous and target; or deviation alone."""
    supply: Amounts
    growth: Interval
    collateral: Amounts | None
    ratio_growth: Interval | None
    depreciation: tuple[Fraction, tuple[Fraction, ...]] | None
    """Rate and coins minted per epoch."""
    persistence: Interval
    """Bounds of a."""
    effects: tuple[Interval, ...]
    """Bounds of b, and of b' for a collateralised coin."""
    shock: Interval
    """Bounds of w."""
    scenarios: int
    """Most scenarios of a party."""
    iterations: int
    penalties: tuple[Fraction | None, Fraction | None]
    """ρ of the supply's growth in units of its largest limit, ρ of ψ; None for a value made from the bounds."""

    # ---- reading ----------------------------------------------------------------------------------------------

    @staticmethod
    def read(tree: Mapping[str, Any]) -> "StabilisationTerms":
        """From the sections; raises CallerMistake."""
        table = {name: Table(name, tree.get(name, {})) for name in SECTIONS}
        main, price, supply, bounds, solver = (table[n] for n in SECTIONS[:5])
        model = main.text("model", "coin", MODELS)
        controls = 2 if model == "collateralised" else 1
        horizon = main.integer("horizon", None, 1, MAX_CONTROLS // controls)
        outputs = main.get("public_outputs", [])
        if not isinstance(outputs, list) or any(o not in PUBLIC_OUTPUTS for o in outputs):
            raise CallerMistake(
                f"[stabilisation] public_outputs may list {' and '.join(PUBLIC_OUTPUTS)}; correct the terms"
            )
        depreciation = None
        if model == "depreciation":
            cohorts = table["depreciation"]
            minted = cohorts.get("minted")
            if not isinstance(minted, list) or not 1 <= len(minted) <= MAX_EPOCHS:
                raise CallerMistake(f"[depreciation] minted must list the coins of 1 to {MAX_EPOCHS} epochs")
            amounts = cohorts.numbers("minted", None, len(minted), 0, LARGEST)
            depreciation = (cohorts.number("rate", 0.01, 0, 1), amounts)
            if supply.has("outstanding"):
                raise CallerMistake("[supply] outstanding follows from [depreciation] minted; remove it")
        collateral = table["collateral"]
        terms = StabilisationTerms(
            model=model,
            objective=main.text("objective", "tracking", OBJECTIVES),
            horizon=horizon,
            shared=main.integer("shared", horizon, 1, horizon),
            weight=main.number("weight", 0.5, 0, 1),
            control_cost=main.numbers("control_cost", 0, controls, 0, LARGEST),
            public_outputs=tuple(sorted(set(outputs))),
            price=_price(price),
            supply=_supply(supply, model),
            growth=supply.interval("growth", None, -5, 5),
            collateral=_collateral(collateral) if controls == 2 else None,
            ratio_growth=collateral.interval("growth", None, -5, 5) if controls == 2 else None,
            depreciation=depreciation,
            persistence=bounds.interval("persistence", None, -2, 2),
            effects=tuple(
                bounds.interval(name, None, -LARGEST, LARGEST) for name in ("effect", "ratio_effect")[:controls]
            ),
            shock=bounds.interval("shock", None, -LARGEST, LARGEST),
            scenarios=bounds.integer("scenarios", 8, 1, MAX_SCENARIOS),
            iterations=solver.integer("iterations", DEFAULT_ITERATIONS, 1, 5000),
            penalties=(_penalty(solver, "control_penalty"), _penalty(solver, "objective_penalty")),
        )
        used = (*SECTIONS[:5], *(n for n in SECTIONS[5:] if n == model or (n, model) == ("collateral", MODELS[1])))
        for name in SECTIONS:
            if name in used:
                table[name].finish()
            elif name in tree:
                raise CallerMistake(f'section [{name}] does not belong to model = "{model}"; remove it')
        terms._check()
        return terms

    def _check(self) -> None:
        for (low, high), section in ((self.growth, "supply"), (self.ratio_growth or (0, 0), "collateral")):
            if low > 0 or high < 0:
                raise CallerMistake(f"[{section}] growth must allow 0: from a negative to a positive limit")
        if any(low == high for low, high in (self.growth, self.ratio_growth or (0, 1))):
            raise CallerMistake("growth allows only 0, so nothing is left to decide; widen its limits")
        if self.objective == "mean" and any(self.control_cost):
            raise CallerMistake('[stabilisation] control_cost belongs to objective = "tracking"; remove it')
        economy = self.economy
        if not math.isfinite(economy.deviation) or abs(economy.deviation) > 5:
            raise CallerMistake("[price] now and target differ by more than a factor of 148; correct the terms")
        if economy.outstanding <= 0:
            raise CallerMistake("no coins are outstanding; correct [supply] or [depreciation]")
        if economy.outstanding < economy.minimum:
            raise CallerMistake("[supply] outstanding is below minimum; correct the terms")
        economy.limits(self.horizon)

    # ---- what follows -----------------------------------------------------------------------------------------

    @cached_property
    def controls(self) -> int:
        """Controls per period."""
        return len(self.effects)

    @property
    def size(self) -> int:
        """Controls of a scenario over the whole horizon, n."""
        return self.horizon * self.controls

    @cached_property
    def economy(self) -> Economy:
        """The state of the chain."""
        p, s = ({name: float(x) for name, x in amounts} for amounts in (self.price, self.supply))
        if "deviation" in p:
            p = {"now": math.exp(p["deviation"]), "previous": math.exp(p["deviation"]), "target": 1.0}
        cohorts = collateral = None
        if self.depreciation:
            cohorts = Cohorts(float(self.depreciation[0]), tuple(map(float, self.depreciation[1])))
            s["outstanding"] = cohorts.worth()
        if self.collateral and self.ratio_growth:
            ratio, most = (float(x) for _, x in self.collateral)
            collateral = Collateral(ratio, most, _floats(self.ratio_growth))
        return Economy(
            price=p["now"],
            previous_price=p["previous"],
            target=p["target"],
            growth=_floats(self.growth),
            cohorts=cohorts,
            collateral=collateral,
            **s,
        )

    @property
    def deviation(self) -> float:
        """x_0."""
        given = dict(self.price).get("deviation")
        return self.economy.deviation if given is None else float(given)

    def canonical(self) -> dict[str, Any]:
        """All sections with every key that applies."""
        many = [plain(x) for x in self.control_cost]
        sections: dict[str, Any] = {
            "stabilisation": {
                "model": self.model,
                "objective": self.objective,
                "horizon": self.horizon,
                "shared": self.shared,
                "weight": plain(self.weight),
                "control_cost": many,
                "public_outputs": list(self.public_outputs),
            },
            "price": _plain(self.price),
            "supply": {**_plain(self.supply), "growth": [plain(x) for x in self.growth]},
            "bounds": {
                "persistence": [plain(x) for x in self.persistence],
                "shock": [plain(x) for x in self.shock],
                "scenarios": self.scenarios,
            },
            "solver": {"iterations": self.iterations},
        }
        for name, interval in zip(("effect", "ratio_effect"), self.effects, strict=False):
            sections["bounds"][name] = [plain(x) for x in interval]
        for name, penalty in zip(("control_penalty", "objective_penalty"), self.penalties, strict=True):
            if penalty is not None:
                sections["solver"][name] = plain(penalty)
        if self.collateral and self.ratio_growth:
            sections["collateral"] = {**_plain(self.collateral), "growth": [plain(x) for x in self.ratio_growth]}
        if self.depreciation:
            rate, minted = self.depreciation
            sections["depreciation"] = {"rate": plain(rate), "minted": [plain(x) for x in minted]}
        return sections


SECTIONS = ("stabilisation", "price", "supply", "bounds", "solver", "collateral", "depreciation")


def _price(table: Table) -> Amounts:
    if table.has("deviation"):
        return (("deviation", table.number("deviation", None, -5, 5)),)
    now = table.number("now", None, 1e-9, LARGEST)
    previous, target = table.number("previous", now, 1e-9, LARGEST), table.number("target", 1, 1e-9, LARGEST)
    return ("now", now), ("previous", previous), ("target", target)


def _supply(table: Table, model: str) -> Amounts:
    supply = {}
    if model != "depreciation":
        supply["outstanding"] = table.number("outstanding", None, 1e-6, LARGEST)
    for name in ("minimum", "block_reward"):
        supply[name] = table.number(name, 0, 0, LARGEST)
    supply.update({n: table.number(n, None, 0, LARGEST) for n in OPTIONAL_SUPPLY if table.has(n)})
    return tuple(supply.items())


def _collateral(table: Table) -> Amounts:
    ratio, most = table.number("ratio", None, 1, 1000), table.number("ratio_max", None, 1, 1000)
    if ratio > most:
        raise CallerMistake("[collateral] ratio is above ratio_max; correct the terms")
    return ("ratio", ratio), ("ratio_max", most)


def _penalty(table: Table, name: str) -> Fraction | None:
    return table.number(name, None, 1e-9, 1e9) if table.has(name) else None


def _plain(values: Amounts) -> dict[str, Any]:
    return {name: plain(value) for name, value in values}


def _floats(values: Sequence[Fraction]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
