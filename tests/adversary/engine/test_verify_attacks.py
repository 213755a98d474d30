"""A71, A72 and one more: what an active node gets from a verification that lacks one step, and not from ours.

Each attack runs with the same cheater against the flawed form, where it must succeed, and against SharedEngine.
"""

import numpy as np
import pytest

from tacita.crypto.integers import inverse
from tacita.deploy.attack.cheaters import (
    HidesTagError,
    MultipliesAfterCoin,
    NotReady,
    OpensDifference,
    cheating,
    once,
    withholding,
)
from tacita.deploy.attack.engines import WAITING, Make, RecordingEngine, Run, attempt
from tacita.deploy.attack.verification import (
    PRODUCTS,
    WRONG_TAG,
    by_secret_bit,
    product,
    two_products,
)
from tacita.protocols.faults import SuspectFault

TRIALS = 100


def end_and_verifications(bit: int, n: int, nodes: Make | dict[int, Make]) -> tuple[str, int]:
    """What an honest node ends with, and in which verification."""
    run = attempt(by_secret_bit, {"x": [3], "y": [bit]}, 3, f"secret bit {n}", nodes=nodes)
    assert type(run.ends[0]) is type(run.ends[1])
    return type(run.ends[0]).__name__, run.engines[0]._verified


@pytest.mark.parametrize("bit", [0, 1])
def test_control_a_product_after_the_coin_lets_aborts_tell_a_secret_bit(bit: int) -> None:
    nodes: dict[int, Make] = {0: MultipliesAfterCoin, 1: MultipliesAfterCoin, 2: HidesTagError}
    wanted = ("NoneType", 2) if bit else ("SuspectFault", 2)
    for n in range(TRIALS):
        assert end_and_verifications(bit, n, nodes) == wanted, f"trial {n}"


@pytest.mark.parametrize("bit", [0, 1])
def test_a_wrong_tag_is_caught_at_the_first_verification_whatever_the_bit(bit: int) -> None:
    nodes = {2: cheating(once(1, 0, WRONG_TAG))}
    for n in range(TRIALS):
        assert end_and_verifications(bit, n, nodes) == ("SuspectFault", 1), f"trial {n}"


# ---- withheld until the coin is known -----------------------------------------------------------------------------


def withhold(n: int, honest: type[RecordingEngine]) -> tuple[Run, list[int]]:
    nodes: dict[int, Make] = {0: honest, 1: honest, 2: withholding(PRODUCTS, honest)}
    right = attempt(two_products, {"x": [2, 5]}, 3, f"withhold {n}").engines[0].opened["xx"]
    return attempt(two_products, {"x": [2, 5]}, 3, f"withhold {n}", nodes=nodes), right


def test_control_without_the_ready_round_two_chosen_errors_cancel() -> None:
    """The cheater knows the coin before it sends its sub-share, and both honest nodes accept two wrong products."""
    for n in range(TRIALS):
        run, right = withhold(n, NotReady)
        assert run.engines[2].knew_early  # type: ignore[attr-defined]
        assert run.ends == [None] * 3, f"trial {n}: {run.ends}"
        assert all(x != y for x, y in zip(run.engines[0].opened["xx"], right, strict=True))


def test_with_the_ready_round_who_withholds_a_share_never_learns_the_coin() -> None:
    for n in range(TRIALS):
        run, _ = withhold(n, RecordingEngine)
        assert run.ends == [WAITING] * 3, f"trial {n}: {run.ends}"
        assert not run.engines[0].opened and not run.engines[1].opened
        # One coin, two sums and one difference: only those of the first verification were opened.
        assert all(len(engine.raw) == 3 for engine in run.engines)


# ---- what a difference that is opened says ------------------------------------------------------------------------


def factor(prime: int, difference: int, alpha_x: int, alpha_xy: int) -> int:
    """From T = WRONG_TAG·(α_x + α_xy·y), what a wrong tag of x does to the sum: y."""
    return (difference * int(inverse(WRONG_TAG, prime)) - alpha_x) * int(inverse(alpha_xy, prime)) % prime


def test_control_a_difference_opened_as_it_is_shows_a_secret_factor() -> None:
    """A wrong tag of x becomes y times as wrong in x·y: the abort hands y to the cheater, all 40 bits of it."""
    for n in range(TRIALS):
        y = 12345678901 * (n + 1) % (1 << 40)
        nodes: dict[int, Make] = {0: OpensDifference, 1: OpensDifference}
        nodes[2] = cheating(once(1, 0, WRONG_TAG), OpensDifference)
        run = attempt(product, {"x": [3], "y": [y]}, 3, f"difference {n}", nodes=nodes)
        assert all(isinstance(end, SuspectFault) for end in run.ends)
        cheater = run.engines[2]
        alpha = cheater.alpha  # type: ignore[attr-defined]
        shown = factor(int(cheater.prime), cheater.difference, int(alpha[0]), int(alpha[2]))  # type: ignore[attr-defined]
        assert shown == y, f"trial {n}"


def test_a_difference_behind_a_secret_factor_is_uniform() -> None:
    """The same cheater sees ρ·T: within five standard deviations uniform for one y, over seeds."""
    lows = np.zeros(8)
    for n in range(2 * TRIALS):
        run = attempt(product, {"x": [3], "y": [7]}, 3, f"hidden {n}", nodes={2: cheating(once(1, 0, WRONG_TAG))})
        assert all(isinstance(end, SuspectFault) for end in run.ends)
        prime, difference = int(run.engines[2].prime), run.engines[2].raw[-1][0]
        assert difference, "a check that fails opens something else than 0"
        lows[difference * 8 // prime] += 1
    deviation = 5 * (2 * TRIALS * 7 / 64) ** 0.5
    assert np.all(abs(lows - 2 * TRIALS / 8) < deviation), f"{lows}"
