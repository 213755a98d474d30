"""Seeded randomness (the seed is printed when a test fails) and one INSECURE key for the whole session."""

import os
import secrets
from collections.abc import Callable

import pytest
from hypothesis import settings

from tacita.crypto import threshold
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.paillier import EncryptionKey, PublicParameters
from tacita.crypto.transcript import Context
from tests.crypto.helpers import DealtKey, load_insecure_key

SEED_VARIABLE = "TACITA_TEST_SEED"

# The first example of a test may import or build tables; a slow machine is no failure.
settings.register_profile("tacita-crypto", deadline=None)
settings.load_profile("tacita-crypto")


@pytest.fixture
def seed() -> int:
    """A fresh seed; repeat a failure with TACITA_TEST_SEED=<the printed number>."""
    chosen = int(os.environ.get(SEED_VARIABLE) or secrets.randbits(48))
    print(f"{SEED_VARIABLE}={chosen}")
    return chosen


@pytest.fixture
def entropy(seed: int, request: pytest.FixtureRequest) -> SeededEntropy:
    """The test's own stream of randomness."""
    return SeededEntropy(f"{seed}/{request.node.name}")


@pytest.fixture
def context() -> Context:
    return Context(session=bytes(range(32)), round="commit", prover="alice", object="bid")


@pytest.fixture(scope="session")
def dealt() -> DealtKey:
    """Three nodes, one of which may be corrupt; 512-bit N with published factors."""
    return load_insecure_key()


@pytest.fixture(scope="session")
def key(dealt: DealtKey) -> EncryptionKey:
    return dealt.encryption


@pytest.fixture(scope="session")
def parameters(dealt: DealtKey) -> PublicParameters:
    return dealt.parameters


Dealer = Callable[[int, int], DealtKey]


@pytest.fixture
def deal(dealt: DealtKey, entropy: SeededEntropy, monkeypatch: pytest.MonkeyPatch) -> Dealer:
    """Deal the factors of the session's key afresh to any number of nodes."""

    def dealer(parties: int, corrupt: int) -> DealtKey:
        primes = iter((dealt.p, dealt.q))
        with monkeypatch.context() as patch:
            patch.setattr(threshold, "safe_prime", lambda bits, source: next(primes))
            public, shares = threshold.deal(512, parties, corrupt, entropy)
        return DealtKey(public, tuple(shares), dealt.p, dealt.q)

    return dealer
