"""What SharedEngine's openings and messages give away: masks that are wide, fresh and independent of the operand."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from tacita.deploy.attack import engines
from tacita.deploy.attack.engines import HEADER, RecordingEngine, secure
from tacita.protocols.mpc import demand
from tacita.protocols.mpc.demand import (
    COMPARISON,
    DEFAULT_STATISTICAL_BITS,
    MASKED_KINDS,
    OUTPUT,
    SIGN_CHECK,
    Opening,
    RandomDigits,
)
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.mpc.sharing import replicated_subsets

SIZE, LIMIT = 16, 1 << 40
PARTIES = [3, 4, 5, 7]
every_cluster = pytest.mark.parametrize("parties", PARTIES, ids=[f"m{m}" for m in PARTIES])


async def everything_twice(engine: Engine) -> None:
    """Every operation that opens or reshares, two times on the same operands."""
    a = await engine.from_cipher("a", SIZE, 0, -LIMIT, LIMIT)
    for n in range(2):
        await engine.to_cipher(f"mul{n}", await engine.mul(a, a))
        await engine.to_cipher(f"trunc{n}", await engine.trunc(a, 20))
        await engine.to_cipher(f"negative{n}", await engine.negative(a))
        await engine.to_cipher(f"coarse{n}", await engine.negative_part(a, 20))
        await engine.to_cipher(f"zero{n}", await engine.is_zero(a))


def equal(value: int) -> dict[str, list[int]]:
    return {"a": [value] * SIZE}


@every_cluster
def test_no_opening_repeats_a_value(parties: int) -> None:
    """Equal operands of equal operations open different values, within a session and between sessions."""
    runs = [secure(everything_twice, equal(-7), parties, f"repeat {parties} {n}") for n in range(2)]
    seen = Counter(v for run in runs for _, values in run.engines[0].values for v in values if v)
    assert seen.most_common(1)[0][1] == 1
    zeros = Counter(entry.kind for entry, values in runs[0].engines[0].values for v in values if v == 0)
    assert set(zeros) <= {SIGN_CHECK}, "a masked value may not be zero"


@every_cluster
def test_no_message_is_sent_twice(parties: int) -> None:
    """Products are dealt anew with fresh randomness: equal products do not travel as equal messages."""
    sent: dict[tuple[int, int], list[bytes]] = {}

    def record(i: int, j: int, n: int, data: bytes) -> bytes:
        sent.setdefault((i, j), []).append(data[HEADER:])
        return data

    secure(everything_twice, equal(LIMIT), parties, f"messages {parties}", record)
    for link, messages in sent.items():
        assert len(set(messages)) == len(messages), f"link {link}"


@every_cluster
def test_no_pseudorandom_stream_is_used_twice(parties: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "DIGIT_BLOCK", 1 << 8)  # several blocks of random digits
    run = secure(everything_twice, equal(1), parties, f"streams {parties}")
    for engine in run.engines:
        label, uses = Counter(engine.streams).most_common(1)[0]
        assert uses == 1, f"stream {label[1:]} is used {uses} times"


@every_cluster
def test_masks_are_as_wide_as_the_statistical_parameter_says(parties: int) -> None:
    """The largest of 16 opened values reaches to within a few bits of k bits above the operand's width."""
    run = secure(everything_twice, equal(0), parties, f"wide {parties}")
    assert run.demand.statistical_bits >= DEFAULT_STATISTICAL_BITS
    for entry, values in run.engines[0].values:
        if entry.kind in MASKED_KINDS:
            # Outputs are masked by the nodes' own r_i, which this test draws with 80 bits.
            wanted = 80 if entry.kind == OUTPUT else entry.width + run.demand.statistical_bits
            assert max(values).bit_length() >= wanted - 6, f"{entry}: {max(values).bit_length()} bits"


def test_openings_do_not_depend_on_the_operand_beyond_its_mask() -> None:
    """The top bits of what a comparison opens, over the width of its mask: the mean is that of three uniform terms."""
    for value in (-LIMIT, -1, 0, LIMIT):
        places: list[float] = []
        for n in range(3):
            run = secure(everything_twice, equal(value), 3, f"masked {value} {n}")
            for entry, values in run.engines[0].values:
                if entry.kind == COMPARISON:
                    places += [v / (1 << entry.width - 1 + run.engines[0].term_bits) for v in values]
        deviation = (3 / 12 / len(places)) ** 0.5
        assert abs(sum(places) / len(places) - 1.5) < 5 * deviation, (
            f"operand {value}: mean {sum(places) / len(places)}"
        )


def random_bits(parties: int, count: int) -> list[int]:
    """The bits of `count` shared random digits, opened; the product of each digit's bits was right."""
    drawn: dict[int, Sequence[int]] = {}

    async def program(engine: Engine) -> None:
        await engine.to_cipher("zero", await engine.is_zero(engine.within(engine.zeros(1, 0), -1, 1)))
        if isinstance(engine, RecordingEngine):
            engine._pool = RandomDigits(count)
            digits = await engine.random_digits(count)
            drawn[engine.shares.me] = await engine.open(
                digits[0].reshape(-1) % engine.prime, Opening("test", 3 * count, 0)
            )

    secure(program, {}, parties, f"bits {parties}")
    x, y, both = np.array(drawn[0], dtype=object).reshape(3, count)
    assert np.all(x * y == both)
    return [int(bit) for bit in [*x, *y]]


@every_cluster
def test_random_bits_are_bits_and_unbiased(parties: int) -> None:
    """Within five standard deviations of a fair coin: a false alarm once in a million seeds."""
    count = 4000
    bits = random_bits(parties, count // 2)
    assert set(bits) == {0, 1}
    assert abs(sum(bits) - count / 2) < 5 * (count / 4) ** 0.5, f"{sum(bits)} ones in {count}"


@every_cluster
def test_random_bits_are_unknown_without_any_one_replicated_key(parties: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key of one subset of m − t nodes gives independent bits: a coalition of t lacks one such key."""
    count, before = 1000, random_bits(parties, 500)
    original = engines._key
    subsets = replicated_subsets(parties, (parties - 1) // 2)
    for subset in [subsets[0], subsets[-1]]:
        other = ("replicated", *subset)
        with monkeypatch.context() as patch:
            patch.setattr(engines, "_key", lambda seed, *what: original(seed + "!" * (what == other), *what))  # noqa: B023
            after = random_bits(parties, count // 2)
        flipped = sum(x != y for x, y in zip(before, after, strict=True))
        assert abs(flipped - count / 2) < 5 * (count / 4) ** 0.5, f"the key of {subset} flips {flipped} of {count}"
