"""RAI's first months, hour by hour: a linear model of the first half, controllers replayed on the second half.

    x' = c + a·x + b·u + g·r + w        x = ln(market price / redemption price), u = growth of the drawn supply,
    u  = c' + a'·x + g'·r + e           r = the hourly redemption rate (logarithm)

Both are fitted by least squares on the first half. Their residuals on the second half are kept, so that the
historical u and r reproduce history exactly; another controller changes u or r and meets the same shocks.

    none    r = 0, no auctions
    PI      r = 3600·k_p·(redemption − market) per hour, RAI's real gains, updated every period of 4 hours; r = 0 else
    MPC     r = 0; the scenario controller adds coins v on top of what users do

What v does to the price is the crux. "fitted" takes b of the regression. "pool" takes the constant-product pool in
which RAI trades: coins sold there move ln P by −2·v·S/pool at once, and a brings it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.stabilisation.inputs import Scenario
from tacita.protocols.policies.stabilisation.loop import Controller
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms

LAUNCH = 1e7
"""The series starts when so many coins are drawn: before, a handful of users makes the price."""
PARTIES, HORIZON = 4, 6
GROWTH = 0.005
"""The controller issues or buys back at most this part of the supply in an hour."""
HOUR = 3600.0


@dataclass(frozen=True)
class Hours:
    """The hourly series; one row counts as one hour."""

    seconds: Vector
    block: Vector
    market: Vector
    redemption: Vector
    rate: Vector
    """Redemption rate per hour, as a factor."""
    supply: Vector
    pool: Vector
    """Coins in the trading pool."""

    def from_launch(self) -> "Hours":
        """Without the first days."""
        start = int(np.argmax(self.supply >= LAUNCH))
        return Hours(*(getattr(self, name)[start:] for name in self.__dataclass_fields__))

    @cached_property
    def deviation(self) -> Vector:
        """x."""
        return np.asarray(np.log(self.market / self.redemption))

    @cached_property
    def growth(self) -> Vector:
        """u, one shorter than the series."""
        return np.diff(np.log(self.supply))

    @cached_property
    def log_rate(self) -> Vector:
        """r."""
        return np.asarray(np.log(self.rate))


@dataclass(frozen=True)
class Regression:
    """Least squares with standard errors."""

    names: tuple[str, ...]
    value: Vector
    error: Vector
    explained: float
    """R²."""

    def __getitem__(self, name: str) -> float:
        return float(self.value[self.names.index(name)])

    def ratio(self, name: str) -> float:
        """t statistic."""
        at = self.names.index(name)
        return float(self.value[at] / self.error[at])


def regress(y: Vector, columns: Mapping[str, Vector]) -> Regression:
    """y on a constant and the columns."""
    x = np.column_stack([np.ones(len(y)), *columns.values()])
    value, *_ = np.linalg.lstsq(x, y, rcond=None)
    rest = y - x @ value
    noise = float(rest @ rest) / (len(y) - x.shape[1])
    return Regression(
        ("constant", *columns),
        np.asarray(value, float),
        np.asarray(np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * noise), float),
        1 - float(rest @ rest) / float(np.sum((y - y.mean()) ** 2)),
    )


def price_model(hours: Hours, start: int, end: int) -> Regression:
    """x' on x, u and r over the rows start … end − 1."""
    rows = slice(start, end)
    columns = {"x": hours.deviation[:-1][rows], "u": hours.growth[rows], "r": hours.log_rate[:-1][rows]}
    return regress(hours.deviation[1:][rows], columns)


def supply_model(hours: Hours, start: int, end: int) -> Regression:
    """u on x and r."""
    rows = slice(start, end)
    return regress(hours.growth[rows], {"x": hours.deviation[:-1][rows], "r": hours.log_rate[:-1][rows]})


@dataclass(frozen=True)
class Study:
    """Models of the first half and shocks of the second."""

    hours: Hours
    gains: Sequence[tuple[float, float, float]]
    """(first block, k_p per second, period in seconds), by block."""

    @property
    def half(self) -> int:
        """First row of the second half."""
        return len(self.hours.growth) // 2

    @cached_property
    def price(self) -> Regression:
        """Of the first half."""
        return price_model(self.hours, 0, self.half)

    @cached_property
    def supply(self) -> Regression:
        """Of the first half."""
        return supply_model(self.hours, 0, self.half)

    @cached_property
    def windows(self) -> list[tuple[int, int]]:
        """The part of the first half that each party has seen."""
        edges = np.linspace(0, self.half, PARTIES + 1).astype(int)
        return [(int(a), int(b)) for a, b in zip(edges, edges[1:], strict=False)]

    @cached_property
    def pool_effect(self) -> list[float]:
        """−2·S/pool per party: the median over its window."""
        ratio = self.hours.supply / self.hours.pool
        return [-2 * float(np.median(ratio[a:b])) for a, b in self.windows]

    def scenarios(self, pool: bool) -> list[Scenario]:
        """Two per party: its own fit of a (and b, or the pool's), and six hours of its residuals and their mirror
        image, taken from the middle of its window."""
        result, x = [], self.hours.deviation
        for (a, b), effect in zip(self.windows, self.pool_effect, strict=True):
            fit = price_model(self.hours, a, b)
            rows = slice((a + b) // 2, (a + b) // 2 + HORIZON)
            known = (
                fit["x"] * x[:-1][rows] + fit["u"] * self.hours.growth[rows] + fit["r"] * self.hours.log_rate[:-1][rows]
            )
            shocks = x[1:][rows] - known - fit["constant"]
            for sign in (1, -1):
                numbers = tuple(_short(sign * w) for w in shocks)
                result.append(Scenario(_short(fit["x"]), (_short(effect if pool else fit["u"]),), numbers))
        return result

    def terms(self, pool: bool) -> StabilisationTerms:
        """Of the session that decides the first hour of the second half."""
        row, scenarios = self.half, self.scenarios(pool)
        effects = [float(s.effects[0]) for s in scenarios]
        shock = max(abs(float(w)) for s in scenarios for w in s.shocks)
        return StabilisationTerms.read(
            {
                "stabilisation": {"horizon": HORIZON, "weight": 0.5, "control_cost": 1},
                "price": {"now": float(self.hours.market[row]), "target": float(self.hours.redemption[row])},
                "supply": {"outstanding": float(self.hours.supply[row]), "growth": [-GROWTH, GROWTH]},
                "bounds": {
                    "persistence": [0.5, 1.0],
                    "effect": [min(effects) - 0.1, max(effects) + 0.1],
                    "shock": [-shock, shock],
                },
            }
        )

    def replay(self, controller: str, plan_with_pool: bool = False, pool_world: bool = False) -> "Path":
        """The second half under "history", "none", "PI" or "MPC".

        `plan_with_pool`: the controller's scenarios use the pool's effect; `pool_world`: so does the market.
        """
        hours, start = self.hours, self.half
        plans = Controller(self.terms(plan_with_pool), self.scenarios(plan_with_pool)) if controller == "MPC" else None
        fit, users = self.price, self.supply
        x, count = float(hours.deviation[start]), len(hours.growth) - start
        redemption, supply = float(hours.redemption[start]), float(hours.supply[start])
        rate, rate_until = 0.0, -1.0
        path = Path(np.zeros(count + 1), np.zeros(count), np.zeros(count), np.zeros(count))
        path.deviation[0] = x
        for k in range(count):
            row = start + k
            old_x, old_r, old_u = hours.deviation[row], hours.log_rate[row], hours.growth[row]
            if controller == "history":
                rate = float(old_r)
            elif controller == "PI" and hours.seconds[row] >= rate_until:
                gain, period = self._gain(float(hours.block[row]))
                rate = gain * HOUR * redemption * (1 - float(np.exp(x)))
                rate_until = float(hours.seconds[row]) + period
            coins = 0.0
            if plans:
                economy = replace(
                    plans.terms.economy,
                    price=redemption * float(np.exp(x)),
                    previous_price=redemption * float(np.exp(x)),
                    target=redemption,
                    outstanding=supply,
                )
                coins = float(plans.plan(economy)[0, 0])
            own = float(old_u) + users["x"] * (x - float(old_x)) + users["r"] * (rate - float(old_r))
            shock = float(hours.deviation[row + 1]) - fit["x"] * float(old_x) - fit["u"] * float(old_u)
            shock -= fit["r"] * float(old_r)
            effect = -2 * float(hours.supply[row] / hours.pool[row]) if pool_world else fit["u"]
            x = fit["x"] * x + fit["u"] * own + effect * coins + fit["r"] * rate + shock
            redemption, supply = redemption * float(np.exp(rate)), supply * float(np.exp(own + coins))
            path.deviation[k + 1], path.users[k], path.coins[k], path.rate[k] = x, own, coins, rate
        return path

    def _gain(self, block: float) -> tuple[float, float]:
        """k_p and period in force at a block; RAI's k_i is 0 in these months."""
        _, gain, period = max(g for g in self.gains if g[0] <= block)
        return gain, period


@dataclass(frozen=True)
class Path:
    """What happened in the second half, hour by hour."""

    deviation: Vector
    users: Vector
    """Growth of the supply by users."""
    coins: Vector
    """Growth of the supply by the controller."""
    rate: Vector

    @property
    def rms(self) -> float:
        """Root mean square of the deviation."""
        return float(np.sqrt(np.mean(self.deviation[1:] ** 2)))

    @property
    def largest(self) -> float:
        """Largest absolute deviation."""
        return float(np.max(np.abs(self.deviation[1:])))

    @property
    def far(self) -> float:
        """Part of the hours with a deviation above 2 %."""
        return float(np.mean(np.abs(self.deviation[1:]) > np.log(1.02)))

    @property
    def moved(self) -> float:
        """Σ |growth by the controller|: coins issued and bought back, in supplies."""
        return float(np.sum(np.abs(self.coins)))

    @property
    def net(self) -> float:
        """ln of the supply that the controller has added or taken away."""
        return float(np.sum(self.coins))

    @property
    def total(self) -> float:
        """Σ |growth| by users and controller together."""
        return float(np.sum(np.abs(self.coins + self.users)))


def _short(value: float) -> Fraction:
    """Six decimals: what stands in an input file."""
    return Fraction(f"{value:.6f}")
