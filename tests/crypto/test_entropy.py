"""Randomness enters in one place, is uniform in its interval and stops when the source repeats itself (A15)."""

import secrets

import pytest

from tacita.crypto.entropy import SeededEntropy, SystemEntropy, random_below, random_bits
from tacita.crypto.errors import EntropyFailure


def test_a_source_that_repeats_a_block_stops_the_machine(monkeypatch):
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    source = SystemEntropy()
    source.token(16)
    first_was_zero = source._last == bytes(16)
    assert first_was_zero
    with pytest.raises(EntropyFailure, match="twice"):
        source.token(16)


def test_a_repeat_is_noticed_between_blocks_that_are_too_short_to_judge(monkeypatch):
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    source = SystemEntropy()
    source.token(32)
    assert source.token(15) == bytes(15)
    with pytest.raises(EntropyFailure):
        source.token(32)


def test_short_blocks_may_repeat(monkeypatch):
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    source = SystemEntropy()
    assert [source.token(1) for _ in range(3)] == [b"\0"] * 3


def test_the_system_source_gives_fresh_blocks_of_the_asked_size():
    source = SystemEntropy()
    blocks = {source.token(16) for _ in range(100)}
    assert len(blocks) == 100
    assert all(len(block) == 16 for block in blocks)


def test_a_seed_repeats_its_stream_and_another_seed_does_not():
    alice, again, bob = (SeededEntropy(seed) for seed in ("alice", "alice", "bob"))
    stream = [alice.token(8) for _ in range(5)]
    assert [again.token(8) for _ in range(5)] == stream
    assert len(set(stream)) == 5
    assert not set(stream) & {bob.token(8) for _ in range(5)}


@pytest.mark.parametrize("bits", [0, 1, 7, 8, 9, 130])
def test_random_bits_cover_exactly_their_interval(entropy, bits):
    union = 0
    for _ in range(300):
        value = random_bits(entropy, bits)
        assert 0 <= value < 1 << bits
        union |= value
    assert union == (1 << bits) - 1


@pytest.mark.parametrize("bound", [1, 2, 3, 5, 256, 257])
def test_random_below_reaches_every_value_and_no_other(entropy, bound):
    counts = [0] * bound
    for _ in range(20 * bound):
        counts[random_below(entropy, bound)] += 1
    # A value is missed with probability e^-20 each.
    assert all(counts)


def test_random_below_has_no_bias_towards_small_values(entropy):
    # Without rejection, 8 bits mod 192 would give values below 64 twice as often: 1/2 of the draws, not 1/3.
    draws = 6000
    small = sum(random_below(entropy, 192) < 64 for _ in range(draws))
    assert abs(small - draws / 3) < 8 * (draws * 2 / 9) ** 0.5


@pytest.mark.parametrize("bound", [0, -5])
def test_an_empty_interval_is_a_mistake_of_the_caller(entropy, bound):
    with pytest.raises(ValueError, match="at least 1"):
        random_below(entropy, bound)
