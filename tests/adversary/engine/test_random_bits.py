"""Random bits of the engine: bits, unknown and fair however they are made, and a cheater who spoils one is noticed.

A square that is opened with an error gives a "bit" that is none, known up to a secret sign: what a comparison reads
with it depends on secrets. With three or four nodes the first node deals signs, and the others multiply them by signs
of their own: the dealer could deal something else, the others could add an error. A product that is only checked to
be a sign tells the cheater a bit: an error passes if the sign was 1 and ends the session otherwise.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

from tacita.deploy.attack.cheaters import cheating, once
from tacita.deploy.attack.engines import HEADER, Make, RecordingEngine, Run, attempt, secure
from tacita.deploy.attack.programs import READY, dropped
from tacita.deploy.attack.verification import HALVES, OPERANDS, compare, lowest_bit
from tacita.protocols.faults import MachineFault, SuspectFault
from tacita.protocols.mpc.demand import COMPARISON, signs_are_dealt
from tacita.protocols.mpc.engine import Engine, IntArray
from tacita.protocols.mpc.sharing import pseudorandom

COUNT = 40
LIAR = 2


async def program(engine: Engine) -> None:
    """One comparison of many values: all random digits are made in one block."""
    a = await engine.from_cipher("a", COUNT, 0, -(1 << 20), 1 << 20)
    await engine.to_cipher("negative", await engine.negative(a))


INPUTS = {"a": [(-1) ** i * (i + 1) for i in range(COUNT)]}


def keeping(base: type[RecordingEngine]) -> type[RecordingEngine]:
    """An engine that also keeps its shares of the random digits, for the test to open."""

    class Keeping(base):  # type: ignore[misc, valid-type]
        async def _make_digits(self, count: int) -> IntArray:
            self.shares_of_digits = await super()._make_digits(count)
            return self.shares_of_digits

    return Keeping


Honest = keeping(RecordingEngine)


class Unchecked(Honest):  # type: ignore[misc, valid-type]
    """An engine that does not look at its random bits."""

    async def _check_halves(self, halves: IntArray, first: IntArray, rest: IntArray) -> None:
        await self.verify()


class SignsOnly(Honest):  # type: ignore[misc, valid-type]
    """The old rule for products of signs: they are checked to be signs."""

    async def _check_halves(self, halves: IntArray, first: IntArray, rest: IntArray) -> None:
        await super()._check_halves(halves, 0 * first, 0 * rest)


class OtherCoin(Honest):  # type: ignore[misc, valid-type]
    """An engine that checks its random bits with other coefficients than it drew."""

    def change(self, drawn: IntArray) -> None:
        """γ stands first, then every α."""

    async def _check_halves(self, halves: IntArray, first: IntArray, rest: IntArray) -> None:
        draw = self._coin

        async def coin(ready: bytes, count: int) -> IntArray:
            drawn = await draw(ready, count)
            if count == halves.shape[1] + 1:
                self.change(drawn)
            return drawn

        self._coin = coin  # type: ignore[method-assign]
        await super()._check_halves(halves, first, rest)
        self._coin = draw  # type: ignore[method-assign]


class ProductsOnly(OtherCoin):
    """Checks that each is the product that it should be, not that it is a sign."""

    def change(self, drawn: IntArray) -> None:
        drawn[0] = 0  # γ


class OneCoefficient(OtherCoin):
    """Checks the plain sum over a block, times one coefficient that nobody knew."""

    def change(self, drawn: IntArray) -> None:
        drawn[1:] = drawn[1]  # α


def digits_of(run: Run, row: int = 0) -> IntArray:
    """x, y and x·y of the random digits (row 0) or their tags (row 1), from the shares of t + 1 nodes."""
    engines, shares = run.engines, run.engines[0].shares
    rows = [e.shares_of_digits[row] for e in engines[: shares.t + 1]]  # type: ignore[attr-defined]
    return np.array(sum(c * r for c, r in zip(shares._recombine, rows, strict=True)) % shares.prime)


def bits_of(run: Run) -> list[int]:
    """The random bits."""
    return [int(bit) for bit in digits_of(run)[:2].reshape(-1)]


@pytest.mark.parametrize("security", ["passive", "abort"])
@pytest.mark.parametrize("parties", [3, 4, 5, 7])
def test_random_bits_are_bits_and_fair(parties: int, security: str) -> None:
    run = attempt(program, INPUTS, parties, f"fair {parties}", security=security, nodes=Honest)
    assert run.first is None
    x, y, both = digits_of(run)
    bits = bits_of(run)
    assert len(bits) == 2 * run.demand.random_digits >= 800
    assert set(bits) == {0, 1}
    assert np.all(both == x * y)
    assert abs(sum(bits) - len(bits) / 2) < 5 * len(bits) ** 0.5 / 2


@pytest.mark.parametrize("parties", [3, 4])
def test_every_replicated_key_decides_every_sign(parties: int) -> None:
    """No node knows a bit: with one key's signs turned over, all bits turn over."""

    class Turned(Honest):  # type: ignore[misc, valid-type]
        turned: tuple[int, ...] | None = None

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            signs, keys = self.shares._signs, self.shares._keys.replicated

            def turn(key: bytes, label: str, count: int) -> IntArray:
                return signs(key, label, count) ^ (key == keys.get(self.turned))  # type: ignore[arg-type]

            self.shares._signs = turn  # type: ignore[method-assign]

    plain = bits_of(attempt(program, INPUTS, parties, "keys", nodes=Turned))
    for key in secure(program, INPUTS, parties, "keys").engines[0].shares._keys.replicated:
        Turned.turned = key
        assert bits_of(attempt(program, INPUTS, parties, "keys", nodes=Turned)) == [1 - b for b in plain]
    Turned.turned = tuple(range(1, parties))  # the key that the first node lacks
    assert bits_of(attempt(program, INPUTS, parties, "keys", nodes=Turned)) == [1 - b for b in plain]


def test_one_node_deals_signs_and_two_others_multiply_them() -> None:
    """The dealer sends to one peer and shares a key with the other; then nodes 2 and 3 deal, then all."""
    run = secure(program, INPUTS, 3, "deal")
    size = HEADER + 2 * run.demand.random_digits * run.engines[0].shares.width
    rows = sorted((i, j) for i, j, length in run.traffic if length == size)
    dealt, products, everybody = [(0, 1)], [(1, 2), (2, 0)], [(0, 1), (1, 2), (2, 0)]
    assert rows == sorted(dealt + products + 2 * everybody)  # tags, and digits' products with tags of their own


def dealing_anyway(peer: int) -> Make:
    """A node that also sends a peer random field elements where it has nothing to deal and nobody takes any."""

    class Dealing(RecordingEngine):
        sent = 0

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            shares, reshare, exchange = self.shares, self.shares.reshare, self.shares._runtime.exchange
            self.outside = 0

            async def outside(products: IntArray, zero_at: Collection[int] = ()) -> IntArray:
                self.outside = len(products) if shares.me in zero_at else 0
                return await reshare(products, zero_at)

            async def exchanges(outgoing: dict[int, bytes], incoming: dict[int, int], read: Any) -> dict[int, Any]:
                if self.outside and peer not in outgoing:
                    junk = pseudorandom(bytes(32), 100, self.outside)
                    outgoing, self.sent = {**outgoing, peer: shares.encode(junk)}, self.sent + 1
                self.outside = 0
                return await exchange(outgoing, incoming, read)

            shares.reshare, shares._runtime.exchange = outside, exchanges  # type: ignore[method-assign]

    return Dealing


@pytest.mark.parametrize("dealer", range(3))
def test_what_a_node_deals_although_it_has_nothing_to_deal_is_not_used(dealer: int) -> None:
    """Its peer waits for no such message: it names the sender, or has not come so far and goes on without it."""
    honest = secure(program, INPUTS, 3, "anyway").outputs
    for peer in {0, 1, 2} - {dealer}:
        run = attempt(program, INPUTS, 3, "anyway", nodes={dealer: dealing_anyway(peer)})
        assert run.engines[dealer].sent == 1  # type: ignore[attr-defined]
        if run.first is None:
            assert run.outputs == honest
        else:
            assert run.first == peer and isinstance(run.ends[peer], MachineFault), run.ends
            assert str(run.ends[peer]).startswith(f"node {dealer + 1} sent")
            assert not any(engine.values for engine in run.engines)


def by_dealing(parties: int) -> bool:
    return signs_are_dealt(secure(program, INPUTS, parties, "count").demand.info)


def first_of_bits(parties: int) -> int:
    """The number of the resharing, as the cheater counts, that makes squares or products of signs."""
    run = secure(program, INPUTS, parties, "count")
    return run.engines[LIAR].reshared.index(2 * run.demand.random_digits) + 1


def spoilt(parties: int, error: int, honest: type[RecordingEngine]) -> Run:
    """The third node adds an error to one square, or to one product of signs."""
    nodes: dict[int, Make] = dict.fromkeys(range(parties), honest)
    nodes[LIAR] = cheating(once(first_of_bits(parties), 3, error), honest)
    return attempt(program, INPUTS, parties, "spoilt", nodes=nodes)


def ended_before_use(run: Run) -> bool:
    assert run.first is not None
    kinds = {entry.kind for engine in run.engines for entry, _ in engine.values}
    return isinstance(run.ends[run.first], SuspectFault) and COMPARISON not in kinds


@pytest.mark.parametrize("parties", [3, 4, 5, 7])
@pytest.mark.parametrize("error", [1, -1, 2, -2, 1 << 90])
def test_a_spoilt_bit_ends_the_session_before_it_is_used(parties: int, error: int) -> None:
    assert ended_before_use(spoilt(parties, error, Honest))


@pytest.mark.parametrize("parties", [3, 4, 5])
def test_control_without_the_check_the_bit_is_none_and_the_comparison_goes_on(parties: int) -> None:
    run = spoilt(parties, 2, Unchecked)
    assert run.first is None, run.ends[run.first or 0]
    assert [i for i, bit in enumerate(bits_of(run)) if bit not in (0, 1)] == [3]


class ProductsUnchecked(Honest):  # type: ignore[misc, valid-type]
    """An engine that does not look at the tags of digits' products."""

    async def _check_halves(self, halves: IntArray, first: IntArray, rest: IntArray) -> None:
        self._log.pop()
        await super()._check_halves(halves, first, rest)


@pytest.mark.parametrize("parties", [3, 4, 5, 7])
def test_a_wrong_product_of_a_digits_bits_ends_the_session_before_it_is_used(parties: int) -> None:
    """Control: nothing else shows it, and a digit that is none of 0 to 3 decides a sign."""

    def with_error(honest: type[RecordingEngine]) -> Run:
        nodes: dict[int, Make] = dict.fromkeys(range(parties), honest)
        nodes[LIAR] = cheating(once(HALVES + 2, 3, 1), honest)  # after that of the halves' tags
        return attempt(program, INPUTS, parties, "product of bits", nodes=nodes)

    assert ended_before_use(with_error(Honest))
    control = with_error(ProductsUnchecked)
    assert control.first is None, control.ends
    x, y, both = digits_of(control)
    assert list(np.flatnonzero(both != x * y)) == [3]


def dealing(factor: int, base: type[RecordingEngine]) -> Make:
    """A first node that deals a multiple of its fourth half."""

    class Dealer(base):  # type: ignore[misc, valid-type]
        def before_reshare(self, products: IntArray) -> IntArray:
            if len(self.reshared) == HALVES:  # in its own count the dealing comes before the product
                products = products.copy()
                products[3] = products[3] * factor
            return products

    return Dealer


@pytest.mark.parametrize("parties", [3, 4])
def test_a_dealer_of_something_else_than_signs_is_noticed(parties: int) -> None:
    for factor in (0, 2, 3, 1 << 70):
        nodes: dict[int, Make] = dict.fromkeys(range(1, parties), Honest) | {0: dealing(factor, Honest)}
        assert ended_before_use(attempt(program, INPUTS, parties, "dealer", nodes=nodes)), factor
    # Control: whoever only checks that h is the product of a and b takes three halves.
    nodes = dict.fromkeys(range(1, parties), ProductsOnly) | {0: dealing(3, ProductsOnly)}
    run = attempt(program, INPUTS, parties, "dealer", nodes=nodes)
    assert run.first is None, run.ends
    assert [i for i, bit in enumerate(bits_of(run)) if bit not in (0, 1)] == [3]


def test_a_dealer_who_turns_a_sign_gains_nothing() -> None:
    """Its sign is its own; the bit still hangs on one that it does not know."""
    bits = {
        bits_of(attempt(program, INPUTS, 3, f"own {n}", nodes={0: dealing(-1, Honest), 1: Honest, 2: Honest}))[3]
        for n in range(20)
    }
    assert bits == {0, 1}


@pytest.mark.parametrize("parties", [3, 4])
def test_control_a_product_that_is_only_checked_to_be_a_sign_tells_a_bit_to_whoever_adds_an_error(parties: int) -> None:
    """−1 on top of a half: it passes if the half was 1/2, about every other time, and then the bit is known to be 0.

    With our check every such session ends, at the same place whatever the half was.
    """
    passed, shapes = 0, set()
    for n in range(30):
        a = [int(x) for x in np.random.default_rng(n).integers(-8, 8, OPERANDS)]
        for honest in (SignsOnly, Honest):
            nodes: dict[int, Make] = dict.fromkeys(range(parties), honest)
            nodes[LIAR] = cheating(once(HALVES, 0, -1), honest)
            run = attempt(compare, {"a": a}, parties, f"turned {n}", nodes=nodes)
            if honest is Honest:
                assert ended_before_use(run)
                shapes.add(run.shape())
            elif run.first is None:
                assert lowest_bit(run) == a[0] % 2, "the cheater reads the parity of the first operand"
                passed += 1
    assert 5 < passed < 25
    assert len(shapes) == 1


@pytest.mark.parametrize("parties", [3, 5])
def test_an_error_that_cancels_the_check_is_caught_by_its_tag(parties: int) -> None:
    """The cheater knows the coin when the checked sum is dealt, and so by how much an error of its own moves it."""

    class Canceller(Honest):  # type: ignore[misc, valid-type]
        """Adds to the checked sum and not, as it cannot, r times as much to its tag."""

        cancel = False

        async def _check_halves(self, halves: IntArray, first: IntArray, rest: IntArray) -> None:
            self.cancel = True
            await super()._check_halves(halves, first, rest)

        def before_reshare(self, products: IntArray) -> IntArray:
            if self.cancel and len(products) == 2:
                products = products.copy()
                products[0] += 1
            return products

    nodes: dict[int, Make] = dict.fromkeys(range(1, parties), Honest) | {0: Canceller}
    run = attempt(program, INPUTS, parties, "cancel", nodes=nodes)
    assert ended_before_use(run)
    assert not any(entry.kind == "sign check" for engine in run.engines for entry, _ in engine.values)


def turning_two(base: type[RecordingEngine]) -> Make:
    """A third node that turns the first two halves over if they are −b/2 and b/2, for the signs b that it knows.

    Errors of b on the first and −b on the second cancel in a plain sum of h·b − a, and in one of h² − 1/4 if a is −1/2
    and 1/2.
    """

    class Turning(base):  # type: ignore[misc, valid-type]
        async def _dealt_halves(self, count: int) -> tuple[IntArray, IntArray, IntArray]:
            deal, shares = self.shares.deal_halves, self.shares

            async def remembers(count: int) -> tuple[IntArray, IntArray]:
                first, rest = await deal(count)
                (weight,) = (w for s, w in shares._weights.items() if 0 not in s)
                self.signs = [1 if share == weight % shares.prime else -1 for share in rest[:2]]
                return first, rest

            shares.deal_halves = remembers  # type: ignore[method-assign]
            return tuple(await super()._dealt_halves(count))  # type: ignore[return-value]

    def errors(engine: RecordingEngine, number: int, length: int) -> dict[int, int]:
        return {0: engine.signs[0], 1: -engine.signs[1]} if number == HALVES else {}  # type: ignore[attr-defined]

    return cheating(errors, Turning)


@pytest.mark.parametrize("parties", [3, 4])
def test_control_with_one_coefficient_for_all_halves_two_errors_cancel_and_tell_two_bits(parties: int) -> None:
    """About every fourth time, and then both are known; with a coefficient for each every session ends alike."""
    passed, shapes = 0, set()
    for n in range(16):
        for honest in (OneCoefficient, Honest):
            nodes: dict[int, Make] = dict.fromkeys(range(parties), honest)
            nodes[LIAR] = turning_two(honest)
            run = attempt(compare, {"a": [0] * OPERANDS}, parties, f"two {n}", nodes=nodes)
            if honest is Honest:
                assert ended_before_use(run)
                shapes.add(run.shape())
            elif run.first is None:
                first, second = run.engines[LIAR].signs  # type: ignore[attr-defined]
                assert bits_of(run)[:2] == [(1 + first) // 2, (1 - second) // 2]
                passed += 1
    assert 0 < passed < 12
    assert len(shapes) == 1


@pytest.mark.parametrize("parties", [3, 4, 5])
def test_nobody_opens_the_coin_of_the_check_while_a_message_about_the_digits_is_missing(parties: int) -> None:
    """The last message that a node sends to another one before it says that it is ready itself, if there is one."""
    honest = secure(program, INPUTS, parties, "coin")
    coin, links = HEADER + honest.engines[0].shares.width, {(i, j) for i, j, _ in honest.traffic}
    for link in sorted(links):
        lengths = [length for i, j, length in honest.traffic if (i, j) == link]
        assert lengths.index(HEADER + READY) < lengths.index(coin)
        last = lengths.index(HEADER + READY)
        run = attempt(program, INPUTS, parties, "coin", dropped(*link, last))
        assert (coin in {length for _, _, length in run.traffic}) == (last == 0), f"message {last} of {link}"
