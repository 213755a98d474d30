"""Tables that are shared by the threads of one process stay right while several threads extend them.

A worker pool checks proofs: a table that two threads extended at once would refuse every honest proof afterwards.
"""

import threading
from collections.abc import Callable, Iterator
from sys import getswitchinterval, setswitchinterval

import pytest

from tacita.crypto.commitment import RSA_2048, CommitmentGroup, hash_to_unit
from tacita.crypto.integers import FixedBase

THREADS = 4


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    usual = getswitchinterval()
    setswitchinterval(1e-6)
    yield
    setswitchinterval(usual)


def at_once(action: Callable[[], object]) -> None:
    """Run the action in several threads that start together."""
    barrier = threading.Barrier(THREADS)

    def wait_and_act() -> None:
        barrier.wait()
        action()

    threads = [threading.Thread(target=wait_and_act) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_fixed_base_table_survives_threads_that_extend_it_together():
    exponent = (1 << 700) - 1
    for base in (3, 5, 7):
        table = FixedBase(base, RSA_2048)
        at_once(lambda table=table: table.power(exponent))
        assert table.power(exponent) == pow(base, exponent, RSA_2048)


def test_the_generators_survive_threads_that_ask_for_them_together():
    expected = [hash_to_unit(RSA_2048, "g", i) for i in range(40)]
    for _ in range(8):
        group = CommitmentGroup(RSA_2048)
        at_once(lambda group=group: group.generators(40))
        assert group.generators(40) == expected
