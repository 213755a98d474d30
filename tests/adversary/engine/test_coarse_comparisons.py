"""A26, A73: the low bits of a coarse comparison's opening show nothing of the operand, whoever misses one key.

No random bits mask the low `coarse` bits, only ρ = Σ ρ_S with one uniform term per replicated key. Controls: without
ρ everybody reads these bits of the operand, and so does a node that holds the keys of all terms.
"""

from collections import Counter

import numpy as np
from gmpy2 import mpz

from tacita.deploy.attack.cheaters import NeverVerifies, cheating, once
from tacita.deploy.attack.engines import Make, RecordingEngine, Run, attempt
from tacita.protocols.faults import SuspectFault
from tacita.protocols.mpc.demand import COMPARISON, SIGN_CHECK
from tacita.protocols.mpc.engine import Engine, IntArray

COARSE, COUNT, LIMIT = 8, 640, 1 << 16
PLACES = 1 << COARSE


async def program(engine: Engine) -> None:
    a = await engine.from_cipher("a", COUNT, 0, -LIMIT, LIMIT)
    await engine.to_cipher("part", await engine.negative_part(a, COARSE))


def without_terms(kept: tuple[tuple[int, ...], ...]) -> type[RecordingEngine]:
    """An engine in which only these keys have a term of ρ."""

    class Without(RecordingEngine):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            bounded, weights, keys = self.shares.bounded, self.shares._weights, self.shares._keys.replicated

            def fewer(count: int, bits: int, shift: int = 0) -> tuple[IntArray, IntArray]:
                if bits != COARSE:
                    return bounded(count, bits, shift)
                self.shares._weights = {s: w if s in kept else mpz(0) for s, w in weights.items()}
                masks = bounded(count, bits, shift)
                self.shares._weights = weights
                gone = [k for s, k in keys.items() if s not in kept]
                self.streams = [s for s in self.streams if s[0] not in gone or s[3] != COARSE]
                return masks

            self.shares.bounded = fewer  # type: ignore[method-assign]

    return Without


def low_bits(run: Run, reader: int) -> list[int]:
    """What `reader` knows of a mod 2^g: the opened value less the terms of ρ whose keys it holds."""
    engine = run.engines[reader]
    (opened,) = (np.array(values, dtype=object) for entry, values in engine.values if entry.kind == COMPARISON)
    terms = [s for s in engine.streams if s[1].startswith("bounded/") and s[3] == COARSE]
    known = [engine.shares._stream(*s) for s in terms]
    return [int(v) % PLACES for v in opened + engine.coarse_error(COARSE) - sum(known)]


def read(run: Run, a: list[int], reader: int) -> int:
    """How many operands' low bits the reader has right."""
    return sum(low == x % PLACES for low, x in zip(low_bits(run, reader), a, strict=True))


def operands() -> list[int]:
    return [int(x) for x in np.random.default_rng(7).integers(-LIMIT, LIMIT, COUNT)]


def test_the_low_bits_of_the_opening_are_uniform_for_every_node() -> None:
    """Equal operands, so that any structure would show: χ² of 16 classes, false alarm once in a million."""
    for value in (-5, 0, 77):
        run = attempt(program, {"a": [value] * COUNT}, 3, f"uniform {value}")
        assert run.first is None
        for reader in range(3):
            for shift in (0, COARSE - 4):  # the lowest and the highest four bits
                classes = Counter(low >> shift & 15 for low in low_bits(run, reader))
                chi = sum((classes[c] - COUNT / 16) ** 2 for c in range(16)) / (COUNT / 16)
                assert chi < 60, f"a = {value}, node {reader + 1}: χ² = {chi:.0f}"


def test_with_all_terms_nobody_reads_the_operands_and_controls_do() -> None:
    a = operands()
    run = attempt(program, {"a": a}, 3, "read")
    assert all(read(run, a, reader) < COUNT / 20 for reader in range(3))
    # Control: no term at all.
    bare = attempt(program, {"a": a}, 3, "read", nodes=without_terms(()))
    assert bare.ends == [None] * 3 and [read(bare, a, reader) for reader in range(3)] == [COUNT] * 3
    # Control: only the term of nodes 1 and 2. They read, node 3 does not.
    one = attempt(program, {"a": a}, 3, "read", nodes=without_terms(((0, 1),)))
    assert one.ends == [None] * 3 and [read(one, a, reader) == COUNT for reader in range(3)] == [True, True, False]


def test_a_wrong_bit_of_a_coarse_comparison_ends_the_session_before_the_result_is_used() -> None:
    """ρ has no tags. Whoever changes a product of the comparison, or the last one, changes a value that has some."""
    a = operands()
    right = attempt(program, {"a": a}, 3, "product").outputs
    for before_last in (0, 1):
        for base in (RecordingEngine, NeverVerifies):
            products = attempt(program, {"a": a}, 3, "product", nodes=base).engines[2].reshared
            error = once(len(products) - before_last, 0, 1 << 40)
            nodes: dict[int, Make] = {0: base, 1: base, 2: cheating(error, base)}
            run = attempt(program, {"a": a}, 3, "product", nodes=nodes)
            if base is NeverVerifies:
                assert run.ends == [None] * 3 and run.outputs != right
            else:
                assert all(isinstance(end, SuspectFault) for end in run.ends[:2])
                assert {entry.kind for engine in run.engines for entry, _ in engine.values} == {COMPARISON, SIGN_CHECK}
