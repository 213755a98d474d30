"""The auction as the paper prints it, for comparison only: Algorithm 3, and the payment rule (7.8).

One slot, quadratic bids v_i = b·x − a·x²/2 on 0 ≤ x ≤ most, cost c(y) = c0 + p·y + k·y²/2, A_i = 1, B = −1. No session
runs this code; docs/corrections.md quotes what it computes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class OneSlot:
    """A market with one slot."""

    slope: tuple[float, ...]
    """a."""
    value: tuple[float, ...]
    """b."""
    most: tuple[float, ...]
    least: tuple[float, ...]
    price: float
    """p."""
    steepness: float
    """k."""
    fixed: float = 0.0
    """c(0)."""

    def without(self, bidder: int) -> "OneSlot":
        """The market S_{−i}."""
        kept = [j for j in range(len(self.value)) if j != bidder]
        return replace(
            self,
            slope=tuple(self.slope[j] for j in kept),
            value=tuple(self.value[j] for j in kept),
            most=tuple(self.most[j] for j in kept),
            least=tuple(self.least[j] for j in kept),
        )

    def worth(self, bidder: int, x: float) -> float:
        """v_i(x)."""
        return self.value[bidder] * x - self.slope[bidder] * x * x / 2

    def cost(self, y: float) -> float:
        """c(y)."""
        return self.fixed + self.price * y + self.steepness * y * y / 2


A1 = OneSlot((1, 2, 4), (10, 8, 6), (6, 3, 2), (0, 0, 0), 1.0, 0.5)


@dataclass(frozen=True)
class Cleared:
    """The welfare optimum."""

    x: Reals
    price: float
    welfare: float

    @property
    def supply(self) -> float:
        """y."""
        return float(self.x.sum())


def clear(market: OneSlot) -> Cleared:
    """By bisection on the price λ: x_i = clip((b_i − λ)/a_i), y = (λ − p)/k."""
    low, high = market.price, max([market.price, *market.value])

    def demand(price: float) -> Reals:
        wanted = (np.array(market.value) - price) / np.array(market.slope)
        return np.asarray(np.clip(wanted, market.least, market.most))

    high += market.steepness * sum(market.most)
    for _ in range(200):
        middle = (low + high) / 2
        if demand(middle).sum() * market.steepness > middle - market.price:
            low = middle
        else:
            high = middle
    x = demand(high)
    worth = sum(market.worth(i, float(v)) for i, v in enumerate(x))
    return Cleared(x, high, worth - market.cost(float(x.sum())))


def clarke_payment(market: OneSlot, bidder: int) -> float:
    """W_{−i} − (W − v_i(x_i)): with coupling, supply bounds and cost."""
    best = clear(market)
    return clear(market.without(bidder)).welfare - (best.welfare - market.worth(bidder, float(best.x[bidder])))


def printed_payment(market: OneSlot, bidder: int) -> float:
    """(7.8) with (7.9)–(7.10): the others take what they like best alone, and the whole cost is added."""
    best = clear(market)
    free = sum(
        market.worth(j, min(market.most[j], market.value[j] / market.slope[j]))
        for j in range(len(market.value))
        if j != bidder
    )
    taken = sum(market.worth(j, float(best.x[j])) for j in range(len(market.value)) if j != bidder)
    return free - taken + market.cost(best.supply)


@dataclass(frozen=True)
class Ended:
    """Where Algorithm 3 stands after its last iteration."""

    x: Reals
    supply: float
    price: float
    rebuilt: Reals
    """x as the manager computes it from the messages λ_i alone."""


def algorithm_3(
    market: OneSlot,
    penalty: float,
    iterations: int,
    printed_order: bool,
    online: float = 1.0,
    edge_memory: bool = True,
    supply_sign: int = -1,
    seed: int = 0,
) -> Ended:
    """Proximal dual consensus ADMM on a star, q = penalty.

    `printed_order` averages t_i before the users' new λ_i exist, as Algorithm 3 prints it; otherwise after. A user is
    there with probability `online`. With `edge_memory` multiplier and average live on the edge and change only while
    it is active; without, the manager uses everybody's last λ_i as (8.12)–(8.16) print it. `supply_sign` is B.
    """
    n, q, random = len(market.value), penalty, np.random.default_rng(seed)
    a, b, lo, hi = (np.array(v) for v in (market.slope, market.value, market.least, market.most))
    edge, multiplier, x, own = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    price, manager, y, rebuilt = 0.0, 0.0, 0.0, np.zeros(n)
    for _ in range(iterations):
        active = random.random(n) < online
        # manager: μ, y, λ
        if edge_memory and not printed_order:
            manager, seen = -multiplier.sum(), 2 * edge.sum()
        else:
            manager += q * float((price - own).sum())
            seen = n * price + own.sum()
        centre, weight = supply_sign * (manager - q * seen), 1 / (2 * q * n)
        y = max(0.0, (weight * centre - market.price) / (market.steepness + weight))
        old_price, old_own = price, own
        price = (supply_sign * y - manager + q * seen) / (2 * n * q)
        # users: μ_i, x_i, λ_i
        if not edge_memory or printed_order:
            multiplier = np.where(active, multiplier + 2 * q * (own - edge), multiplier)
        proposal = np.clip((b + (multiplier - 2 * q * edge) / (2 * q)) / (a + 1 / (2 * q)), lo, hi)
        answer = (proposal - multiplier) / (2 * q) + edge
        rebuilt = np.where(active, multiplier + 2 * q * (answer - edge), rebuilt)
        x, own = np.where(active, proposal, x), np.where(active, answer, own)
        # edges: t_i
        if printed_order:
            edge = np.where(active, (old_own + old_price) / 2, edge)
        else:
            edge = np.where(active, (answer + price) / 2, edge)
            if edge_memory:
                multiplier = np.where(active, multiplier + q * (answer - price), multiplier)
    return Ended(x, float(y), price, rebuilt)
