"""Random bits of the engine: bits, unknown and fair however they are made, and a cheater who spoils one is noticed.

A square that is opened with an error gives a "bit" that is none, known up to a secret sign: what a comparison reads
with it depends on secrets. An error in a product of signs lets the cheater's sign decide. A product of signs that is
only checked to be a sign tells the cheater a bit: an error of 2 passes if the honest sign is −1 and aborts otherwise.
"""

from collections.abc import Collection

import pytest

from tacita.deploy.attack.cheaters import NeverVerifies, cheating
from tacita.deploy.attack.engines import HEADER, Make, RecordingEngine, Run, attempt, secure
from tacita.protocols.faults import MachineFault, SuspectFault
from tacita.protocols.mpc.demand import signs_by_products
from tacita.protocols.mpc.engine import Engine, IntArray
from tacita.protocols.mpc.sharing import pseudorandom

COUNT = 40


async def program(engine: Engine) -> None:
    """One comparison of many values: all random bits are made in one block."""
    a = await engine.from_cipher("a", COUNT, 0, -(1 << 20), 1 << 20)
    await engine.to_cipher("negative", await engine.negative(a))


INPUTS = {"a": [(-1) ** i * (i + 1) for i in range(COUNT)]}


def keeping(base: type[RecordingEngine]) -> type[RecordingEngine]:
    """An engine that also keeps its shares of the random bits, for the test to open."""

    class Keeping(base):  # type: ignore[misc, valid-type]
        async def _make_bits(self, count: int) -> IntArray:
            self.shares_of_bits = await super()._make_bits(count)
            return self.shares_of_bits

    return Keeping


Honest = keeping(RecordingEngine)


class SquaresUnchecked(Honest):  # type: ignore[misc, valid-type]
    """The old rule for signs from squares, without its check of the bits."""

    async def _check_bits(self, bits: IntArray) -> None:
        await self.verify()


def bits_of(run: Run, row: int = 0) -> list[int]:
    """The random bits (row 0) or their tags (row 1), from the shares of t + 1 nodes."""
    engines, shares = run.engines, run.engines[0].shares
    rows = [e.shares_of_bits[row] for e in engines[: shares.t + 1]]  # type: ignore[attr-defined]
    return [int(v) for v in sum(c * r for c, r in zip(shares._recombine, rows, strict=True)) % shares.prime]


@pytest.mark.parametrize("security", ["passive", "abort"])
@pytest.mark.parametrize("parties", [3, 4, 5, 7])
def test_random_bits_are_bits_and_fair(parties: int, security: str) -> None:
    run = attempt(program, INPUTS, parties, f"fair {parties}", security=security, nodes=Honest)
    assert run.first is None
    bits = bits_of(run)
    assert len(bits) == run.demand.random_bits >= 800
    assert set(bits) == {0, 1}
    assert abs(sum(bits) - len(bits) / 2) < 5 * len(bits) ** 0.5 / 2


@pytest.mark.parametrize("parties", [3, 4])
def test_every_replicated_key_decides_every_sign(parties: int) -> None:
    """No t nodes know a bit: with one key's signs turned over, all bits turn over."""

    class Turned(Honest):  # type: ignore[misc, valid-type]
        turned = -1

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            signs = self.shares.signs

            def turn(count: int) -> list[tuple[IntArray, list[int]]]:
                made = enumerate(signs(count))
                return [(-s % self.prime if k == self.turned else s, out) for k, (s, out) in made]

            self.shares.signs = turn  # type: ignore[method-assign]

    plain = bits_of(attempt(program, INPUTS, parties, "keys", nodes=Turned))
    for key in range(parties):
        Turned.turned = key
        assert bits_of(attempt(program, INPUTS, parties, "keys", nodes=Turned)) == [1 - b for b in plain]


def test_only_the_holders_of_a_key_deal_when_its_sign_is_multiplied() -> None:
    """Of three nodes two, each time: the value and the tag of two products."""
    run = secure(program, INPUTS, 3, "deal")
    size = HEADER + 2 * run.demand.random_bits * run.engines[0].shares.width
    assert sorted(link for *link, length in run.traffic if length == size) == [[0, 1], [1, 2], [2, 0], [2, 0]]


def dealing_anyway(peer: int) -> Make:
    """A node that also sends a peer random field elements where its share of a sign is 0 and nobody takes any."""

    class Dealing(RecordingEngine):
        sent = 0

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            shares, reshare, exchange = self.shares, self.shares.reshare, self.shares._runtime.exchange
            self.outside = 0

            async def outside(products: IntArray, zero_at: Collection[int] = ()) -> IntArray:
                self.outside = len(products) if shares.me in zero_at else 0
                return await reshare(products, zero_at)

            async def exchanges(outgoing: dict[int, bytes], incoming: dict[int, int]) -> dict[int, bytes]:
                if self.outside and peer not in outgoing:
                    junk = pseudorandom(bytes(32), 100, self.outside)
                    outgoing, self.sent = {**outgoing, peer: shares.encode(junk)}, self.sent + 1
                self.outside = 0
                return await exchange(outgoing, incoming)

            shares.reshare, shares._runtime.exchange = outside, exchanges  # type: ignore[method-assign]

    return Dealing


@pytest.mark.parametrize("dealer", range(3))
def test_a_node_that_deals_although_it_has_nothing_to_deal_ends_the_session(dealer: int) -> None:
    """Its peer waits for no such message, uses none of it, and names the sender."""
    for peer in {0, 1, 2} - {dealer}:
        run = attempt(program, INPUTS, 3, "anyway", nodes={dealer: dealing_anyway(peer)})
        assert run.engines[dealer].sent == 1  # type: ignore[attr-defined]
        assert run.first == peer and isinstance(run.ends[peer], MachineFault), run.ends
        assert str(run.ends[peer]).startswith(f"node {dealer + 1} sent")
        assert not any(engine.values for engine in run.engines)


def spoiling(number: int, base: type[RecordingEngine], error: int) -> Make:
    """A node that adds an error to one element of the resharing of that number, and keeps its bits."""
    return cheating(lambda _engine, n, _length: {3: error} if n == number else {}, base)


def by_products(parties: int) -> bool:
    return signs_by_products(secure(program, INPUTS, parties, "count").demand.info)


def first_of_bits(parties: int) -> int:
    """The number of the resharing that makes squares, or the first product of signs with its tag."""
    run = secure(program, INPUTS, parties, "count")
    rows = 2 if by_products(parties) else 1
    return run.engines[0].reshared.index(rows * run.demand.random_bits) + 1


@pytest.mark.parametrize("parties", [3, 4, 5, 7])
@pytest.mark.parametrize("error", [1, 2, -2, 1 << 90])
def test_a_spoilt_bit_ends_the_session_before_it_is_used(parties: int, error: int) -> None:
    number = first_of_bits(parties)
    run = attempt(program, INPUTS, parties, "spoilt", nodes={0: spoiling(number, Honest, error)} | honest(parties))
    assert run.first is not None
    assert isinstance(run.ends[run.first], SuspectFault)
    kinds = {entry.kind for engine in run.engines for entry, _ in engine.values}
    assert not kinds & {"comparison", "blinded product"}


@pytest.mark.parametrize("parties", [3, 5])
def test_control_without_the_check_the_bit_is_none_and_the_comparison_goes_on(parties: int) -> None:
    number = first_of_bits(parties)
    careless = keeping(NeverVerifies) if by_products(parties) else SquaresUnchecked
    nodes = dict.fromkeys(range(1, parties), careless) | {0: spoiling(number, careless, 1)}
    run = attempt(program, INPUTS, parties, "control", nodes=nodes)
    assert run.first is None, run.ends[run.first or 0]
    wrong = [i for i, bit in enumerate(bits_of(run)) if bit not in (0, 1)]
    assert wrong == [3]


@pytest.mark.parametrize("parties", [5, 7])
def test_an_error_that_cancels_the_check_is_caught_by_its_tag(parties: int) -> None:
    """The cheater knows α when Σ α·b² is dealt, and so by how much an error of its own moves the sum."""

    class Canceller(Honest):  # type: ignore[misc, valid-type]
        """Adds to the checked sum and not, as it cannot, r times as much to its tag."""

        async def _check_bits(self, bits: IntArray) -> None:
            self.cancel = True
            await super()._check_bits(bits)

        cancel = False

        def before_reshare(self, products: IntArray) -> IntArray:
            products = products.copy()
            if self.cancel and len(products) == 2:
                products[0] += 1
            return products

    run = attempt(program, INPUTS, parties, "cancel", nodes={0: Canceller} | honest(parties))
    assert run.first is not None
    assert isinstance(run.ends[run.first], SuspectFault)
    assert not any(entry.kind == "bit check" for engine in run.engines for entry, _ in engine.values)


def honest(parties: int) -> dict[int, Make]:
    """All nodes but the first."""
    return dict.fromkeys(range(1, parties), Honest)
