"""A70: a reversed range [5, 4] has members: (x − lo)(hi − x) is zero at both ends.

Old rule: the relation is built from any pair of ends. Ours: lo ≤ hi, on proofs and on the bounds of ciphertexts.
"""

import pytest

from tacita.crypto.errors import RangeViolation
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.range import Relations, constant, link


def old_in_range(relations, x, lo, hi):
    """Control: the same relation without the check of the ends."""
    relations.nonnegative(x.plus(constant(-lo)).times(constant(hi).plus(x, -1)), 1 << 20)


@pytest.mark.parametrize(("lo", "hi", "value"), [(5, 4, 5), (5, 4, 4)])
def test_an_end_of_a_reversed_range_is_proven_inside_under_the_old_rule(parameters, context, entropy, lo, hi, value):
    relations = Relations()
    x = relations.integer(100)
    old_in_range(relations, x, lo, hi)
    ciphertext, randomness = parameters.key.encrypt(value, entropy)
    statement = relations.statement([link(ciphertext, x, parameters.key.randomness_bits)])
    witness = relations.witness({0: value}, [randomness], (), entropy)
    proof = quadratic.prove(parameters, context, statement, witness, entropy)
    quadratic.verify(parameters, context, statement, proof)
    assert not lo <= value <= hi


@pytest.mark.parametrize(("lo", "hi"), [(5, 4), (10, 0), (1, -1), (2**64, 2**64 - 1)])
def test_a_reversed_range_is_refused_before_there_is_a_statement(key, entropy, lo, hi):
    relations = Relations()
    with pytest.raises(RangeViolation, match="reversed"):
        relations.in_range(relations.integer(2**65), lo, hi)
    with pytest.raises(RangeViolation, match="reversed"):
        key.receive(key.encrypt(5, entropy)[0], lo, hi)
