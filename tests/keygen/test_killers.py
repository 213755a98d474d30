"""Killing good candidates: a party that makes the test fail is named when the audit finds both factors prime (R5)."""

import pytest

from tacita.deploy.attack.liars import Lies, all_made, assert_all_blame
from tacita.deploy.attack.ring import Ring, toy
from tacita.protocols.faults import BadModulus

N = 32


def wrong_first_factors(data: bytes) -> bytes:
    """The low bit of every v differs (the public factors behind them, too, if there are any)."""
    return b"".join(data[i : i + N - 1] + bytes([data[i + N - 1] ^ 1]) for i in range(0, len(data), N))


def test_a_party_that_always_sends_wrong_factors_is_named_once_a_good_candidate_died(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    lies = Lies(liar=2, opens={"S7": wrong_first_factors})
    lies.install(ring, monkeypatch)
    assert_all_blame(ring, ring.run(), 2, BadModulus)


def test_a_wrong_public_factor_is_named_or_harmless(seed, monkeypatch) -> None:
    """Only the maker of a good candidate's public factor can kill it; otherwise the key is made and is good."""
    named = 0
    for attempt in range(24):
        ring = Ring(seed=f"{seed}/{attempt}", parameters=toy(3, 256, 64))
        lies = Lies(liar=1, opens={})
        lies.install(ring, monkeypatch)
        survivors = _count_survivors(ring, monkeypatch)
        lies.opens = {"S7": lambda data, s=survivors: data[: N * s[0]] + wrong_first_factors(data[N * s[0] :])}
        outcomes = ring.run()
        if not all_made(outcomes):
            assert_all_blame(ring, outcomes, 1, BadModulus)
            named += 1
            break
    assert named


def _count_survivors(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of survivors in the present batch of the liar."""
    from tacita.protocols.keygen import batch

    count, original = [0], batch.Batch._factors

    async def factors(self, values):
        if self.me == 1:
            count[0] = len(self.view.survivors)
        return await original(self, values)

    monkeypatch.setattr(batch.Batch, "_factors", factors)
    return count
