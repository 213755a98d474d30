"""The paper's Algorithm 2 as far as it is right, and the reference problem that its misprints are shown on."""

from collections.abc import Callable

import numpy as np

from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.stabilisation.plain import Problem

SCENARIOS, STEPS, SHARED = 6, 5, 2
LIMIT = 0.5
"""|u| at most."""


def reference(deviation: float, tracking: bool, weight: float = 0.4, shared: int = SHARED) -> Problem:
    """Six scenarios a_i = .90 + .02i, b_i = −(.5 + .1i), w_k = .3·sin(1 + 5i + k) over five periods."""
    response, free = np.zeros((SCENARIOS, STEPS, STEPS)), np.zeros((SCENARIOS, STEPS))
    for i in range(SCENARIOS):
        a, b, x, row = 0.90 + 0.02 * i, -(0.5 + 0.1 * i), deviation, np.zeros(STEPS)
        for k in range(STEPS):
            row = a * row
            row[k] += b
            x = a * x + 0.3 * float(np.sin(1 + 5 * i + k))
            response[i, k], free[i, k] = row, x
    limits = np.full(STEPS, LIMIT)
    cost = np.full(STEPS, 0.1 if tracking else 0.0)
    return Problem(response, free, -limits, limits, shared, weight, cost, tracking)


def algorithm_2(problem: Problem, penalty: float, iterations: int, watch: Callable[[Vector, float], None]) -> float:
    """(6.45)–(6.49) with M_1, M_2, g and H as printed, for ψ = φ and with U in the y2 block; `watch` sees (u, μ).

    The five blocks of y1 and y2: (ǔ, ψ̌) per scenario, μ̌; u, ψ, μ. Returns the last μ.
    """
    count, n, m = problem.scenarios, problem.response.shape[2], problem.shared
    spread, weight = problem.spread_weight, problem.weight
    one = np.ones((count, 1))
    h = spread * np.block([[np.eye(count), -one], [-one.T, np.array([[float(count)]])]])
    below = np.vstack(
        [
            np.hstack([-one.T / count, [[0.0]]]),
            np.hstack([0 * one.T, [[-1.0]]]),
            np.hstack([-np.eye(count), 0 * one]),
        ]
    )
    inverse = np.linalg.inv(2 * h + penalty * below.T @ below)
    sums, level = problem.response.sum(axis=1), problem.free.sum(axis=1)
    own = [np.linalg.inv(np.eye(n) + np.outer(c, c)) for c in sums]
    u, psi, mu = np.zeros((count, n)), np.zeros(count), 0.0
    first = second = 0.0
    dual_u, dual_psi = np.zeros((count, n)), np.zeros(count)
    for _ in range(iterations):
        mu_check = ((psi.mean() - first) + (mu - second)) / 2 - weight / (2 * penalty)
        u_check = np.array(
            [q @ (u[i] - dual_u[i] + sums[i] * (psi[i] - dual_psi[i] - level[i])) for i, q in enumerate(own)]
        )
        psi_check = np.einsum("sk,sk->s", sums, u_check) + level
        state = inverse @ (
            -penalty * below.T @ np.concatenate([[mu_check + first, mu_check + second], psi_check + dual_psi])
        )
        psi, mu = state[:count], float(state[count])
        t = u_check + dual_u
        t[:, :m] = t[:, :m].mean(axis=0)
        u = np.clip(t, problem.lower, problem.upper)
        first, second = first + mu_check - float(psi.mean()), second + mu_check - mu
        dual_u, dual_psi = dual_u + u_check - u, dual_psi + psi_check - psi
        watch(u, mu)
    return mu
