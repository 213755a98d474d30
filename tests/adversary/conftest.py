"""Honest sessions to attack, and pairings that are computed once for the whole suite."""

from collections.abc import Iterator
from functools import lru_cache

import pytest

from tacita.crypto import signature
from tacita.protocols.party import Result
from tests.adversary.honest import TERMS, A1Cluster, run_honest


@pytest.fixture(autouse=True, scope="session")
def _pairings_once() -> Iterator[None]:
    """Pure functions of their arguments that take most of a session's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signature, "_aggregate_holds", lru_cache(maxsize=None)(signature._aggregate_holds))
        patch.setattr(signature.MultiSigningKey, "sign", lru_cache(maxsize=None)(signature.MultiSigningKey.sign))
        yield


@pytest.fixture(scope="session")
def public() -> tuple[A1Cluster, Result]:
    """A session that releases everything to everybody."""
    return run_honest(TERMS["public"])


@pytest.fixture(scope="session")
def private() -> tuple[A1Cluster, Result]:
    """A session in which every bidder learns its own part only."""
    return run_honest(TERMS["private"])
