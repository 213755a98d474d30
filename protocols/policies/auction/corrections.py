"""Corrections to main paper sections 4 (supply), 7 and 8, each with the computation that shows it.

Instance A1: one slot, a = (1, 2, 4), b = (10, 8, 6), at most (6, 3, 2), c(y) = y + y²/4; the optimum is
x = (16/3, 5/3, 1/3), y = 22/3, λ = 14/3.
"""

from dataclasses import replace

import numpy as np

from tacita.protocols.policies.auction.printed import (
    A1,
    Ended,
    OneSlot,
    algorithm_3,
    clarke_payment,
    clear,
    printed_payment,
)
from tacita.protocols.policies.corrections import Correction

PENALTY, LONG = 0.2, 1500


def _numbers(values: object) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in np.asarray(values, dtype=float) + 0.0) + ")"


def _small(error: float) -> str:
    """Rounding noise differs between machines."""
    return "below 1e-9" if error < 1e-9 else f"{error:.2f}"


def _error(ended: Ended) -> float:
    """Largest distance of x from the optimum of A1."""
    return float(np.abs(ended.x - clear(A1).x).max())


# ---- Algorithm 3 --------------------------------------------------------------------------------------------------


def _order() -> str:
    printed, right = algorithm_3(A1, 0.05, 4000, True), algorithm_3(A1, 0.05, 4000, False)
    return (
        f"A1, q = 0.05, 4000 iterations: printed x = {_numbers(printed.x)}, y = {printed.supply:.3f}, "
        f"Σx − y = {printed.x.sum() - printed.supply:.4f}, infeasible; corrected x = {_numbers(right.x)}, "
        f"y = {right.supply:.3f}, error {_small(_error(right))}"
    )


def _penalties() -> str:
    smallest = min(_error(algorithm_3(A1, q, 2000, True)) for q in np.geomspace(0.02, 2, 9).tolist())
    largest = max(_error(algorithm_3(A1, q, 2000, False)) for q in np.geomspace(0.02, 2, 9).tolist())
    return (
        f"A1, nine q in [0.02, 2]: smallest error printed {_small(smallest)}, largest error corrected {_small(largest)}"
    )


def _closed_form() -> str:
    slope, value, most, budget = 1.5, 12.0, 4.0, 7.0
    prices = np.array([6.557597657148, 6.275251841214])  # A2's clearing prices in slots 1 and 3
    clipped = np.clip((value - prices) / slope, 0, most)
    # Inside the box the budget's multiplier ν lowers both quantities alike: Σ (b − λ_t − ν)/a = d.
    right = (value - prices - (float(np.sum(value - prices)) - slope * budget) / 2) / slope
    return (
        "b = 12, a = 1.5 in two slots, at most 4 in each and 7 together, prices 6.5576 and 6.2753: the clip takes "
        f"{_numbers(clipped)}, {clipped.sum():.3f} in all; "
        f"the program takes {_numbers(right)}, {right.sum():.3f} in all"
    )


def _dimensions() -> str:
    ended = algorithm_3(A1, PENALTY, 100, False)
    return f"A1 has T = 1 and the corrected iteration needs {np.size(ended.price)} price and {len(ended.x)} quantities"


def _sign() -> str:
    wrong, right = (algorithm_3(A1, PENALTY, 400, False, supply_sign=sign) for sign in (1, -1))
    return f"A1: B = +1 ends at x = {_numbers(wrong.x)}, y = {wrong.supply:.3f}; B = −1 at x = {_numbers(right.x)}"


def _absent() -> str:
    rows = []
    for online in (0.9, 0.7, 0.4):
        printed, edges = (
            max(_error(algorithm_3(A1, PENALTY, LONG, False, online, memory, seed=s)) for s in range(3))
            for memory in (False, True)
        )
        rows.append(f"{online}: printed {_small(printed)}, with edge memory {_small(edges)}")
    return f"A1, {LONG} iterations, largest error of three seeds if a user is there with probability " + "; ".join(rows)


def _hidden() -> str:
    ended = algorithm_3(A1, PENALTY, 50, False)
    error = float(np.abs(ended.rebuilt - ended.x).max())
    return (
        f"A1, after 50 iterations: x_i rebuilt by the manager from the λ_i differs from the true one by {_small(error)}"
    )


def _slack() -> str:
    # r ⪰ 0 with Cx + r = d: at an interior optimum of a row that binds, the best r is exactly 0.
    d, z, step = 7.0, 0.3, 0.2
    taken = 7.5
    r = max(0.0, d - taken - step * z)
    return f"row x ≤ 7 at x = 7.5, σ = 0.2, z = 0.3: the minimiser is r = {r:.0f}, on the boundary that r ≻ 0 excludes"


# ---- supply (section 4) -------------------------------------------------------------------------------------------


def _supply() -> str:
    out, unissued, reward, issue = 20.0, 30.0, 1.0, 2.5
    by_reward, by_auction = out + reward, out + issue
    return (
        f"S_out = 20, BR = 1, AUC = 2.5: (4.4) gives {by_reward}, (4.7) gives {by_auction}; merged "
        f"{out + reward + issue} with {unissued - reward - issue} unissued, so S_max stays {out + unissued}: (4.14) "
        "needs coins minted or burned"
    )


def _contraction() -> str:
    out = np.cumsum([20.0, 0.0, 0.0, 0.0])
    return (
        f"with BR, AUC ≥ 0 the least supply after three periods is {out[-1]:.0f} of 20; a buy-back of 2 each leaves 14"
    )


def _price() -> str:
    # Demand for coins is 100 currency units; the supply is 100 coins, then 110 by mistake.
    coins, demand = 110.0, 100.0
    per_unit, per_coin = coins / demand, demand / coins
    return (
        f"{coins:.0f} coins for a demand of {demand:.0f}: coins per unit {per_unit:.2f} makes (4.14) expand to "
        f"{coins * per_unit:.1f}; currency per coin {per_coin:.3f} contracts to {coins * per_coin:.1f}"
    )


def _peg() -> str:
    target, fair, low = 1.0, [1.0] * 4, [0.0] * 4
    return (
        f"four periods at P = 1 cost {sum(fair):.0f} by ΣP and {sum((p - target) ** 2 for p in fair):.0f} by "
        f"Σ(P − 1)²; at P = 0 {sum(low):.0f} and {sum((p - target) ** 2 for p in low):.0f}: ΣP prefers a worthless coin"
    )


# ---- payments (section 7) -----------------------------------------------------------------------------------------


def _utilities(market: OneSlot, printed: bool) -> list[float]:
    best, rule = clear(market), printed_payment if printed else clarke_payment
    return [market.worth(i, float(x)) - rule(market, i) for i, x in enumerate(best.x)]


def _rational() -> str:
    loser = replace(A1, value=(10, 8, 2))
    return (
        f"A1 utilities: printed {_numbers(_utilities(A1, True))}, Clarke {_numbers(_utilities(A1, False))}; with "
        f"b_3 = 2 bidder 3 gets {clear(loser).x[2]:.0f} coins and pays {printed_payment(loser, 2):.4f}, by Clarke "
        f"{clarke_payment(loser, 2):.4f}"
    )


def _charged() -> str:
    n, cost = len(A1.value), A1.cost(clear(A1).supply)
    printed, right = (sum(rule(A1, i) for i in range(n)) for rule in (printed_payment, clarke_payment))
    return f"A1: c(y*) = {cost:.4f}; payments printed {printed:.2f} (N·c = {n * cost:.2f} of it), Clarke {right:.4f}"


def _slots() -> str:
    payments, slots = [clarke_payment(A1, i) for i in range(3)], 2
    printed, right = 3 * sum(payments[i] for i in range(slots)), slots * sum(payments)
    return f"A1 in two equal slots: bidders 1 and 2 alone, three times, would pay {printed:.4f}; all pay {right:.4f}"


def _others() -> str:
    free = sum(A1.worth(j, min(A1.most[j], A1.value[j] / A1.slope[j])) for j in (1, 2))
    return f"A1 without bidder 1: (7.9) gives {free:.4f}, the market without it {clear(A1.without(0)).welfare:.4f}"


def _minimum() -> str:
    return (
        f"A1 with min_3 = 1.5: Clarke utility of bidder 3 is {_utilities(replace(A1, least=(0, 0, 1.5)), False)[2]:.4f}"
    )


def _fixed() -> str:
    market = replace(A1, fixed=10.0)
    paid = sum(clarke_payment(market, i) for i in range(3))
    return f"A1 with c(0) = 10: payments {paid:.4f} < cost {market.cost(clear(market).supply):.4f}"


CORRECTIONS = (
    Correction(
        "auction.supply",
        "(4.3)–(4.8), (4.14)",
        "S_out grows by BR in (4.4) and by AUC in (4.7); S_max follows the price",
        "S_out' = S_out + BR + AUC, S_un' = S_un − BR − AUC + ΔS_max: the two printed equations force "
        "BR = AUC, and S_max is constant",
        _supply,
    ),
    Correction(
        "auction.contraction",
        "(4.6), (4.9)",
        "BR, AUC ≥ 0 for a supply that also contracts",
        "AUC < 0 is a buy-back",
        _contraction,
    ),
    Correction(
        "auction.price",
        "before (4.12); (4.14)–(4.16), (4.27)",
        "P is coins per unit of currency",
        "P is currency per coin; otherwise the rules have the wrong sign",
        _price,
    ),
    Correction("auction.peg", "(4.23)–(4.24)", "minimise E[ΣP]", "minimise E[Σ(P − target)²]", _peg),
    Correction(
        "auction.rational",
        "(7.8), Theorem 5",
        "p_i = Σ_(j≠i) v_j(x^(−i)) − Σ_(j≠i) v_j(x*) + c(y*)",
        "Clarke: p_i = W_(−i) − (Σ_(j≠i) v_j(x*) − c(y*)); the print is truthful only if nobody may stay away",
        _rational,
    ),
    Correction(
        "auction.others",
        "(7.9)–(7.10)",
        "the others alone, without coupling, supply bounds and cost",
        "the whole market without bidder i",
        _others,
    ),
    Correction(
        "auction.slots",
        "(7.3)",
        "Σ_(i∈N) Σ_(i∈T) p_(i,t): the inner index is the bidder's, in the set of slots",
        "Σ_(i∈N) Σ_(t∈T) p_(i,t)",
        _slots,
    ),
    Correction(
        "auction.charged",
        "Theorem 6",
        "Σ p_i ≥ c(y*), because the cost is charged to every bidder",
        "holds for Clarke payments if c is convex and c(0) = 0; the cost is charged once",
        _charged,
    ),
    Correction(
        "auction.minimum",
        "(4.10), 7",
        "bidders may have x_min > 0",
        "taking part is only worth while for everybody if 0 is allowed",
        _minimum,
    ),
    Correction(
        "auction.fixed_cost",
        "Theorem 6",
        "any cost function",
        "c(0) = 0; a fixed cost is a public entry fee",
        _fixed,
    ),
    Correction(
        "auction.order",
        "Algorithm 3, user steps of (8.29)",
        "t_i before λ_i, although it is their average with λ",
        "μ_i, x_i, λ_i; exchange; then t_i = (λ_i + λ)/2",
        _order,
    ),
    Correction(
        "auction.penalty",
        "Algorithm 3",
        "converges for every q > 0 (Theorem 7)",
        "in the corrected order only",
        _penalties,
    ),
    Correction(
        "auction.closed_form",
        "(8.29), x-update",
        "in closed form",
        "with a box and a row C_i x_i ≤ d_i it is a small quadratic program; a clip suits the box alone",
        _closed_form,
    ),
    Correction(
        "auction.dimensions",
        "Algorithm 3, start",
        "x_i ∈ R^(15T), λ ∈ R^(3T)",
        "x_i, λ ∈ R^T",
        _dimensions,
    ),
    Correction("auction.sign", "(8.4)", "Σ A_i x_i + B y = 0 with B free", "A_i = I, B = −I", _sign),
    Correction("auction.slack", "(8.29)", "r_i ≻ 0", "r_i ⪰ 0: r = max(0, d − Cx − σz)", _slack),
    Correction(
        "auction.absent",
        "(8.12)–(8.16), (8.29), Theorem 7",
        "the manager uses everybody's last λ_i; absent users: x_i ≠ x_i",
        "absent users keep x_i, and t_i and ν_i live on the edge and change only while it is active",
        _absent,
    ),
    Correction(
        "auction.hidden",
        "Protocol 1",
        "users send λ_i to the manager; MPC is only needed for non-linear steps (9.4.3)",
        "x_i = ν_i + 2q(λ_i − t_i) follows from the λ_i; only Σλ_i may be opened",
        _hidden,
    ),
)
