"""The transcript is injective: different lists of fields never share a digest (attacks A03 and A04)."""

import hashlib
from itertools import combinations

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from tacita.crypto.transcript import Context, Transcript, digest
from tests.crypto.helpers import contexts_that_differ

LABELS = st.sampled_from(["", "a", "ab", "b", "a$b", "challenge", "count", "bits"])
# Few bytes and small numbers, so that two lists often differ by one shuffled boundary only.
VALUES = st.one_of(
    st.binary(max_size=4),
    st.text(alphabet="ab$0\0", max_size=4),
    st.integers(-300, 300),
    st.integers(-(2**70), 2**70),
)
FIELD_LISTS = st.lists(st.tuples(LABELS, VALUES), max_size=5)


def typed(fields: list[tuple[str, object]]) -> tuple[tuple[str, str, object], ...]:
    """1 and True, or b"" and "", must not be taken for the same value by this test."""
    return tuple((label, type(value).__name__, value) for label, value in fields)


@settings(max_examples=550, deadline=None)
@given(st.lists(FIELD_LISTS, min_size=20, max_size=24, unique_by=typed))
def test_a_hundred_thousand_pairs_of_distinct_field_lists_give_distinct_digests(lists):
    digests = [digest("test", *fields) for fields in lists]
    assert all(one != other for one, other in combinations(digests, 2))


def delimited(*items: str) -> bytes:
    """The old rule: items joined with a dollar sign."""
    return hashlib.sha256("$".join(items).encode()).digest()


def test_shuffling_a_delimiter_between_fields_collides_under_the_old_rule_and_not_under_ours():
    assert delimited("a$b", "c") == delimited("a", "b$c")
    ours = digest("t", ("x", "a$b"), ("x", "c")), digest("t", ("x", "a"), ("x", "b$c"))
    assert ours[0] != ours[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("x", b"ab"), ("x", b"c")], [("x", b"a"), ("x", b"bc")]),
        ([("x", b"abc")], [("x", b"ab"), ("x", b"c")]),
        ([("xy", b"z")], [("x", b"yz")]),
        ([("x", 97)], [("x", b"a")]),
        ([("x", b"a")], [("x", "a")]),
        ([("x", 5)], [("x", -5)]),
        ([("x", 0)], [("x", b"")]),
        ([("x", 0)], []),
        ([("x", 1), ("x", 2)], [("x", 2), ("x", 1)]),
        ([("x", 256)], [("x", 1), ("x", 0)]),
    ],
    ids=lambda fields: repr(fields),
)
def test_a_crafted_shuffle_does_not_collide(one, other):
    assert digest("t", *one) != digest("t", *other)


def test_the_state_is_the_hash_chain_that_the_specification_states():
    state = hashlib.sha256(b"tacita/v1/t").digest()
    state = hashlib.sha256(state + b"\0\1x" + b"-" + bytes(7) + b"\2" + b"\1\0").digest()
    expected = hashlib.sha256(state + b"digest").digest()
    assert Transcript("t").absorb("x", -256).digest() == expected


def test_the_protocol_name_separates_transcripts():
    assert Transcript("knowledge").digest() != Transcript("decryption").digest()


def test_every_field_of_the_context_changes_every_challenge(context: Context):
    honest = Transcript("t", context).challenge("e")
    for name, other in contexts_that_differ(context):
        assert Transcript("t", other).challenge("e") != honest, name


def test_fields_of_the_context_do_not_run_into_each_other():
    one = Transcript("t", Context(b"s", "commit", "alice", "bid"))
    other = Transcript("t", Context(b"s", "commita", "lice", "bid"))
    assert one.digest() != other.digest()


def test_a_sequence_absorbs_its_length():
    nested = Transcript("t").absorb_all("x", [1, 2]).absorb_all("x", [3])
    assert nested.digest() != Transcript("t").absorb_all("x", [1]).absorb_all("x", [2, 3]).digest()
    assert Transcript("t").absorb_all("x", []).digest() != Transcript("t").digest()


def test_a_gmpy_integer_hashes_like_the_python_integer():
    assert digest("t", ("x", mpz(-77))) == digest("t", ("x", -77))


def test_a_challenge_depends_on_its_name_count_and_length():
    def first(name: str, count: int, bits: int) -> int:
        return Transcript("t").challenges(name, count, bits)[0] & 0xFFFF

    assert len({first("e", 1, 128), first("f", 1, 128), first("e", 2, 128), first("e", 1, 120)}) == 4


def test_a_later_challenge_depends_on_the_earlier_ones_being_drawn():
    skipped = Transcript("t").challenge("e")
    transcript = Transcript("t")
    transcript.challenge("gamma")
    assert transcript.challenge("e") != skipped


@pytest.mark.parametrize("bits", [1, 7, 8, 126, 128, 129])
def test_challenges_fill_their_bits_and_never_exceed_them(bits):
    drawn = Transcript("t").challenges("e", 400, bits)
    assert len(drawn) == 400
    seen = 0
    for value in drawn:
        assert 0 <= value < 1 << bits
        seen |= value
    assert seen == (1 << bits) - 1


def test_a_digest_can_be_read_twice_and_then_absorbed_on():
    transcript = Transcript("t").absorb("x", 1)
    before = transcript.digest()
    assert transcript.digest() == before
    assert transcript.absorb("x", 2).digest() != before
