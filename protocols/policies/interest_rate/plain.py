"""The same decision in the clear with numpy and scipy: the oracle that sessions are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacita.protocols.policies.interest_rate.control import Views
from tacita.protocols.policies.interest_rate.inputs import MemberInputs, deviations
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms

Reals = NDArray[np.float64]


def minimum(h: Reals, f: Reals, lower: Reals, upper: Reals | None = None) -> Reals:
    """argmin ½v'Hv + f'v over lower ≤ v (≤ upper); with H = L·L' a bounded least squares, min |L'v + L^{-1}f|²."""
    from scipy.optimize import lsq_linear

    factor = np.linalg.cholesky(h)
    # The solver wants room between the bounds; a limit of no move leaves none.
    above = np.full(len(f), np.inf) if upper is None else np.maximum(upper, np.nextafter(lower, np.inf))
    solved = lsq_linear(factor.T, -np.linalg.solve(factor, f), bounds=(lower, above), method="bvls", tol=1e-15)
    return np.asarray(np.clip(solved.x, lower, upper))


def floats(program: tuple[Any, Any]) -> tuple[Reals, Reals]:
    """A program in floating point."""
    return np.asarray(program[0], dtype=float), np.asarray(program[1], dtype=float)


def cost(program: tuple[Any, Any], path: Reals) -> float:
    """½v'Hv + f'v."""
    h, f = floats(program)
    return float(path @ h @ path / 2 + f @ path)


def views_of(terms: CommitteeTerms, inputs: MemberInputs) -> Views:
    """One member's."""
    return Views.of(inputs.preference, *deviations(terms, inputs))


def middle(values: Sequence[Any]) -> Any:
    """The median; of an even number the lower one."""
    return sorted(values)[(len(values) - 1) // 2]


def ideal(terms: CommitteeTerms, views: Views) -> Reals:
    """The path that one member, or one committee seen as a member, chooses; deviations from the rate at rest."""
    lower = np.full(terms.controller.moves, -float(terms.economy.neutral))
    return minimum(*floats(terms.controller.program(views, terms.previous)), lower)


@dataclass(frozen=True)
class Decision:
    """What a committee decides."""

    rates: Reals
    """m rates in percent."""
    recoverable: bool


def decide(terms: CommitteeTerms, members: Mapping[str, MemberInputs]) -> Decision:
    """The committee's decision under its terms."""
    views = [views_of(terms, inputs) for inputs in members.values()]
    mean, medians = Views.mean(views), [middle([getattr(v, key) for v in views]) for key in ("gap", "inflation")]
    if terms.statistic == "mean":
        path = ideal(terms, mean) if terms.limits is None else _limited(terms, members, mean)
    elif terms.statistic == "median":
        path = ideal(terms, Views.of(middle([v.preference for v in views]), *medians))
    else:
        path = np.array([middle(list(column)) for column in zip(*(ideal(terms, v) for v in views), strict=True)])
    state = (mean.gap, mean.inflation) if terms.statistic == "mean" else medians
    return Decision(path + float(terms.economy.neutral), terms.economy.recoverable(float(state[0]), float(state[1])))


def _limited(terms: CommitteeTerms, members: Mapping[str, MemberInputs], mean: Views) -> Reals:
    limits = [inputs.limits for inputs in members.values() if inputs.limits is not None]
    neutral, here = float(terms.economy.neutral), float(terms.previous)
    least, most, move = (float(f(column)) for f, column in zip((max, min, min), zip(*limits, strict=True), strict=True))
    cone = move * np.arange(1, terms.controller.moves + 1)
    lower, upper = np.maximum(least - neutral, here - cone), np.minimum(most - neutral, here + cone)
    return minimum(*floats(terms.controller.program(mean, terms.previous)), lower, upper)


def consensus(
    programs: Sequence[tuple[Reals, Reals]], lower: float, penalty: float, relaxation: float, iterations: int
) -> list[Reals]:
    """Consensus ADMM as the paper's exercise asks for it; z after every iteration.

    u_j = (H_j + ρI)^{-1}(ρ(z − η_j) − f_j);  z = max(mean_j(û_j + η_j), lower);  η_j += û_j − z,  û = αu + (1−α)z
    """
    size = len(programs[0][1])
    inverses = [np.linalg.inv(h + penalty * np.eye(size)) for h, _ in programs]
    z, duals, history = np.zeros(size), np.zeros((len(programs), size)), []
    for _ in range(iterations):
        own = [
            inverse @ (penalty * (z - dual) - f)
            for inverse, dual, (_, f) in zip(inverses, duals, programs, strict=True)
        ]
        relaxed = relaxation * np.array(own) + (1 - relaxation) * z
        z = np.maximum((relaxed + duals).mean(axis=0), lower)
        duals = duals + relaxed - z
        history.append(z)
    return history


def gap(terms: CommitteeTerms, members: Mapping[str, MemberInputs], outcome: Mapping[str, Any]) -> dict[str, float]:
    """Largest distance of the published rates from the plain ones, in percentage points."""
    return {"rates": float(np.abs(decide(terms, members).rates - np.array(outcome["rates"])).max())}
