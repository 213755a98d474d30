"""A75: whoever learns one other pair's seed of the winner, beside its own, factors N; so that leaf stays shut."""

from gmpy2 import jacobi, mpz, powmod

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.ring import toy
from tacita.protocols.keygen import seeds
from tacita.protocols.keygen.audit import recompute
from tacita.protocols.keygen.statements import Place, Reveal, decode_reveal, encode_punctured

PARAMETERS = toy(3, 256, 16)


def square_root(a, prime):
    """Tonelli–Shanks."""
    if jacobi(a, prime) != 1:
        return None
    odd, power = prime - 1, 0
    while odd % 2 == 0:
        odd, power = odd // 2, power + 1
    z = next(z for z in range(2, 100) if jacobi(z, prime) == -1)
    c, t, r, m = powmod(z, odd, prime), powmod(a, odd, prime), powmod(a, (odd + 1) // 2, prime), power
    while t != 1:
        i, x = 0, t
        while x != 1:
            x, i = x * x % prime, i + 1
        b = powmod(c, mpz(1) << (m - i - 1), prime)
        m, c, t, r = i, b * b % prime, t * b * b % prime, r * b % prime
    return r


def attack(parameters, openings, masks, own_share):
    """From all openings without their masks: a quadratic through (1, 2, 3) whose roots are those of f_p and f_q."""
    field, values = parameters.field, []
    for i in (1, 2, 3):
        weight = parameters.field_weights[i - 1]
        values.append((openings[i] - masks[i]) * powmod(weight, -1, field) % field)
    half = powmod(2, -1, field)
    c2 = (values[0] - 2 * values[1] + values[2]) * half % field
    c1 = (values[1] - values[0] - 3 * c2) % field
    c0 = (values[0] - c1 - c2) % field
    root = square_root((c1 * c1 - 4 * c2 * c0) % field, field)
    for sign in (1, -1) if root is not None else ():
        zero = (-c1 + sign * root) * powmod(2 * c2, -1, field) % field
        p = -own_share * powmod(3 - zero, -1, field) * zero % field
        if 1 < p < c0 and c0 % p == 0:
            return p
    return None


def test_party_3_factors_every_candidate_whose_masks_it_knows(seed) -> None:
    entropy = SeededEntropy(seed)
    roots = {i: entropy.token(32) for i in PARAMETERS.everyone}
    truth = recompute(PARAMETERS, {i: Reveal.whole(PARAMETERS, i, root) for i, root in roots.items()})
    draws = {i: seeds.draw(PARAMETERS, i, seeds.expand(roots[i], 4)) for i in PARAMETERS.everyone}
    for c in range(PARAMETERS.batch):
        own = sum(
            truth.values[i][2 * c] + PARAMETERS.public_part(i) + 3 * draws[i].product[0][2 * c]
            for i in PARAMETERS.everyone
        )
        openings = {i: truth.openings[i][c] for i in PARAMETERS.everyone}
        known = {i: truth.zeros[i].product[c] for i in PARAMETERS.everyone}
        factor = attack(PARAMETERS, openings, known, own % PARAMETERS.field)
        assert factor is not None
        # Without the seed of parties 1 and 2 their masks are one unknown: the same attack finds nothing.
        shift = entropy.token(40)
        unknown = {**known, 1: known[1] + int.from_bytes(shift, "big"), 2: known[2] - int.from_bytes(shift, "big")}
        assert attack(PARAMETERS, openings, unknown, own % PARAMETERS.field) is None


def test_a_punctured_reveal_holds_no_leaf_of_the_winner(seed) -> None:
    entropy = SeededEntropy(seed)
    place, root = Place(bytes(32), 0, 0), entropy.token(32)
    rows = [{2: bytes(32), 3: bytes(32)}] * 2
    for winner in range(PARAMETERS.batch):
        reveal = decode_reveal(PARAMETERS, 1, encode_punctured(PARAMETERS, 1, place, root, winner, rows), winner)
        whole = Reveal.whole(PARAMETERS, 1, root)
        assert list(reveal.leaves) == [leaf for c, leaf in enumerate(whole.leaves) if c != winner]
        for j in (2, 3):
            assert list(reveal.pairs[j]) == [leaf for c, leaf in enumerate(whole.pairs[j]) if c != winner]
