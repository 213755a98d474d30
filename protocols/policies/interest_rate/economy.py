"""The economy of the Taylor rule: dynamics, stability of a rule, and whether a slump can still be left.

    π_{t+1} = π_t + α·y_t                            inflation (4.30)
    y_{t+1} = ρ·y_t − ζ·(i_t − π_t − r*)             output gap (4.31); the print leaves out r*
    x = (y − y*, π − π*),  u = i − i*,  i* = r* + π*
    x_{t+1} = A·x_t + B·u_t,  A = [[ρ, ζ], [α, 1]],  B = (−ζ, 0)   (4.32)–(4.43)

Source: main paper section 4.3 with the corrections of docs/corrections.md.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

Number = float | Fraction


@dataclass(frozen=True)
class Economy:
    """The public model; rates, gaps and inflation are in percent, a period is what the model was fitted to."""

    slope: Fraction
    """α > 0: how a gap moves inflation."""
    persistence: Fraction
    """ρ in [0, 1)."""
    sensitivity: Fraction
    """ζ > 0: how the real rate moves the gap."""
    inflation_target: Fraction
    """π*."""
    real_rate: Fraction
    """r*."""

    @property
    def neutral(self) -> Fraction:
        """i* = r* + π*: the nominal rate at rest; the zero lower bound is u ≥ −i*."""
        return self.real_rate + self.inflation_target

    def step(self, gap: Number, inflation: Number, rate: Number) -> tuple[Number, Number]:
        """(y, π) of the next period, in deviations: A·x + B·u."""
        return (
            self.persistence * gap + self.sensitivity * inflation - self.sensitivity * rate,
            self.slope * gap + inflation,
        )

    @property
    def growth(self) -> float:
        """The larger eigenvalue of A; above 1 because α·ζ > 0."""
        rho = float(self.persistence)
        return (1 + rho + math.sqrt((1 - rho) ** 2 + 4 * float(self.slope * self.sensitivity))) / 2

    @property
    def escape_weight(self) -> float:
        """l_y of the left eigenvector l = (l_y, 1) of that eigenvalue: l·A = growth·l."""
        return (self.growth - 1) / float(self.sensitivity)

    def recoverable(self, gap: float, inflation: float) -> bool:
        """False if l·x < −i*: then l·x falls for ever even at a rate of zero, whatever the policy."""
        return self.escape_weight * gap + inflation >= -float(self.neutral)


# ---- stability of the linear rule i = i* + φ_y·y + φ_π·(π − π*) without the zero lower bound ----------------------


@dataclass(frozen=True)
class Rule:
    """A Taylor rule (4.29)."""

    gap_response: float
    """φ_y."""
    inflation_response: float
    """φ_π."""


def closed_loop(slope: float, persistence: float, sensitivity: float, rule: Rule) -> tuple[float, float]:
    """(trace, determinant) of A' = [[ρ − ζφ_y, ζ − ζφ_π], [α, 1]] (4.56)."""
    return (
        1 + persistence - sensitivity * rule.gap_response,
        persistence - sensitivity * rule.gap_response + slope * sensitivity * (rule.inflation_response - 1),
    )


def printed_polynomial(slope: float, persistence: float, sensitivity: float, rule: Rule) -> tuple[float, float]:
    """(trace, determinant) that (4.60) prints: those of the other timing π_{t+1} = π_t + α·y_{t+1}."""
    trace, determinant = closed_loop(slope, persistence, sensitivity, rule)
    shift = slope * sensitivity * (rule.inflation_response - 1)
    return trace - shift, determinant - shift


def spectral_radius(trace: float, determinant: float) -> float:
    """The largest modulus of the two eigenvalues."""
    discriminant = trace * trace - 4 * determinant
    if discriminant < 0:
        return math.sqrt(determinant)
    root = math.sqrt(discriminant)
    return max(abs(trace + root), abs(trace - root)) / 2


def conditions(slope: float, persistence: float, sensitivity: float, rule: Rule) -> bool:
    """(4.61)–(4.63), which are right."""
    phi_y, lift = rule.gap_response, slope * sensitivity * (rule.inflation_response - 1)
    return (
        2 + 2 * persistence - 2 * sensitivity * phi_y + lift > 0
        and 1 - persistence + sensitivity * phi_y - lift > 0
        and lift > 0
    )


def stable(slope: float, persistence: float, sensitivity: float, rule: Rule) -> bool:
    """The corrected region: φ_π > 1 and α(φ_π−1) − (1−ρ)/ζ < φ_y < (α/2)(φ_π−1) + (1+ρ)/ζ."""
    low, high = region(slope, persistence, sensitivity, rule.inflation_response)
    return rule.inflation_response > 1 and low < rule.gap_response < high


def region(slope: float, persistence: float, sensitivity: float, inflation_response: float) -> tuple[float, float]:
    """Both ends of the corrected region for φ_y at a given φ_π."""
    excess = inflation_response - 1
    return (
        slope * excess - (1 - persistence) / sensitivity,
        slope / 2 * excess + (1 + persistence) / sensitivity,
    )


def printed_region(rule: Rule) -> bool:
    """(4.57)–(4.59) with the printed numbers."""
    low, high = 0.1 * rule.inflation_response - 2.1, 0.06 * rule.inflation_response + 8.5
    return low < rule.gap_response < high and rule.inflation_response > 1
