"""The supply of a cryptocurrency from one period to the next: coin, collateralised, depreciation.

P is the price of a coin in currency (not coins per unit of currency: the rules below would have the wrong sign).
With x_t = ln(P_t / target), the controller decides the growth u = ln(S_out(t+1) / S_out(t)) of the supply:

    S_max(t) = max(S_out(t), S_max(t−1)·P(t)/P(t−1))         mint and burn of unissued coins      (4.14), (4.1)
    BR(t)    = min(BR(t−1)·P(t)/P(t−1), BR_max, …)           block rewards                        (4.15), (4.6)
    S_out(t+1) = S_out(t) − D(t) + BR(t) + AUC(t)            merged from (4.4) and (4.7)
    AUC(t)   = the rest of what the growth needs; below zero it is a buy-back

    collateralised   R = λ·S_out, 1 ≤ λ ≤ λ_max; the growth of λ is a second control               (4.25)–(4.28)
    depreciation     D(t) = what all epochs' coins lose until the next one; otherwise D = 0       (4.64)–(4.68)

(4.4) and (4.7) as printed are two equations for one left side and force BR = AUC; (4.9) forbids to contract supply.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacita.protocols.admm.problem import Vector
from tacita.protocols.faults import CallerMistake

TIGHT = 1e-12
"""Limits may cross by rounding this far and are then taken as equal."""


@dataclass(frozen=True)
class Collateral:
    """A reserve R = ratio · S_out backs the coins."""

    ratio: float
    """λ, at least 1."""
    ratio_max: float
    growth: tuple[float, float]
    """Limits of ln(λ(t+1)/λ(t)) per period."""

    def limits(self) -> tuple[float, float]:
        """Of the next period's growth: 1 ≤ λ ≤ λ_max (4.28)."""
        low, high = self.growth
        return max(low, -math.log(self.ratio)), min(high, math.log(self.ratio_max / self.ratio))


@dataclass(frozen=True)
class Cohorts:
    """Coins by the epoch in which they were minted; each loses `rate` of what was minted, per epoch, until 0."""

    rate: float
    """D_rate (4.68)."""
    minted: tuple[float, ...]
    """S_minted per epoch, the oldest first, net of coins bought back; the last epoch is now."""

    def worth(self, ahead: int = 0) -> float:
        """S_outstanding after `ahead` further epochs without minting: Σ_t S_minted(t) − D_T(t)  (4.64), (4.67)."""
        now = len(self.minted) - 1 + ahead
        return sum(m - min((now - t) * self.rate * m, m) for t, m in enumerate(self.minted))

    def next(self, net: float) -> "Cohorts":
        """One epoch on: `net` coins are minted, or bought back in proportion to what every epoch's coins are worth."""
        aged = Cohorts(self.rate, (*self.minted, max(net, 0.0)))
        if net >= 0:
            return aged
        left = 1 + net / aged.worth()
        return Cohorts(self.rate, tuple(m * left for m in aged.minted))


@dataclass(frozen=True)
class Economy:
    """The public state of the chain at the start of a period; amounts in coins."""

    price: float
    previous_price: float
    target: float
    outstanding: float
    growth: tuple[float, float]
    """Limits of u per period; 0 lies inside."""
    minimum: float = 0.0
    """S_out never falls below."""
    maximum: float = math.inf
    """S_max(t−1)."""
    block_reward: float = 0.0
    """BR(t−1)."""
    block_reward_max: float = math.inf
    auction_max: float = math.inf
    buyback_max: float = math.inf
    collateral: Collateral | None = None
    cohorts: Cohorts | None = None

    @property
    def deviation(self) -> float:
        """x = ln(P / target)."""
        return math.log(self.price / self.target)

    @property
    def controls(self) -> int:
        """1 for the supply, 2 with a collateral ratio."""
        return 2 if self.collateral else 1

    @property
    def supply_max(self) -> float:
        """S_max(t), at least what is outstanding."""
        return max(self.outstanding, self.maximum * (self.price / self.previous_price))

    def depreciation(self, ahead: int = 0) -> float:
        """D: what coins minted until now lose between `ahead` and `ahead` + 1 periods from now."""
        return self.cohorts.worth(ahead) - self.cohorts.worth(ahead + 1) if self.cohorts else 0.0

    @property
    def reward(self) -> float:
        """BR(t), small enough that a buy-back could keep supply inside all limits."""
        room = min(self.supply_max, self.outstanding * math.exp(self.growth[1])) - self.outstanding
        most = room + self.depreciation() + self.buyback_max
        return max(0.0, min(self.block_reward * self.price / self.previous_price, self.block_reward_max, most))

    def limits(self, horizon: int) -> tuple[Vector, Vector]:
        """Smallest and largest control per period and control, shape (horizon, controls).

        The pace of auctions and buy-backs binds every planned period, with today's supply and reward; the band of the
        supply and of λ binds the period that is carried out. Raises CallerMistake if nothing is allowed.
        """
        now, reward = self.outstanding, self.reward
        lower, upper = np.zeros((horizon, self.controls)), np.zeros((horizon, self.controls))
        for k in range(horizon):
            base = now - self.depreciation(k) + reward
            low, high = base - self.buyback_max, base + self.auction_max
            if k == 0:
                low, high = max(low, self.minimum), min(high, self.supply_max)
            lower[k, 0] = max(self.growth[0], math.log(low / now) if low > 0 else -math.inf)
            upper[k, 0] = min(self.growth[1], math.log(high / now) if high > 0 else -math.inf)
            if self.collateral:
                lower[k, 1], upper[k, 1] = self.collateral.limits() if k == 0 else self.collateral.growth
        crossed = lower > upper
        if np.any(lower > upper + TIGHT):
            raise CallerMistake(
                "the limits of supply, auction and buy-back leave no growth that satisfies all of them; widen [supply]"
            )
        lower[crossed] = upper[crossed]
        return lower, upper

    def decide(self, control: Sequence[float]) -> "Decision":
        """What the growth u (and that of λ) of the next period means in coins."""
        after = self.outstanding * math.exp(control[0])
        lost, reward = self.depreciation(), self.reward
        ratio = self.collateral.ratio * math.exp(control[1]) if self.collateral else None
        coins = after - (self.outstanding - lost) - reward
        return Decision(
            auction_size=coins if abs(coins) > TIGHT * self.outstanding else 0.0,
            block_reward=reward,
            depreciation=lost,
            outstanding=after,
            maximum=self.supply_max,
            minted=self.supply_max - self.maximum if math.isfinite(self.maximum) else 0.0,
            ratio=ratio,
        )

    def advance(self, decision: "Decision", price: float) -> "Economy":
        """The state one period later, at the price that the market has made."""
        cohorts, collateral = self.cohorts, self.collateral
        if cohorts:
            cohorts = cohorts.next(decision.block_reward + decision.auction_size)
        if collateral and decision.ratio is not None:
            collateral = replace(collateral, ratio=min(max(decision.ratio, 1.0), collateral.ratio_max))
        return replace(
            self,
            price=price,
            previous_price=self.price,
            outstanding=decision.outstanding,
            maximum=decision.maximum,
            block_reward=decision.block_reward,
            cohorts=cohorts,
            collateral=collateral,
        )


@dataclass(frozen=True)
class Decision:
    """One period's amounts in coins."""

    auction_size: float
    """AUC: coins to auction; below zero coins to buy back."""
    block_reward: float
    depreciation: float
    outstanding: float
    """S_out(t+1)."""
    maximum: float
    """S_max(t), infinite if the terms set none."""
    minted: float
    """S_max(t) − S_max(t−1): unissued coins minted, below zero burnt."""
    ratio: float | None
    """λ(t+1)."""

    @property
    def reserve(self) -> float:
        """R = λ·S_out (4.25)."""
        assert self.ratio is not None
        return self.ratio * self.outstanding
