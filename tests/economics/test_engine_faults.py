"""What SharedEngine does when a peer's bytes are wrong, and where truncation's interval is tight."""

import asyncio

import pytest

from tacita.crypto.errors import InvalidEncoding
from tacita.deploy.attack.engines import HEADER, Tamper, dry, info, keys, secure
from tacita.protocols.faults import CallerMistake, InconsistentOpening, MachineFault, RefusedFrame, SuspectFault
from tacita.protocols.mpc.demand import MAX_FIELD_BITS, signs_are_dealt
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.mpc.frames import HEAD, check_contents
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.shared import SharedEngine

INPUTS = {"a": [5, -7, 123456, 0], "b": [11, 3, -99, 2]}


async def program(engine: Engine) -> None:
    a = await engine.from_cipher("a", 4, 0, -(1 << 20), 1 << 20)
    b = await engine.from_cipher("b", 4, 0, -(1 << 20), 1 << 20)
    product = (await engine.trunc(await engine.mul(a, b), 8)).as_scale(0)
    await engine.to_cipher("result", await engine.minimum(product, a))


def only(sender: int, receiver: int, number: int, change: Tamper) -> Tamper:
    """Change one message of one link."""

    def tamper(i: int, j: int, n: int, data: bytes) -> bytes:
        return change(i, j, n, data) if (i, j, n) == (sender, receiver, number) else data

    return tamper


def add_one(i: int, j: int, n: int, data: bytes) -> bytes:
    """The first share of the message plus or minus 1: still a field element."""
    return data[:HEADER] + bytes([data[HEADER] ^ 1]) + data[HEADER + 1 :]


def too_large(i: int, j: int, n: int, data: bytes) -> bytes:
    return data[:HEADER] + b"\xff" * (len(data) - HEADER)


def one_byte_short(i: int, j: int, n: int, data: bytes) -> bytes:
    return data[:8] + (len(data) - HEADER - 1).to_bytes(4, "little") + data[HEADER:-1]


def openings(sender: int, receiver: int, parties: int) -> list[int]:
    """Numbers of the messages of a link that are openings: another peer of the sender gets the same bytes."""
    sent: dict[tuple[int, int], list[bytes]] = {}

    def record(i: int, j: int, n: int, data: bytes) -> bytes:
        sent.setdefault((i, j), []).append(data)
        return data

    secure(program, INPUTS, parties, "honest", record)
    others = {data for (i, j), frames in sent.items() if i == sender and j != receiver for data in frames}
    return [n for n, data in enumerate(sent[sender, receiver], start=1) if data in others]


@pytest.mark.parametrize(("parties", "link"), [(3, (0, 1)), (3, (2, 0)), (4, (3, 0)), (5, (1, 4)), (7, (6, 2))])
def test_a_wrong_share_in_any_opening_is_noticed(parties: int, link: tuple[int, int]) -> None:
    """Every third of them and every kind: of the program, of the verifications, and the messages that say ready."""
    numbers = openings(*link, parties)
    honest = secure(program, INPUTS, parties, "honest").engines[0]
    assert len({entry.kind for entry in honest.ledger}) == (4 if signs_are_dealt(honest.info) else 5)
    assert len(numbers) == len(honest.raw) + honest._verified
    for number in numbers[::3] + numbers[-1:]:
        with pytest.raises(SuspectFault, match=r"do not fit together|do not agree"):
            secure(program, INPUTS, parties, f"wrong {number}", only(*link, number, add_one))


@pytest.mark.parametrize("security", ["passive", "abort"])
@pytest.mark.parametrize("parties", [3, 5], ids=["m3", "m5"])
def test_a_wrong_product_share_is_noticed_when_the_product_is_opened(parties: int, security: str) -> None:
    """What happens after a further multiplication is in tests/adversary/engine."""
    assert 1 not in openings(0, 1, parties)
    with pytest.raises(InconsistentOpening):
        secure(program, INPUTS, parties, "product", only(0, 1, 1, add_one), security)


def test_the_suspects_of_an_inconsistent_opening_are_all_peers() -> None:
    with pytest.raises(SuspectFault) as caught:
        secure(program, INPUTS, 3, "suspects", only(0, 1, openings(0, 1, 3)[0], add_one))
    assert len(caught.value.suspects) == 2


@pytest.mark.parametrize("number", [1, 2, 5])
def test_values_outside_the_field_are_refused(number: int) -> None:
    with pytest.raises(MachineFault, match="outside the field"):
        secure(program, INPUTS, 3, "outside", only(0, 1, number, too_large))


@pytest.mark.parametrize("number", [1, 2, 5])
def test_messages_of_a_wrong_length_are_refused(number: int) -> None:
    with pytest.raises(MachineFault, match="wrong length"):
        secure(program, INPUTS, 3, "short", only(0, 1, number, one_byte_short))


class Nowhere:
    """A link on which nothing may be sent."""

    def write(self, data: bytes) -> None:
        raise AssertionError("nothing is sent")


WHOLE = HEAD.pack(1, 5) + b"first"


@pytest.mark.parametrize(
    "data", [WHOLE[:7], WHOLE[:-1], HEAD.pack(1, 1 << 31), WHOLE + WHOLE[:5], WHOLE + HEAD.pack(2, 0xFFFFFFFF)],
    ids=["half a head", "half a content", "2 GiB announced", "half a head behind", "4 GiB announced behind"],
)  # fmt: skip
def test_a_frame_that_does_not_hold_whole_messages_is_refused(data: bytes) -> None:
    """The frame comes along with the error: it convicts whoever signed it."""

    async def feed() -> None:
        runtime = SessionRuntime(0, 3, 1, {1: Nowhere(), 2: Nowhere()})
        with pytest.raises(RefusedFrame, match="cut short") as refused:
            runtime.feed(1)(data, b"signed")
        assert refused.value.frame == b"signed"
        with pytest.raises(InvalidEncoding, match="cut short"):
            check_contents(data, (1 << 40) - 1)

    asyncio.run(feed())


@pytest.mark.parametrize("late", [False, True], ids=["before it is read", "after it is read"])
def test_a_second_message_for_one_step_is_refused(late: bool) -> None:
    """MPyC overwrites nothing and stops with an AttributeError, or keeps the message for ever."""

    async def feed() -> None:
        runtime = SessionRuntime(0, 3, 1, {1: Nowhere(), 2: Nowhere()})
        runtime.feed(1)(WHOLE, b"one")
        if late:
            runtime.step()
            assert await runtime.exchange({}, {1: 5}, bytes) == {1: b"first"}
        with pytest.raises(RefusedFrame, match="no program sends") as refused:
            runtime.feed(1)(WHOLE, b"other")
        assert refused.value.frame == b"other"

    asyncio.run(feed())


@pytest.mark.parametrize("early", [False, True], ids=["waited for", "before it is waited for"])
def test_a_message_that_cannot_be_read_brings_its_frame_along(early: bool) -> None:
    async def feed() -> None:
        runtime = SessionRuntime(0, 3, 1, {1: Nowhere(), 2: Nowhere()})

        def refuses(data: bytes) -> bytes:
            raise InvalidEncoding("unreadable")

        for step, length, reason in ((1, 4, "wrong length"), (2, 5, "unreadable")):
            runtime.step()
            frame = HEAD.pack(step, 5) + b"first"
            if not early:
                asyncio.get_running_loop().call_soon(runtime.feed(1), frame, b"signed %d" % step)
            else:
                runtime.parties[1].protocol.buffers[step] = (b"first", b"signed %d" % step)
            with pytest.raises(RefusedFrame, match=reason) as refused:
                await runtime.exchange({}, {1: length}, refuses)
            assert refused.value.frame == b"signed %d" % step

    asyncio.run(feed())


def test_a_node_with_too_few_input_shares_stops() -> None:
    demand = dry(program, 3)

    async def start() -> None:
        runtime = SessionRuntime(0, 3, 1, {})
        engine = SharedEngine(runtime, demand, keys(0, 3, 1, "few"), {"a": [1, 2, 3]}, {})
        with pytest.raises(MachineFault, match="3 shares of 'a' where 4 are needed"):
            await program(engine)

    asyncio.run(start())


def test_a_program_that_uses_more_random_digits_than_it_announced_is_our_bug() -> None:
    """The pool is exactly what the dry run counted: nothing is made up on the way."""

    async def greedy(engine: Engine) -> None:
        await engine.to_cipher("zero", await engine.is_zero(engine.within(engine.zeros(1, 0), -1, 1)))
        if isinstance(engine, SharedEngine):
            await engine.random_digits(1)

    with pytest.raises(AssertionError, match="more random digits"):
        secure(greedy, {}, 3, "greedy")


@pytest.mark.parametrize("parties", [3, 4, 5, 7], ids=["m3", "m4", "m5", "m7"])
@pytest.mark.parametrize(
    ("lo", "hi", "bits"), [(-8, -1, 4), (-8, -1, 10), (-8, 7, 10), (0, 7, 10), (-1, 0, 1), (-8, 7, 2)]
)
def test_truncation_by_more_bits_than_the_operand_has_stays_in_its_interval(
    parties: int, lo: int, hi: int, bits: int
) -> None:
    values = [lo + n % (hi - lo + 1) for n in range(2000)]

    async def shorten(engine: Engine) -> None:
        a = await engine.from_cipher("a", len(values), 0, lo, hi)
        await engine.to_cipher("short", await engine.trunc(a, bits))

    run = secure(shorten, {"a": values}, parties, f"edge {parties} {lo} {hi} {bits}")
    block, ulp = run.demand.outputs[0], info(parties).ulp
    assert block.lo <= min(run.outputs["short"]) <= max(run.outputs["short"]) <= block.hi
    errors = [x - v / 2**bits for x, v in zip(run.outputs["short"], values, strict=True)]
    assert -(ulp // 2) - 1 <= min(errors) <= max(errors) <= ulp - ulp // 2


def test_a_program_whose_field_would_be_too_long_is_refused_before_anything_is_sent() -> None:
    async def growing(engine: Engine) -> None:
        a = await engine.from_cipher("a", 1, 0, 0, 1 << 60)
        for _ in range(3):
            a = await engine.mul(a, a)
        await engine.to_cipher("huge", a)

    with pytest.raises(CallerMistake, match=f"at most {MAX_FIELD_BITS}"):
        _ = dry(growing, 3).prime
