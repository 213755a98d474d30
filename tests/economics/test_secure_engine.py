"""SharedEngine against ClearEngine, operation by operation, at m = 3, 4, 5 and 7."""

from collections.abc import Sequence

import numpy as np
import pytest

from tacita.deploy.attack.engines import clear, info, secure
from tacita.protocols.mpc import demand as demands
from tacita.protocols.mpc import engine as engines
from tacita.protocols.mpc.engine import Engine, Secret
from tacita.protocols.mpc.reciprocal import reciprocal

SIZE = 40
LIMIT, LEAST = 1 << 40, 1 << 16
GROUP = np.repeat(np.arange(4), SIZE // 4)

every_engine = pytest.mark.parametrize(
    ("parties", "security"),
    [(3, "passive"), (3, "abort"), (4, "abort"), (5, "passive"), (5, "abort"), (7, "abort")],
    ids=["m3-passive", "m3", "m4", "m5-passive", "m5", "m7"],
)


def vectors(seed: int) -> dict[str, list[int]]:
    """Random vectors with the awkward values in front: 0, ±1 and both ends of the interval."""
    r = np.random.default_rng(seed)
    ends = [0, 0, 1, -1, LIMIT, -LIMIT, LIMIT, -LIMIT, LIMIT - 1, 1 - LIMIT]
    a = ends + [int(x) for x in r.integers(-LIMIT, LIMIT, SIZE - len(ends))]
    b = [0, 1, 1, -1, LIMIT, -LIMIT, -LIMIT, LIMIT, LIMIT, -LIMIT] + [int(x) for x in r.integers(-LIMIT, LIMIT, 30)]
    b[20:25] = a[20:25]
    bits = [int(x) for x in r.integers(0, 2, SIZE)]
    small = [int(x) for x in r.integers(-3, 4, SIZE)]
    positive = [LEAST, LIMIT, LIMIT - 1, LEAST + 1] + [int(x) for x in 2.0 ** r.uniform(16, 40, SIZE - 4)]
    return {"a": a, "b": b, "bit": bits, "small": small, "positive": positive}


async def take(engine: Engine) -> dict[str, Secret]:
    sizes = {"a": (-LIMIT, LIMIT), "b": (-LIMIT, LIMIT), "bit": (0, 1), "small": (-3, 3), "positive": (LEAST, LIMIT)}
    return {label: await engine.from_cipher(label, SIZE, 0, lo, hi) for label, (lo, hi) in sizes.items()}


async def exact_program(engine: Engine) -> None:
    """Every operation whose result has no rounding."""
    v = await take(engine)
    a, b = v["a"], v["b"]
    order = np.random.default_rng(0).permutation(SIZE)
    matrix = np.array([[int(x) for x in row] for row in np.random.default_rng(1).integers(-9, 9, (7, SIZE))], object)
    await engine.to_cipher("mul", await engine.mul(a, b))
    await engine.to_cipher("dot", await engine.dot(a, b, GROUP, 4))
    await engine.to_cipher("less", await engine.less(a, b))
    await engine.to_cipher("negative", await engine.negative(a))
    await engine.to_cipher("is_zero", await engine.is_zero(v["small"]))
    await engine.to_cipher("is_zero_wide", await engine.is_zero(a - b))
    await engine.to_cipher("minimum", await engine.minimum(a, b))
    await engine.to_cipher("positive_part", await engine.positive_part(a))
    await engine.to_cipher("select", await engine.select(v["bit"], a, b))
    await engine.to_cipher("clip", await engine.clip(a, engine.public(np.full(SIZE, -5), 0), v["positive"]))
    await engine.to_cipher("group_sum", engine.group_sum(a, GROUP, 4))
    await engine.to_cipher("prefix_sum", engine.prefix_sum(a, GROUP))
    await engine.to_cipher("matvec", engine.matvec(matrix, a, 0))
    await engine.to_cipher("linear", engine.concat([a[order], b * 3 - a + 7, 5 - b])[::2])
    await engine.to_cipher("array", np.arange(SIZE).astype(object) - a)


async def rounded_program(engine: Engine) -> None:
    """Truncations by few and by many bits, coarse clips and reciprocals."""
    v = await take(engine)
    for bits in (1, 7, 16, 39):
        await engine.to_cipher(f"trunc{bits}", await engine.trunc(v["a"], bits))
    parts = await engine.trunc_each([v["a"], v["small"]], 4)
    await engine.to_cipher("each0", parts[0])
    await engine.to_cipher("each1", parts[1])
    await engine.to_cipher("coarse", await engine.clip(v["a"], engine.zeros(SIZE, 0), v["positive"], 10))
    await engine.to_cipher("reciprocal", await reciprocal(engine, v["positive"].as_scale(32), 32))


@every_engine
def test_exact_operations_equal_the_clear_engine(parties: int, security: str) -> None:
    inputs = vectors(parties)
    run = secure(exact_program, inputs, parties, f"exact {parties}", security=security)
    assert run.outputs == clear(exact_program, inputs, parties)


def expected_exact(inputs: dict[str, list[int]]) -> dict[str, list[int]]:
    a, b = inputs["a"], inputs["b"]
    groups = [range(10 * g, 10 * g + 10) for g in range(4)]
    return {
        "mul": [x * y for x, y in zip(a, b, strict=True)],
        "dot": [sum(a[i] * b[i] for i in g) for g in groups],
        "less": [int(x < y) for x, y in zip(a, b, strict=True)],
        "negative": [int(x < 0) for x in a],
        "is_zero": [int(x == 0) for x in inputs["small"]],
        "is_zero_wide": [int(x == y) for x, y in zip(a, b, strict=True)],
        "minimum": [min(x, y) for x, y in zip(a, b, strict=True)],
        "positive_part": [max(x, 0) for x in a],
        "select": [x if s else y for s, x, y in zip(inputs["bit"], a, b, strict=True)],
        "clip": [min(max(x, -5), h) for x, h in zip(a, inputs["positive"], strict=True)],
        "group_sum": [sum(a[i] for i in g) for g in groups],
        "prefix_sum": [sum(a[j] for j in range(10 * (i // 10), i + 1)) for i in range(SIZE)],
        "array": [i - x for i, x in enumerate(a)],
    }


def test_exact_operations_of_the_clear_engine_equal_plain_python() -> None:
    """ClearEngine is the yardstick, so it is held against integers once."""
    inputs = vectors(0)
    outputs = clear(exact_program, inputs)
    for label, values in expected_exact(inputs).items():
        assert outputs[label] == values, label


def errors(result: Sequence[int], exact: Sequence[float]) -> tuple[float, float]:
    differences = [x - y for x, y in zip(result, exact, strict=True)]
    return min(differences), max(differences)


@every_engine
def test_rounding_stays_in_the_stated_interval(parties: int, security: str) -> None:
    """trunc: [−C//2 − 1, C − C//2] units of the exact quotient, at both engines."""
    inputs, ulp = vectors(10 + parties), info(parties).ulp
    run = secure(rounded_program, inputs, parties, f"rounded {parties}", security=security)
    for outputs in (run.outputs, clear(rounded_program, inputs, parties, noise=parties)):
        for label, source, bits in [(f"trunc{b}", "a", b) for b in (1, 7, 16, 39)] + [
            ("each0", "a", 4),
            ("each1", "small", 4),
        ]:
            low, high = errors(outputs[label], [x / 2**bits for x in inputs[source]])
            assert -(ulp // 2) - 1 <= low <= high <= ulp - ulp // 2, f"{label}: errors in [{low}, {high}]"
        clipped = [min(max(x, 0), h) for x, h in zip(inputs["a"], inputs["positive"], strict=True)]
        low, high = errors(outputs["coarse"], [float(x) for x in clipped])
        assert max(-low, high) <= ulp << 9, f"coarse clip: errors in [{low}, {high}]"
        for x, inverse in zip(inputs["positive"], outputs["reciprocal"], strict=True):
            # 24 bits between the smallest and the largest operand leave 26 significant bits to the smallest.
            exact = 2**64 / x
            assert abs(inverse - exact) <= 4 * ulp * (1 + exact / 2**26), f"1/{x}: {inverse} for {exact}"


NEAR = 10
"""Low bits that the coarse comparison below ignores."""


async def near_zero(engine: Engine) -> None:
    """Coarse negative parts of numbers about 0, but of none that is 0."""
    a = await engine.from_cipher("a", 600, 0, -LIMIT, LIMIT)
    await engine.to_cipher("part", await engine.negative_part(a, NEAR))


@pytest.mark.parametrize("parties", [3, 5])
def test_a_coarse_comparison_errs_near_zero_only_and_the_clear_engine_is_no_more_exact(parties: int) -> None:
    """50 operands in each of 12 places up to 1.2 times the stated error; frequencies up to three deviations."""
    most = info(parties).ulp << NEAR - 1
    places = [round(most * x / 5) or 1 for x in range(-6, 6)]
    inputs = {"a": [places[i % 12] for i in range(600)]}
    run = secure(near_zero, inputs, parties, f"near {parties}")
    wrong = []
    for outputs in (run.outputs, clear(near_zero, inputs, parties, noise=parties)):
        assert all(part in (0, x) for part, x in zip(outputs["part"], inputs["a"], strict=True))
        errors = [(part != 0) != (x < 0) for part, x in zip(outputs["part"], inputs["a"], strict=True)]
        wrong.append(np.bincount(np.arange(600) % 12, weights=errors))
        assert not wrong[-1][[0, 1, 11]].any(), "wrong outside the stated error"
        assert 10 < wrong[-1][6] < 40, "not noisy at 0"
    assert np.all(wrong[0] <= wrong[1] + 3 * 5), wrong
    # Without a seed the clear engine always adds the largest error of one side.
    assert clear(near_zero, inputs, parties)["part"] == [x if x < most else 0 for x in inputs["a"]]


TIGHT = [(-1, 0), (-1, 1), (-2, 1), (-4, 4), (-16, 15), (-(1 << 16), (1 << 16) - 1), (0, 0), (0, 3), (-4, -1)]
"""Intervals that fill a width, with whole digits and with half a one left over; some decide by themselves."""


@pytest.mark.parametrize(("parties", "seeds"), [(3, 4), (4, 2), (7, 1)])
def test_comparisons_hold_at_both_ends_of_the_public_interval(parties: int, seeds: int) -> None:
    """A coarse comparison moves its operand beyond these ends, where it still has a sign."""

    async def compares(engine: Engine) -> None:
        for n, (lo, hi) in enumerate(TIGHT):
            a = await engine.from_cipher(f"a{n}", 8, 0, lo, hi)
            await engine.to_cipher(f"negative{n}", await engine.negative(a))
            await engine.to_cipher(f"zero{n}", await engine.is_zero(a))
            for coarse in (0, 1, NEAR):
                await engine.to_cipher(f"part{coarse}{n}", await engine.negative_part(a, coarse))

    inputs = {f"a{n}": [lo, hi, max(lo, min(hi, -1)), max(lo, min(hi, 0))] * 2 for n, (lo, hi) in enumerate(TIGHT)}
    for seed in range(seeds):
        run = secure(compares, inputs, parties, f"ends {parties} {seed}")
        for n, interval in enumerate(TIGHT):
            values = inputs[f"a{n}"]
            assert run.outputs[f"negative{n}"] == [int(x < 0) for x in values]
            assert run.outputs[f"zero{n}"] == [int(x == 0) for x in values]
            for coarse in (0, 1, NEAR):
                most = info(parties).ulp << coarse - 1 if coarse else 0
                for x, part in zip(values, run.outputs[f"part{coarse}{n}"], strict=True):
                    allowed = {min(x, 0)} if x < -most or x >= most else {0, x}
                    assert part in allowed, f"{x} in {interval}, coarse {coarse}: {part}"
        for engine in run.engines:
            assert engine.ledger == list(run.demand.openings) and engine._digits.shape[2] == 0


def test_large_comparisons_come_in_batches_as_the_dry_run_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches bound the memory; the result does not depend on them."""

    async def compares(engine: Engine) -> None:
        v = await take(engine)
        await engine.to_cipher("less", await engine.less(v["a"], v["b"]))
        await engine.to_cipher("clip", await engine.clip(v["a"], engine.zeros(SIZE, 0), v["positive"]))
        await engine.to_cipher("coarse", await engine.negative_part(v["a"], 30))
        await engine.to_cipher("is_zero", await engine.is_zero(v["a"] - v["b"]))

    monkeypatch.setattr(engines, "BATCH_BITS", 200)
    run = secure(compares, vectors(6), 3, "batches")
    compared = [o for o in run.demand.openings if o.kind in (demands.COMPARISON, demands.ZERO_TEST)]
    assert max(o.count * (o.width - o.coarse) for o in compared) <= 200
    assert max(o.count for o in compared) > 10, "what is coarse needs no small batches"
    assert all(engine.ledger == list(run.demand.openings) for engine in run.engines)
    right = clear(compares, vectors(6))
    assert all(run.outputs[label] == right[label] for label in ("less", "clip", "is_zero"))


@pytest.mark.parametrize("parties", [3, 4, 5, 6, 7])
def test_widths_leave_room_for_what_a_coarse_comparison_adds_and_hold_whole_digits(parties: int) -> None:
    """About every power of two, less the error and not: C terms below 2^g, moved down by C·2^(g−1)."""
    engine = demands.DryRun(info(parties))
    for coarse in (0, 1, 2, NEAR, 58):
        added = engine.info.ulp * ((1 << coarse) - 1)
        down = engine.info.ulp << coarse - 1 if coarse else 0
        places = [(1 << k) - less + d for k in (1, 5, 16, 70) for less in (0, down, added - down) for d in (-1, 0, 1)]
        for end in [x for x in places if x > 0]:
            for lo, hi in ((-end, 0), (-1, end), (-end, end)):
                a = Secret(engine, None, 1, 0, lo, hi)
                width = engine.compared_bits(a, coarse)
                assert -(1 << width - 1) <= lo - down and hi + added - down < 1 << width - 1, (coarse, lo, hi)
                assert (width - 1 - coarse) % 2 == 0 < width - 1 - coarse
                least = max((down - lo - 1).bit_length(), (hi + down).bit_length(), coarse + 1)
                assert width <= least + 2, "no more than what fills a digit"
                tested = engine.tested_bits(a)
                assert tested % 2 == 0 and -(1 << tested - 1) <= lo and hi < 1 << tested - 1


@pytest.mark.parametrize("security", ["passive", "abort"])
@pytest.mark.parametrize("parties", [3, 4], ids=["m3", "m4"])
def test_the_ledger_of_openings_is_the_list_that_the_dry_run_announced(parties: int, security: str) -> None:
    for program in (exact_program, rounded_program):
        run = secure(program, vectors(1), parties, f"ledger {parties}", security=security)
        for engine in run.engines:
            assert engine.ledger == list(run.demand.openings)
            assert engine._digits.shape[2] == 0, "random digits are left over"
            assert engine.authenticated == (security == "abort") == bool(engine._verified)


def test_one_comparison_may_need_more_random_digits_than_a_block_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks bound the memory of large comparisons; the digits and the result do not depend on them."""

    async def program(engine: Engine) -> None:
        v = await take(engine)
        await engine.to_cipher("less", await engine.less(v["a"], v["b"]))
        await engine.to_cipher("is_zero", await engine.is_zero(v["a"] - v["b"]))

    monkeypatch.setattr(demands, "DIGIT_BLOCK", 50)
    run = secure(program, vectors(5), 3, "blocks")
    assert run.demand.random_digits > 20 * demands.DIGIT_BLOCK
    assert run.outputs == clear(program, vectors(5))
