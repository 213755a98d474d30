"""Random instances; repeat a failure with TACITA_TEST_SEED=<the printed number>."""

import os
import secrets

import pytest

SEED_VARIABLE = "TACITA_TEST_SEED"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    chosen = os.environ.get(SEED_VARIABLE) or secrets.token_hex(6)
    print(f"{SEED_VARIABLE}={chosen}")
    return f"{chosen}/{request.node.name}"
