"""Worlds that several tests look at, each simulated once."""

import pytest

from tacita.deploy.simulate.report import Report, Scope, simulate

SEED = 1
WORLDS = 10


@pytest.fixture(scope="session")
def sample() -> Report:
    """Ten worlds as `tacita simulate` draws them; in none of these seeds a node misbehaves or a cut is long."""
    return simulate(Scope(SEED, WORLDS))
