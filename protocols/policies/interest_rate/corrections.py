"""Corrections to main paper section 4.3, each with the computation that shows it."""

from fractions import Fraction

import numpy as np

from tacita.protocols.policies.corrections import Correction
from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.control import Controller, Views
from tacita.protocols.policies.interest_rate.economy import (
    Economy,
    Rule,
    closed_loop,
    conditions,
    printed_polynomial,
    printed_region,
    region,
    spectral_radius,
    stable,
)

SLOPE, PERSISTENCE, SENSITIVITY = Fraction("0.11"), Fraction("0.62"), Fraction("0.19")
"""α, ρ, ζ: round numbers for which the corrected region rounds to the printed intercepts 2.1 and 8.5."""
MODEL = (float(SLOPE), float(PERSISTENCE), float(SENSITIVITY))
ECONOMY = Economy(SLOPE, PERSISTENCE, SENSITIVITY, Fraction(0), Fraction(4))
CONTROLLER = Controller(ECONOMY, 12, 4, Fraction("0.99"), Fraction("0.1"), Fraction("0.5"))
MEMBERS = (
    ("0.2", "-2", "1.5"),
    ("0.4", "-1.8", "1.7"),
    ("0.5", "-2.2", "1.4"),
    ("0.7", "-2.1", "1.6"),
    ("0.9", "-1.9", "1.3"),
)
"""A committee (λ, y, π) whose fifth member gains by a false report."""
FALSE_REPORT = ("1", "-1.9", "2.123")


def draws(count: int, seed: int = 0) -> list[tuple[float, float, float, Rule]]:
    """Random models and rules (α, ρ, ζ, rule)."""
    low, high = np.array([0.02, 0.1, 0.05, -1, -6]), np.array([0.5, 0.95, 1.0, 6, 12])
    table = np.random.default_rng(seed).uniform(low, high, (count, 5)).tolist()
    return [(a, p, z, Rule(phi_y, phi_pi)) for a, p, z, phi_pi, phi_y in table]


def mismatches(count: int, seed: int = 0) -> dict[str, int]:
    """How often each criterion disagrees with the spectral radius of (4.56)."""
    wrong = dict.fromkeys(("region", "conditions", "polynomial"), 0)
    for a, p, z, rule in draws(count, seed):
        truth = spectral_radius(*closed_loop(a, p, z, rule)) < 1
        wrong["region"] += stable(a, p, z, rule) != truth
        wrong["conditions"] += conditions(a, p, z, rule) != truth
        wrong["polynomial"] += (spectral_radius(*printed_polynomial(a, p, z, rule)) < 1) != truth
    return wrong


def _polynomial() -> str:
    count = 20_000
    wrong = mismatches(count)
    return (
        f"of {count} random draws the printed polynomial misjudges {wrong['polynomial']}, the corrected one and "
        f"(4.61)–(4.63) misjudge {wrong['conditions']}"
    )


def _region() -> str:
    low, high = region(*MODEL, 0.0)
    parts = []
    for phi_pi, phi_y in ((30, 0.95), (100, 14.2)):
        rule = Rule(phi_y, phi_pi)
        radius = spectral_radius(*closed_loop(*MODEL, rule))
        verdict = "stable" if printed_region(rule) else "unstable"
        parts.append(f"at (φ_π, φ_y) = ({phi_pi}, {phi_y}) the print says {verdict}, spectral radius {radius:.6f}")
    slopes = f"α = 0.11, ρ = 0.62, ζ = 0.19: 0.11φ_π − {-low:.2f} < φ_y < 0.055φ_π + {high:.4f}"
    return f"{slopes}; {'; '.join(parts)}"


def _stability() -> str:
    y, x = -6.0, -2.6
    for _ in range(120):
        y, x = (float(v) for v in ECONOMY.step(y, x, -4.0))
    rule = Rule(0.5, 1.5)
    radius = spectral_radius(*closed_loop(*MODEL, rule))
    return (
        f"rule (φ_π, φ_y) = (1.5, 0.5) has spectral radius {radius:.4f}, but from x = (−6, −2.6), where l·x = "
        f"{ECONOMY.escape_weight * -6 - 2.6:.4f} < −i* = −4, 120 periods at zero end at x = ({y:.1f}, {x:.1f})"
    )


def _real_rate() -> str:
    full = Economy(SLOPE, PERSISTENCE, SENSITIVITY, Fraction(2), Fraction(2))
    drift = -full.sensitivity * (full.neutral - full.inflation_target)
    return (
        f"at rest (y = 0, π = π* = 2, i = i* = 4) the printed (4.31) gives y = {float(drift):.2f} in the next period, "
        f"with r* = 2 it gives {float(-full.sensitivity * (full.neutral - full.inflation_target - full.real_rate)):.2f}"
    )


def _last_move() -> str:
    h, f = plain.floats(CONTROLLER.program(Views.of(Fraction("0.5"), Fraction(-2), Fraction("-1.5")), Fraction(0)))
    moved = h.copy()
    moved[-1, -1] += 2 * float(CONTROLLER.discount) ** 12 * float(CONTROLLER.move_weight)
    lower = np.full(4, -4.0)
    first, other = plain.minimum(h, f, lower)[3], plain.minimum(moved, f, lower)[3]
    return (
        f"x = (−2, −1.5): the last rate is {first:.4f} with u_(t+N) = u_(t+N−1), and {other:.4f} if an undefined "
        "u_(t+N) is read as 0"
    )


def _recoverable() -> str:
    l_y = ECONOMY.escape_weight
    return (
        f"l = ({l_y:.6f}, 1): l·(−6, −2.6) = {-6 * l_y - 2.6:.4f} < −4 is refused, "
        f"l·(−6, −2.4) = {-6 * l_y - 2.4:.4f} is not; the eigenvalue is {ECONOMY.growth:.10f}"
    )


# ---- manipulation -------------------------------------------------------------------------------------------------

STATISTICS = ("mean", "median preference", "median", "median_rate")


def views(rows: tuple[tuple[str, str, str], ...]) -> list[Views]:
    """Members from text."""
    return [Views.of(*map(Fraction, row)) for row in rows]


def decision(statistic: str, committee: list[Views]) -> plain.Reals:
    """The path that a statistic leads to; "median preference" keeps the means of the readings."""
    lower = np.full(CONTROLLER.moves, -4.0)

    def best(view: Views) -> plain.Reals:
        return plain.minimum(*plain.floats(CONTROLLER.program(view, Fraction(0))), lower)

    mean = Views.mean(committee)
    preference, gap, inflation = (
        plain.middle([getattr(v, key) for v in committee]) for key in ("preference", "gap", "inflation")
    )
    if statistic == "mean":
        return best(mean)
    if statistic == "median preference":
        return best(Views.of(preference, mean.gap, mean.inflation))
    if statistic == "median":
        return best(Views.of(preference, gap, inflation))
    return np.array([plain.middle(list(column)) for column in zip(*map(best, committee), strict=True)])


def costs(statistic: str, report: tuple[str, str, str] = FALSE_REPORT) -> tuple[float, float]:
    """The fifth member's cost by its true program: if all report truly, and if it reports something else."""
    truth = views(MEMBERS)
    own = CONTROLLER.program(truth[4], Fraction(0))
    return (
        plain.cost(own, decision(statistic, truth)),
        plain.cost(own, decision(statistic, [*truth[:4], *views((report,))])),
    )


def _manipulation() -> str:
    parts = []
    for statistic in STATISTICS:
        honest, false = costs(statistic)
        parts.append(f"{statistic}: {honest:.5f} → {false:.5f}")
    return "member 5's cost (lower is better for it) when it reports λ = 1, π = 2.123: " + "; ".join(parts)


CORRECTIONS = (
    Correction(
        "interest_rate.real_rate",
        "(4.31)",
        "y' = ρy − ζ(i − π)",
        "y' = ρy − ζ(i − π − r*): without r* the economy does not rest at i*",
        _real_rate,
    ),
    Correction(
        "interest_rate.last_move",
        "(4.44)–(4.46), (4.54)",
        "sum to α, M for L, δu_(t+N) with an undefined u_(t+N), a transpose in (4.54)",
        "sum to ∞; u_(t+N) = u_(t+N−1), so the last term is zero; no transpose",
        _last_move,
    ),
    Correction(
        "interest_rate.polynomial",
        "(4.60)",
        "trace 1 + ρ − ζφ_y − αζ(φ_π−1), determinant ρ − ζφ_y: the other timing π_(t+1) = π_t + αy_(t+1)",
        "trace 1 + ρ − ζφ_y, determinant ρ − ζφ_y + αζ(φ_π−1)",
        _polynomial,
    ),
    Correction(
        "interest_rate.region",
        "(4.57)–(4.59)",
        "0.1φ_π − 2.1 < φ_y < 0.06φ_π + 8.5",
        "α(φ_π−1) − (1−ρ)/ζ < φ_y < (α/2)(φ_π−1) + (1+ρ)/ζ and φ_π > 1; the slopes are α and α/2, so 0.1 and 0.06 "
        "are not both exact",
        _region,
    ),
    Correction(
        "interest_rate.theorem_1",
        "Theorem 1",
        "stability of the controller (4.46)–(4.54) with the zero lower bound",
        "stability of the linear rule without the bound",
        _stability,
    ),
    Correction(
        "interest_rate.recoverable",
        "4.3.2",
        "the zero lower bound is one more constraint",
        "below l·x = −i* no admissible policy recovers; l is the left eigenvector of the eigenvalue of A above 1",
        _recoverable,
    ),
    Correction(
        "interest_rate.truthful",
        "4.3, committee",
        "truthfulness is shown for the auction only; the committee of bankers is left as an exercise",
        "a mean rewards false reports, and so do medians of λ and of the readings; the median of the members' own "
        "rates does not",
        _manipulation,
    ),
)
