"""Every decoder of a stranger's bytes keeps its contract (contract.py) on thousands of broken inputs.

`make fuzz` and `make fuzz-long` look further with the same table, guided by coverage.
"""

import tracemalloc
from collections.abc import Iterator
from random import Random  # noqa: TID251 - mutations are no secrets

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tacita.protocols.faults import CallerMistake
from tests.fuzz import contract
from tests.fuzz.contract import Violation
from tests.fuzz.decoders import DECODERS, Decoder
from tests.fuzz.mutations import mutated

AT_ONCE, ARITHMETIC_INPUTS = 50, 50
TRACED = 5
"""Memory is measured of one input in so many: that makes every allocation slow."""


@pytest.fixture(autouse=True)
def _stop_tracing() -> Iterator[None]:
    yield
    tracemalloc.stop()


def fuzz(decoder: Decoder, inputs: int) -> None:
    """Mutations of the seeds; hypothesis draws and on failure prints the number that they come from."""
    seeds = list(decoder.seeds())

    @settings(
        max_examples=max(1, inputs // AT_ONCE), derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate], report_multiple_bugs=False,
    )  # fmt: skip
    @given(st.integers(0, 2**64 - 1))
    def run(number: int) -> None:
        note(f"mutations of {decoder.name} from number {number}")
        chance = Random(number)
        broken = [mutated(chance.choice(seeds), seeds, chance) for _ in range(min(inputs, AT_ONCE))]
        tracemalloc.start()
        for data in broken[::TRACED]:
            contract.check(decoder.reads, data, not decoder.arithmetic)
        tracemalloc.stop()
        for data in broken:
            contract.check(decoder.reads, data, not decoder.arithmetic)

    run()


@pytest.mark.parametrize("name", DECODERS)
def test_broken_inputs_are_refused_by_an_error_of_ours_quickly_and_in_little_memory(name: str) -> None:
    fuzz(DECODERS[name], ARITHMETIC_INPUTS if DECODERS[name].arithmetic else DECODERS[name].inputs)


@pytest.mark.parametrize("name", [name for name, decoder in DECODERS.items() if decoder.bad])
def test_inputs_that_once_broke_a_decoder_are_refused(name: str) -> None:
    decoder = DECODERS[name]
    for data in decoder.bad:
        tracemalloc.start()
        # Inputs of 1 MiB take longer than others; what they do to memory is what counts.
        contract.check(decoder.reads, data, timed=not decoder.arithmetic and len(data) <= 1 << 16)
        tracemalloc.stop()


@pytest.mark.parametrize("name", DECODERS)
def test_honest_bytes_are_taken(name: str) -> None:
    """Otherwise the fuzzing would end at the first check of every decoder."""
    decoder, refused = DECODERS[name], []
    for data in decoder.seeds():
        try:
            decoder.reads(data)
            return
        except contract.ALLOWED as error:
            refused.append(repr(error)[:200])
    pytest.fail(f"no seed is taken: {refused}")


# ---- the harness itself can fail ------------------------------------------------------------------------------------


def planted(data: bytes) -> object:
    """The JSON of a message, with a look at its first entry that nobody checked."""
    reads = DECODERS["file/JSON"].reads
    return reads(data)["session"]["name"].encode("ascii")  # type: ignore[index]


def slow(data: bytes) -> object:
    return sum(i * i for i in range(1_000_000))


def greedy(data: bytes) -> object:
    return [bytes(1 << 20) for _ in range(9 + data.count(b","))]


@pytest.mark.parametrize(("bug", "word"), [(planted, "Error"), (slow, " ms for"), (greedy, "bytes of memory")])
def test_a_planted_bug_turns_the_fuzzing_red(bug: object, word: str) -> None:
    honest = DECODERS["file/terms"]
    seeds = [s for s in honest.seeds() if b'"session":{' in s]
    with pytest.raises(Violation, match=word):
        fuzz(Decoder("planted", lambda: seeds[:1] or [b"{}"], bug), 200)  # type: ignore[arg-type]


def test_an_error_of_ours_is_no_violation() -> None:
    def refuses(data: bytes) -> object:
        raise CallerMistake("not these bytes")

    contract.check(refuses, b"anything")
