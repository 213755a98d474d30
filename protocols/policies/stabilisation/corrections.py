"""Corrections to main paper section 6 and to (4.64)–(4.68), each with the computation that shows it."""

from dataclasses import replace

import numpy as np

from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.corrections import Correction
from tacita.protocols.policies.stabilisation.economy import Cohorts
from tacita.protocols.policies.stabilisation.plain import Problem, optimum
from tacita.protocols.policies.stabilisation.printed import SCENARIOS, STEPS, algorithm_2, reference

ROOM = 5.0
"""How far ψ may exceed φ in the printed inequality; larger does not change the optimum."""


def unbounded() -> list[float]:
    """Objectives of P6a without U, along the direction that lowers every ψ by the same amount."""
    problem = reference(1.0, tracking=False)
    best = optimum(problem).controls
    last = problem.response[:, -1, -1]
    costs = []
    for fall in (0.0, 10.0, 100.0):
        controls = best.copy()
        controls[:, -1] -= fall / last
        costs.append(problem.objective(controls))
    return costs


def epigraph(weight: float) -> tuple[float, float, float, float]:
    """(cost and true variance with ψ ≥ φ, cost and variance with ψ = φ) of P6a at a weight λ."""
    problem = reference(1.0, tracking=False, weight=weight)
    equal = optimum(problem)
    excess = np.zeros((SCENARIOS, STEPS, 1))
    excess[:, -1, 0] = 1  # a further own variable that only raises ψ
    loose = Problem(
        np.concatenate([problem.response, excess], axis=2),
        problem.free,
        np.append(problem.lower, 0.0),
        np.append(problem.upper, ROOM),
        problem.shared,
        weight,
        np.append(problem.control_cost, 0.0),
        tracking=False,
    )
    wrong = optimum(loose)
    true = problem.states(wrong.controls[:, :STEPS]).sum(axis=1)
    return wrong.cost, float(true.var(ddof=1)), equal.cost, equal.variance


def variances(common: bool) -> list[float]:
    """Var ψ for three different common controls; `common`: all scenarios have a = .95, b = −.7."""
    problem = reference(1.0, tracking=False)
    if common:
        same = np.zeros((STEPS, STEPS))
        for t in range(STEPS):
            for k in range(t + 1):
                same[t, k] = -0.7 * 0.95 ** (t - k)
        free = np.zeros((SCENARIOS, STEPS))
        for i in range(SCENARIOS):
            x = 1.0
            for k in range(STEPS):
                x = 0.95 * x + 0.3 * float(np.sin(1 + 5 * i + k))
                free[i, k] = x
        problem = replace(problem, response=np.tile(same, (SCENARIOS, 1, 1)), free=free)
    tried = (np.zeros(STEPS), np.full(STEPS, 0.5), np.array([0.5, -0.5, 0.2, 0.1, -0.3]))
    return [float(problem.states(np.tile(u, (SCENARIOS, 1))).sum(axis=1).var(ddof=1)) for u in tried]


def misreport() -> tuple[float, float]:
    """P6c: the own tracking cost of the first scenario's owner if it is honest, and if it reports b = −1.1."""
    problem, costs = reference(0.3, tracking=True), []
    for effect in (-0.5, -1.1):
        response = problem.response.copy()
        response[0] *= effect / -0.5
        shared = optimum(replace(problem, response=response)).controls[0, : problem.shared]
        # What the shared controls then cost the owner, with its best own later controls.
        lower, upper = problem.lower.copy(), problem.upper.copy()
        lower[: problem.shared] = upper[: problem.shared] = shared
        alone = Problem(
            problem.response[[0, 0]],
            problem.free[[0, 0]],
            lower,
            upper,
            STEPS,
            1.0,
            problem.control_cost,
            tracking=True,
        )
        costs.append(optimum(alone).cost)
    return costs[0], costs[1]


def iterations(tolerance: float) -> int:
    """Iterations of Algorithm 2 with all corrections, ρ = 1, until P6a's shared u and μ stay within the tolerance."""
    problem = reference(1.0, tracking=False)
    best, errors = optimum(problem), []

    def watch(u: Vector, mu: float) -> None:
        errors.append(max(float(np.abs(u[0, :2] - best.controls[0, :2]).max()), abs(mu - best.mean)))

    algorithm_2(problem, 1.0, 400, watch)
    return int(np.nonzero(np.array(errors) > tolerance)[0][-1]) + 2


def _box() -> str:
    at, ten, hundred = unbounded()
    return f"P6a without U: cost {at:.4f} at the corrected optimum, {ten:.2f} and {hundred:.2f} further along one line"


def _epigraph() -> str:
    wrong, true, right, small = epigraph(0.02)
    return (
        f"P6a at λ = .02: ψ ≥ φ reports the cost {wrong:.8f}, below the optimum {right:.8f} of ψ = φ; the true "
        f"variance of its controls is {true:.3f} instead of {small:.4f}"
    )


def _row() -> str:
    row = np.ones((1, SCENARIOS))
    return (
        f"with the row 1 of shape {row.shape}, (6.10) multiplies 1ᵀ of shape {row.T.shape} with ψ of shape "
        f"{(SCENARIOS, 1)}, and M_2 has a column where (6.37) needs {row.shape}; as a column 1 does both, and H needs "
        f"−λ̃·1 above and −λ̃·1ᵀ beside Sλ̃"
    )


def _steps() -> str:
    two, three = (optimum(reference(1.0, tracking=True, shared=m)).cost for m in (2, 3))
    return (
        f"M = 2: the set {{0, …, M}} has 3 steps, L u lists u_1, u_2 and leaves u_0 free; P6b costs {two:.6f} with "
        f"k = 0, 1 shared and {three:.6f} with three"
    )


def _first() -> str:
    psi = optimum(reference(1.0, tracking=True)).psi
    return f"P6b: the first entry would be scenario 2's {psi[1]:.6f} instead of scenario 1's {psi[0]:.6f}"


def _degenerate() -> str:
    same, own = variances(True), variances(False)
    return (
        f"Var ψ for three controls: {', '.join(f'{v:.5f}' for v in same)} with common A, B; "
        f"{', '.join(f'{v:.2f}' for v in own)} with scenario-dependent ones"
    )


def _clairvoyant() -> str:
    costs = [optimum(reference(1.0, tracking=True, shared=m)).cost for m in (2, STEPS)]
    return f"P6b: {costs[0]:.4f} promised with own later controls, {costs[1]:.4f} if all five steps are decided now"


def _faithful() -> str:
    honest, false = misreport()
    return f"P6c: the owner of scenario 1 pays {honest:.6f} if honest and {false:.6f} after reporting b = −1.1 for −0.5"


def _algorithm() -> str:
    return f"P6a, ρ = 1: {iterations(1e-4)} iterations to 1e-4, {iterations(1e-6)} to 1e-6 with the corrections above"


def _minimum() -> str:
    coins = Cohorts(0.01, (100.0,))
    mint = Cohorts(0.01, (100.0, 10.0))
    return (
        f"100 coins, none minted: {coins.worth(1):.0f} are outstanding one epoch later, below S_initial = 100; after "
        f"minting 10 there are {mint.worth():.0f}, above S_minted(t) = 10"
    )


def _epochs() -> str:
    right = Cohorts(0.01, (100.0, 10.0, 5.0))
    also = Cohorts(0.01, (0.0, 100.0, 10.0, 5.0))
    return (
        f"minted (100, 10, 5): Σ from t = 1 gives {right.worth():.1f} in the third epoch; t = 0 adds an epoch before "
        f"S_initial, {also.worth() - right.worth():.1f} coins if nothing was minted in it"
    )


CORRECTIONS: tuple[Correction, ...] = (
    Correction("stabilisation.box", "(6.40)–(6.41)", "Y_1, Y_2 without U", "U in the y2 step: a clip", _box),
    Correction("stabilisation.epigraph", "(6.7), (6.13)", "ψ ≥ φ", "ψ = φ (φ is affine here)", _epigraph),
    Correction(
        "stabilisation.ones",
        "(6.10), (6.28), (6.37)",
        "1 = [1 … 1], a row, with 1ᵀψ",
        "1 a column; H_23 = −λ̃1, H_32 = −λ̃1ᵀ, −1ᵀ/S in M_2",
        _row,
    ),
    Correction("stabilisation.steps", "(6.9), L u", "j ∈ M = {0, …, M}; L u = u_1 … u_M", "k = 0, …, M − 1", _steps),
    Correction("stabilisation.index", "below (6.15)", "φ(u¹, x¹, z²) in φ̃", "φ(u¹, x¹, z¹)", _first),
    Correction(
        "stabilisation.degenerate",
        "(4.17), (6.6)",
        "the same A, B in all scenarios",
        "A^i, B^i per scenario: otherwise a common u does not move the variance",
        _degenerate,
    ),
    Correction(
        "stabilisation.clairvoyant",
        "(6.5), (6.9)",
        "u_k^i for k > M is free",
        "it knows its scenario's future; only the shared steps are a decision",
        _clairvoyant,
    ),
    Correction(
        "stabilisation.faithful",
        "Theorem 2",
        "faithful, because rational users maximise welfare",
        "assumes its conclusion: there are no payments, and a false scenario can pay",
        _faithful,
    ),
    Correction(
        "stabilisation.algorithm", "Algorithm 2", "runs as printed", "converges with the corrections above", _algorithm
    ),
    Correction(
        "stabilisation.minimum",
        "(4.66)",
        "S_initial ≤ S_outstanding(t) ≤ S_minted(t)",
        "0 ≤ S_outstanding(T) ≤ Σ_t S_minted(t)",
        _minimum,
    ),
    Correction(
        "stabilisation.epochs",
        "(4.64)",
        "S_outstanding(t) = Σ_{t=0}^T …",
        "S_outstanding(T) = Σ_{t=1}^T …",
        _epochs,
    ),
)
