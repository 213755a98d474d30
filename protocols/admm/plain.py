"""The plain oracle: one auction solved in the clear, for `--plain` and for tests.

It shares nothing with the secure path but the terms: no normalisation, no ADMM, no table. Payments follow their
formulas, every optimum in them is computed anew (W_{−i} by leaving bidder i out):
    clarke   p_i = W_{−i} − (W − v_i(x_i)), then clipped to [0, v_i(x_i)] as the product does
    paper    p_i = Σ_{j≠i} max_{X_j} v_j − Σ_{j≠i} v_j(x_j) + c(y), X_j = bidder j's box and budget   (eq. 7.8)
    uniform  p_i = Σ_t λ_t·x_it
The price λ_t of slot-separable bids is the lower end of the interval of clearing prices, exact in rationals; with
budgets or cumulative caps it is the multiplier of Σ_i x_it = y_t. Among tied step bids x is not unique: welfare,
price and the sum over a tie are determined, its division is not. A reverse auction is solved with v = reserve − ask;
a seller is paid Σ_t reserve_t·x_it minus the forward payment, and its price is reserve − λ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tacita.protocols.admm.optimum import UNLIMITED, ZERO, PlainMarket, Solution, exact, lowest_price, optimum, real
from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.terms import AuctionTerms


@dataclass(frozen=True)
class PlainOutcome:
    """The optimum in the caller's units."""

    allocation: dict[str, list[float]]
    payment: dict[str, float]
    price: list[float]
    supply: list[float]
    welfare: float


def solve_plain(terms: AuctionTerms, inputs: Mapping[str, BidderInputs], guard: bool = True) -> PlainOutcome:
    """Solve one auction.

    Args:
        terms: as read from the terms file; `bids` may be completed by `with_bids` but need not be.
        inputs: every bidder's rows and budget, as `read_inputs` returns them.
        guard: clip Clarke payments to [0, v_i(x_i)]. Without it a minimum above 0 can show p_i > v_i.

    Raises:
        CallerMistake: the minimums do not fit below the caps or a budget.
        ArithmeticError: the method did not reach its accuracy.
    """
    names = sorted(inputs)
    return _outcome(terms, names, _market(terms, names, inputs), guard)


def solve_logarithmic(
    terms: AuctionTerms,
    inputs: Mapping[str, BidderInputs],
    weight: Mapping[str, Sequence[float]],
    shift: Mapping[str, Sequence[float]],
) -> PlainOutcome:
    """The same with v = w·ln(1 + x/s), w and s per bidder and slot; boxes and budgets are those of the inputs."""
    names = sorted(inputs)
    market = _market(terms, names, inputs)
    at = [(names[i], t) for i, t in zip(market.owner, market.slot, strict=True)]
    none = np.full(len(at), ZERO, dtype=object)
    w, s = np.array([weight[n][t] for n, t in at]), np.array([shift[n][t] for n, t in at])
    return _outcome(terms, names, replace(market, linear=none, curvature=none, weight=w, shift=s), True)


def gap(plain: PlainOutcome, outcome: Mapping[str, Any]) -> dict[str, float]:
    """How far a secure session's outcome is from the plain one, for everything that the outcome publishes.

    `welfare` is (W_plain − W)/|W_plain|; allocation, supply, price and payment are largest absolute differences.
    """
    differences: dict[str, float] = {}
    if "welfare" in outcome:
        differences["welfare"] = (plain.welfare - float(outcome["welfare"])) / (abs(plain.welfare) or 1.0)
    for name in ("allocation", "supply", "price", "payment"):
        if name in outcome:
            mine, theirs = getattr(plain, name), outcome[name]
            pairs = [(mine[b], theirs[b]) for b in theirs] if isinstance(theirs, Mapping) else [(mine, theirs)]
            differences[name] = max(
                (float(np.abs(np.subtract(a, b, dtype=np.float64)).max(initial=0.0)) for a, b in pairs), default=0.0
            )
    return differences


# ---- terms to the forward problem -----------------------------------------------------------------------------


def _market(terms: AuctionTerms, names: Sequence[str], inputs: Mapping[str, BidderInputs]) -> PlainMarket:
    rows: list[tuple[int, int, Fraction, Fraction, Fraction, Fraction]] = []
    for i, name in enumerate(names):
        for t, bid in sorted(inputs[name].slots.items()):
            if terms.bids == "steps" or (terms.bids is None and terms.slope is None):
                steps = zip(bid.numbers[0::2], bid.numbers[1::2], strict=True)
                rows += [(i, t, price, ZERO, ZERO, width) for price, width in steps]
            else:
                value, slope, least, most = bid.numbers
                rows.append((i, t, value, slope, least, most))
    owner, slot, linear, curvature, lower, upper = (exact(column) for column in zip(*rows, strict=True))
    if terms.direction == "reverse":
        linear = _reserve(terms)[slot.astype(np.int64)] - linear
    budgets = [inputs[name].budget for name in names]
    return PlainMarket(
        owner=owner.astype(np.int64),
        slot=slot.astype(np.int64),
        linear=linear,
        curvature=curvature,
        lower=lower,
        upper=upper,
        weight=np.zeros(len(rows)),
        shift=np.ones(len(rows)),
        cost_linear=exact(terms.cost_linear),
        cost_quadratic=exact(terms.cost_quadratic),
        cap=exact(terms.supply_max or [UNLIMITED] * terms.slots),
        cumulative=exact(terms.cumulative_max or [UNLIMITED] * terms.slots),
        budget=exact([UNLIMITED if d is None else d for d in budgets]),
    )


def _reserve(terms: AuctionTerms) -> Any:
    assert terms.reserve is not None
    return exact(terms.reserve)


# ---- prices and payments --------------------------------------------------------------------------------------


def _outcome(terms: AuctionTerms, names: Sequence[str], market: PlainMarket, guard: bool) -> PlainOutcome:
    best = optimum(market, np.ones(len(market.owner), dtype=bool))
    price = best.price
    if not market.coupled and not market.weight.any():
        price = np.array([float(lowest_price(market, t)) for t in range(terms.slots)])
    x = np.zeros((len(names), terms.slots))
    np.add.at(x, (market.owner, market.slot), best.x)
    own = real(np.bincount(market.owner, weights=market.worth(best.x), minlength=len(names)))
    if terms.payment_rule == "uniform":
        payment = x @ price
    elif terms.payment_rule == "paper":
        gain = _standalone(market, len(names)) - own
        payment = gain.sum() - gain + market.cost(best.y)
    else:
        payment = _clarke(market, best, own)
        payment = np.clip(payment, 0, own) if guard else payment
    if terms.direction == "reverse":
        reserve = real(_reserve(terms))
        price, payment = reserve - price, x @ reserve - payment
    return PlainOutcome(
        allocation={name: x[i].tolist() for i, name in enumerate(names)},
        payment={name: float(payment[i]) for i, name in enumerate(names)},
        price=price.tolist(),
        supply=best.y.tolist(),
        welfare=best.welfare,
    )


def _clarke(market: PlainMarket, best: Solution, own: Vector) -> Vector:
    """W_{−i} − (W − v_i)."""
    without = [optimum(market, market.owner != i).welfare for i in range(len(own))]
    return np.array(without) - best.welfare + own


def _standalone(market: PlainMarket, bidders: int) -> Vector:
    """max v_j over bidder j's own box and budget: no supply limit and no cost."""
    nothing, slots = np.full(len(market.cap), ZERO, dtype=object), len(market.cap)
    unlimited = exact([UNLIMITED] * slots)
    alone = replace(market, cost_linear=nothing, cost_quadratic=nothing, cap=unlimited, cumulative=unlimited)
    return np.array([optimum(alone, market.owner == j).welfare for j in range(bidders)])
