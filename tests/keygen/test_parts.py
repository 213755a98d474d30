"""The pure parts of a batch against direct computation, and one known answer."""

from hashlib import sha256

import pytest
from gmpy2 import gcd, is_prime, mpz, next_prime

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.errors import InvalidEncoding
from tacita.deploy.attack.ring import toy
from tacita.protocols.keygen import merkle, seeds, trial
from tacita.protocols.keygen.audit import recompute
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.product import moduli, well_formed
from tacita.protocols.keygen.statements import Announcement, Place, Reveal
from tacita.protocols.keygen.vectors import pack, split_rows, unpack
from tests.keygen.replayer import Sizes, candidate


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_tree_regrows_from_every_puncture_but_for_the_hole(depth, seed) -> None:
    root = SeededEntropy(seed).token(32)
    leaves = seeds.expand(root, depth)
    assert len(set(leaves)) == 1 << depth
    for hole in range(1 << depth):
        assert seeds.regrow(seeds.puncture(root, depth, hole), hole) == leaves[:hole] + leaves[hole + 1 :]


def test_a_commitment_opens_with_one_leaf_hidden_and_with_no_other_leaf(seed) -> None:
    leaves, tag = seeds.expand(SeededEntropy(seed).token(32), 4), b"tag"
    whole = seeds.commitment(tag, leaves, range(16))
    for hole in range(16):
        rest, indices = leaves[:hole] + leaves[hole + 1 :], [c for c in range(16) if c != hole]
        hidden = seeds.hidden_leaf(tag, leaves[hole], hole)
        assert seeds.commitment(tag, rest, indices, hidden, hole) == whole
        assert seeds.commitment(b"other", rest, indices, hidden, hole) != whole
        rest[0], rest[1] = rest[1], rest[0]
        assert seeds.commitment(tag, rest, indices, hidden, hole) != whole


def test_a_merkle_root_separates_leaves_from_nodes() -> None:
    hashes = merkle.leaf_hashes([b"a", b"b"], [0, 1])
    assert merkle.root(hashes) == sha256(b"\1" + hashes[0] + hashes[1]).digest()
    assert merkle.leaf_hashes([b"a"], [0]) != merkle.leaf_hashes([b"a"], [1])


@pytest.mark.parametrize("parties", [3, 4, 5, 7])
def test_candidates_have_the_residues_units_and_lengths_that_the_sieve_promises(parties, seed) -> None:
    p, entropy = toy(parties, 256, 16), SeededEntropy(seed)
    reveals = {i: Reveal.whole(p, i, entropy.token(32)) for i in p.everyone}
    truth = recompute(p, reveals)
    products = moduli(p, list(truth.openings.values()))
    for c in range(p.batch):
        factors = [p.offset + sum(v[2 * c + half] for v in truth.values.values()) for half in (0, 1)]
        for factor in factors:
            assert factor % p.fixed == p.fixed - 1 and factor % 8 == 7
            assert gcd(factor, p.lattice) == 1
            assert factor.bit_length() == p.half
        assert products[c] == factors[0] * factors[1]
        assert well_formed(p, products[c])
    assert sum(sum(z.product) for z in truth.zeros.values()) % p.field == 0


def test_a_known_answer() -> None:
    """Frozen: whoever changes how randomness is read makes old journals unreadable."""
    p = Parameters.standard(1024, 3, 64, allow_test_bits=True)
    reveals = {i: Reveal.whole(p, i, bytes([i]) * 32) for i in p.everyone}
    truth = recompute(p, reveals)
    products = moduli(p, list(truth.openings.values()))
    assert sha256(pack(products, p.modulus_width)).hexdigest() == KNOWN
    sizes = Sizes(p.bits, 3, p.batch, p.fixed, p.sieve)
    for c in (0, 1, 63):
        other = candidate(sizes, {i: bytes([i]) * 32 for i in p.everyone}, c)
        assert other == {i: (v[2 * c], v[2 * c + 1]) for i, v in truth.values.items()}


KNOWN = "9cc81ca99371c73c0ff45b8153586dc2cc60b9a6e91dc24fc28a49db642bba2c"


def test_trial_division_finds_every_small_factor_and_nothing_else(seed) -> None:
    entropy, p = SeededEntropy(seed), Parameters.standard(1024, 3, allow_test_bits=True)
    big = [next_prime(random_below(entropy, 1 << 512)) for _ in range(12)]
    small = [53, 1999, 2003, 65537, 1048573, 2003 * 1048573, 2003 * 2011 * 65537 * 65539 * 1048573]
    numbers = [big[0] * big[1]] + [big[2 + i % 10] * f for i, f in enumerate(small)]
    clean = trial.without_small_factors(p, numbers)
    assert clean == [0, 3, 4, 5, 6, 7]
    found = trial.rejects(p, numbers, clean)
    assert [c for c, _ in found] == clean[1:]
    assert all(numbers[c] % w == 0 and 1 < w < 1 << 64 for c, w in found)
    assert trial.decode(trial.encode(found), numbers, clean) == set(clean[1:])
    divisors = trial.common_divisors([mpz(n) for n in numbers], mpz(53 * 2003))
    assert divisors == [gcd(n, 53 * 2003) for n in numbers]
    assert trial.common_divisors([], mpz(3)) == []
    assert all(is_prime(b) for b in big)


def test_a_reject_needs_a_witness_a_turn_and_an_end(seed) -> None:
    numbers = [mpz(2003) * next_prime(mpz(1) << 512), mpz(next_prime(mpz(1) << 515))]
    for bad in ([(0, 3)], [(1, 2003)], [(0, 2003), (0, 2003)], [(0, 1)], [(0, 0)]):
        with pytest.raises(InvalidEncoding):
            trial.decode(trial.encode(bad), numbers, [0])
    for data in (b"", trial.encode([(0, 2003)]) + b"\0", b"\xff\xff\xff\xff"):
        with pytest.raises(InvalidEncoding):
            trial.decode(data, numbers, [0])


def test_vectors_have_one_encoding() -> None:
    assert unpack(pack([1, 255], 2), 2, 2, 256) == [1, 255]
    for data, count, limit in ((b"\0\1", 2, 9), (b"\0\1\0", 1, 9), (b"\0\x09", 1, 9)):
        with pytest.raises(InvalidEncoding):
            unpack(data, 2, count, limit)
    with pytest.raises(InvalidEncoding):
        split_rows(bytes(35), 2, 1, 9)


def test_an_announcement_comes_back_from_its_bytes() -> None:
    p = toy()
    place = Place(b"s" * 32, 3, 9)
    for party in p.everyone:
        pairs = {j: bytes([j]) * 32 for j in p.everyone if j > party}
        roots = {j: bytes([8 + j]) * 32 for j in p.everyone if j != party}
        said = Announcement(place, b"t" * 32, pairs, roots)
        assert Announcement.decode(p, party, said.encode()) == said
        with pytest.raises(InvalidEncoding):
            Announcement.decode(p, party, said.encode() + b"\0")
