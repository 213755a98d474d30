"""A73, A18: what an active node reads from a masked opening of a wrong operand, and that ours never opens one.

A product that is too large by p/2^j is not hidden by the mask of the next truncation: the opened value over p is a
fraction of the secret factor plus little noise. Ported from the prototype leak.py.
"""

from fractions import Fraction

import pytest

from tacita.deploy.attack.cheaters import NeverVerifies, NoDegreeCheck, cheating, not_before
from tacita.deploy.attack.engines import HEADER, Make, RecordingEngine, Run, attempt
from tacita.protocols.faults import SuspectFault
from tacita.protocols.mpc.demand import COMPARISON, OUTPUT, TRUNCATION, ZERO_TEST
from tacita.protocols.mpc.engine import Engine, Secret

F = 32
SECRETS = [2737120733, 1, 4294967295, 1234567890]
KINDS = (TRUNCATION, COMPARISON, ZERO_TEST, OUTPUT)


def queries(count: int, kind: str = TRUNCATION):  # type: ignore[no-untyped-def]
    """`count` times b·d·g with a secret g, and an opening of what comes out."""

    async def program(engine: Engine) -> None:
        g = await engine.from_cipher("g", 1, F, 0, (1 << F) - 1)
        d = await engine.from_cipher("d", 1, F, -(1 << 34), 1 << 34)
        b = await engine.from_cipher("b", 1, 0, 0, 1)
        if kind in (COMPARISON, ZERO_TEST):  # the first one also makes and verifies the random bits of all
            await engine.to_cipher("first", await opened_by(engine, kind, g - (1 << 31)))
        y = g
        for j in range(count):
            engine.query = j  # type: ignore[attr-defined]
            z = await engine.mul(b, d)
            engine.query = None  # type: ignore[attr-defined]
            y = await engine.mul(z, g)
            if kind == TRUNCATION:
                y = await engine.trunc(y, F)
            if kind in (COMPARISON, ZERO_TEST):
                y = await opened_by(engine, kind, y)
        await engine.to_cipher("y", y)

    return program


async def opened_by(engine: Engine, kind: str, a: Secret) -> Secret:
    return await (engine.negative(a) if kind == COMPARISON else engine.is_zero(a))


def inputs(g: int) -> dict[str, list[int]]:
    return {"g": [g], "d": [-7 << 30], "b": [1]}


def step(query: int) -> int:
    """Query j asks for g modulo this."""
    return 1 << (F + 1 - query)


def too_large(engine: RecordingEngine, number: int, length: int) -> dict[int, int]:
    """p / step on the product of the current query."""
    query = getattr(engine, "query", None)
    return {} if query is None else {0: int(-(-engine.prime // step(query)))}


def estimate(run: Run) -> Fraction:
    """g from the cheater's view of all openings of truncations: halve the step, keep the nearest value."""
    engine = run.engines[2]
    prime, guess = int(engine.prime), Fraction(0)
    masked = [(entry.width, values[0]) for entry, values in engine.values if entry.kind == TRUNCATION]
    for j, (width, value) in enumerate(masked):
        # The mean of the three terms of the mask is 3/16 of p.
        fraction = Fraction(value, prime) - Fraction(3 << (engine.term_bits + width), 2 * prime)
        guess = step(j) * (round(guess / step(j) - fraction) + fraction)
    return guess % step(0)


def test_control_with_passive_security_one_active_node_reads_all_32_bits_of_a_factor() -> None:
    for n, g in enumerate(SECRETS):
        run = attempt(queries(F + 1), inputs(g), 3, f"leak {n}", security="passive", nodes={2: cheating(too_large)})
        assert run.ends == [None] * 3
        assert round(estimate(run)) == g


def test_with_abort_not_one_masked_value_is_opened() -> None:
    for n, g in enumerate(SECRETS):
        run = attempt(queries(F + 1), inputs(g), 3, f"leak {n}", nodes={2: cheating(too_large)})
        assert all(isinstance(end, SuspectFault) for end in run.ends)
        assert [(len(e.values), e._verified) for e in run.engines] == [(0, 1)] * 3


# ---- each defence is needed: without it the same attack succeeds ---------------------------------------------------


def attacked(kind: str, honest: type[RecordingEngine], n: int = 0, g: int = SECRETS[0]) -> Run:
    nodes: dict[int, Make] = {0: honest, 1: honest, 2: cheating(too_large, honest)}
    return attempt(queries(1, kind), inputs(g), 3, f"{kind} {n}", nodes=nodes)


@pytest.mark.parametrize("kind", KINDS)
def test_verification_comes_before_every_masked_opening(kind: str) -> None:
    ours, careless = attacked(kind, RecordingEngine), attacked(kind, not_before(kind))
    before = kind in (COMPARISON, ZERO_TEST)
    for run, openings in (ours, before), (careless, before + 1):
        made = [sum(entry.kind == kind for entry, _ in engine.values) for engine in run.engines[:2]]
        assert made == [openings] * 2, f"{kind}: {run.ends}"
    assert all(isinstance(end, SuspectFault) for end in ours.ends)


def test_verified_too_late_a_truncation_shows_the_leading_bits_of_a_factor() -> None:
    """Then the session aborts; the opened value is known. Two bits per session, whose noise is below 3/16."""
    for n, g in enumerate(SECRETS):
        run = attacked(TRUNCATION, not_before(TRUNCATION), n, g)
        assert all(isinstance(end, SuspectFault) for end in run.ends)
        away = abs(estimate(run) - g)
        assert min(away, step(0) - away) < step(0) * 3 / 16


def test_verified_too_late_a_wrong_output_is_opened() -> None:
    run, right = attacked(OUTPUT, not_before(OUTPUT)), attempt(queries(1, OUTPUT), inputs(SECRETS[0]), 3, f"{OUTPUT} 0")
    assert all(e.opened["y"] != right.engines[0].opened["y"] for e in run.engines)


@pytest.mark.parametrize("kind", KINDS)
def test_without_verification_wrong_outputs_pass(kind: str) -> None:
    run = attacked(kind, NeverVerifies)
    right = attempt(queries(1, kind), inputs(SECRETS[0]), 3, f"{kind} 0")
    assert run.ends == [None] * 3
    # Whether a wrong y is negative or zero may by chance be right.
    assert run.outputs != right.outputs or kind in (COMPARISON, ZERO_TEST)


def last_to_node_one(run: Run):  # type: ignore[no-untyped-def]
    """Node 2 adds 1 to its share of the last opening on its way to node 1."""
    count = sum((i, j) == (1, 0) for i, j, _ in run.traffic)

    def tamper(i: int, j: int, n: int, data: bytes) -> bytes:
        changed = data[:HEADER] + bytes([data[HEADER] ^ 1]) + data[HEADER + 1 :]
        return changed if (i, j, n) == (1, 0, count) else data

    return tamper


def test_without_the_degree_check_one_node_opens_a_wrong_output() -> None:
    right = attempt(queries(1), inputs(5), 3, "degree")
    tamper = last_to_node_one(right)
    run = attempt(queries(1), inputs(5), 3, "degree", tamper, nodes=NoDegreeCheck)
    assert run.ends == [None] * 3
    assert run.engines[0].opened != right.engines[0].opened == run.engines[2].opened
    run = attempt(queries(1), inputs(5), 3, "degree", tamper)
    assert type(run.ends[0]).__name__ == "InconsistentOpening" and not run.engines[0].opened
