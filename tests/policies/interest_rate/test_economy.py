"""The model, the stability region and the guard against the points of economics.md section 4."""

from fractions import Fraction as F
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tacita.protocols.policies.interest_rate import corrections as reference
from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.control import Views
from tacita.protocols.policies.interest_rate.economy import (
    Rule,
    closed_loop,
    printed_region,
    spectral_radius,
    stable,
)

front = import_module("tacita.cli.main")
ECONOMY = reference.ECONOMY

POINTS = [
    # φ_π, φ_y, spectral radius, stable, the print says stable
    (1.5, 0.5, 0.9768740889, True, True),
    (1.5, 8.55, 0.9992731003, True, True),
    (1.5, 8.59, 1.0068929460, False, False),
    (30, 0.95, 1.0225458425, False, True),
    (100, 14.2, 1.0861937500, False, True),
    (0.99, 0.5, 1.0004395932, False, False),
]


@pytest.mark.parametrize(("phi_pi", "phi_y", "radius", "is_stable", "printed"), POINTS)
def test_the_reference_rules(phi_pi: float, phi_y: float, radius: float, is_stable: bool, printed: bool) -> None:
    rule = Rule(phi_y, phi_pi)
    found = spectral_radius(*closed_loop(*reference.MODEL, rule))
    a, p, z = reference.MODEL
    matrix = np.array([[p - z * phi_y, z - z * phi_pi], [a, 1]])
    assert found == pytest.approx(radius, abs=1e-10)
    assert found == pytest.approx(max(abs(np.linalg.eigvals(matrix))), abs=1e-10)
    assert (stable(*reference.MODEL, rule), printed_region(rule)) == (is_stable, printed)


def test_the_corrected_region_is_that_of_the_spectral_radius_and_the_printed_polynomial_is_not() -> None:
    seed, count = 7, 20_000
    wrong = reference.mismatches(count, seed)
    assert wrong["region"] == wrong["conditions"] == 0, seed
    assert wrong["polynomial"] > count // 50, seed


def test_the_escape_direction_is_the_left_eigenvector_of_the_unstable_eigenvalue() -> None:
    assert ECONOMY.growth == pytest.approx(1.0487467277, abs=1e-10)
    assert ECONOMY.escape_weight == pytest.approx(0.2565617249, abs=1e-10)
    left, matrix = np.array([ECONOMY.escape_weight, 1]), np.array([[0.62, 0.19], [0.11, 1]])
    assert left @ matrix == pytest.approx(ECONOMY.growth * left)


@pytest.mark.parametrize(("inflation", "recovers"), [(-2.6, False), (-2.4, True)])
@pytest.mark.parametrize("policy", ["controller", "zero for ever"])
def test_the_guard_tells_from_where_the_economy_recovers(inflation: float, recovers: bool, policy: str) -> None:
    """The two points of the specification, simulated: the guard and the future agree."""
    assert ECONOMY.recoverable(-6, inflation) == recovers
    y, x, rate = -6.0, inflation, 0.0
    worst = []
    for _ in range(150):
        if policy == "controller":
            program = reference.CONTROLLER.program(Views.of(F(1, 2), y, x), rate)
            rate = float(plain.minimum(*plain.floats(program), np.full(4, -4.0))[0])
        else:
            rate = -4.0
        y, x = map(float, ECONOMY.step(y, x, rate))
        worst.append(ECONOMY.escape_weight * y + x)
    if recovers and policy == "controller":
        assert abs(y) + abs(x) < 0.6  # of 8.4, and falling
    elif recovers:
        assert worst[-1] > 4  # easing for ever overshoots
    else:
        assert worst[-1] < -100


def test_an_economy_in_rest_stays_there() -> None:
    assert ECONOMY.step(F(0), F(0), F(0)) == (0, 0)


def test_the_command_checks_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["model", "taylor", "--check", "--draws", "2000", "--gap", "-6", "--inflation", "-2.6"]
    assert front._run([*arguments, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "corrected region        0 mismatches" in out and "(4.61)–(4.63)           0 mismatches" in out
    assert "-4.1394, the economy cannot recover" in out
    assert (tmp_path / "taylor.png").read_bytes().startswith(b"\x89PNG")


def test_half_a_state_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert front._run(["model", "taylor", "--gap", "-6"]) == 2
    assert "give both --gap and --inflation" in capsys.readouterr().err
