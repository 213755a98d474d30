"""A cheating IntQuad prover: fractional witnesses, borrowed roots, and grinding of the challenge.

It follows the honest prover except that it (1) commits to num/den by way of roots of the generators, (2) repeats the
announcement A, shifted by h_s, until the challenge suits it, and (3) never checks its witness.
"""

import copy
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isqrt, lcm

from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import InvalidCiphertext, InvalidProof
from tacita.crypto.integers import Integer, multi_power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import quadratic
from tacita.crypto.transcript import Context

Grind = Callable[[int, quadratic._Coefficients], bool]


class SharedModulus(PublicParameters):
    """Old rule: parameters whose commitments live modulo N itself."""

    def __post_init__(self) -> None:
        """Control only: leaves out the check that N_c is coprime to N."""


def always(e: int, coefficients: quadratic._Coefficients) -> bool:
    """No grinding."""
    return True


def forge(
    parameters: PublicParameters,
    context: Context,
    statement: quadratic.Statement,
    values: Sequence[Fraction | int],
    roots: Sequence[Integer],
    randomness: Sequence[Integer],
    entropy: Entropy,
    *,
    openings: Sequence[Integer] = (),
    wanted: Grind = always,
    tries: int = 20_000,
) -> quadratic.Proof:
    """A proof for the witness `values`, where roots[i] is (claimed to be) a den-th root of generator i up to sign."""
    key, group = parameters.key, parameters.group
    sizes = quadratic._Sizes(parameters, statement)
    den = lcm(*(Fraction(v).denominator for v in values))
    rho = random_bits(entropy, group.randomness_bits)
    numerators = [int(v * den) for v in values]
    commitment = group.canonical(group.h.power(rho) * multi_power(roots, numerators, group.modulus))
    transcript = quadratic._absorb(parameters, context, statement)
    coefficients = quadratic._Coefficients(transcript, statement, commitment)
    # Masks are multiples of den, so that the cross terms are integers.
    m = [den * (random_bits(entropy, bits) // den) for bits in sizes.values]
    rho_mask = random_bits(entropy, sizes.randomness)
    crosses = [q.cross(values, m) for q in statement.quadratics]
    a1 = sum(g * one for g, (one, _) in zip(coefficients.quadratics, crosses, strict=True))
    a0 = sum(g * zero for g, (_, zero) in zip(coefficients.quadratics, crosses, strict=True))
    assert a1 == int(a1)
    r_star, r_star_mask = random_bits(entropy, group.randomness_bits), random_bits(entropy, sizes.randomness)
    cross = group.canonical(group.g_star.power(int(a1)) * group.h.power(r_star))
    mu, link_mask = random_bits(entropy, sizes.paillier), random_bits(entropy, sizes.links)
    announcements = [
        cross,
        group.commit(m, rho_mask),
        group.canonical(group.g_star.power(int(a0)) * group.h.power(r_star_mask)),
        group.commit(coefficients.exponents(statement, m), link_mask) if statement.commitments else 1,
        key.with_plaintext(coefficients.plaintext(statement, m, 0)) * key.h_s.power(mu) % key.square,
    ]
    for _ in range(tries):
        e = copy.copy(transcript).absorb_all("announcements", announcements).challenge("e")
        if e % den == 0 and wanted(e, coefficients):
            break
        announcements[-1] = announcements[-1] * key.h_s.base % key.square
        mu += 1
    else:
        raise AssertionError("no suitable challenge was found")
    t = sum(g * r for g, r in zip(coefficients.paillier, randomness, strict=True))
    s = sum(d * r for d, r in zip(coefficients.commitments, openings, strict=True))
    return quadratic.Proof(
        commitment=commitment,
        cross=cross,
        challenge=e,
        values=tuple(int(a + e * v) for a, v in zip(m, values, strict=True)),
        randomness=rho_mask + e * rho,
        cross_randomness=r_star_mask + e * r_star,
        paillier=mu + e * t,
        links=link_mask + e * s,
    )


def accepted(
    parameters: PublicParameters, context: Context, statement: quadratic.Statement, proof: quadratic.Proof
) -> bool:
    """The verifier's verdict."""
    try:
        quadratic.verify(parameters, context, statement, proof)
    except (InvalidProof, InvalidCiphertext):
        return False
    return True


def fractional_range_witness(lo: int, hi: int, offset: Fraction) -> list[Fraction]:
    """x = lo + offset and rational squares x_n with 4(x − lo)(hi − x) + 1 = Σ x_n², all of x's denominator."""
    den = offset.denominator
    n = 4 * offset * (hi - lo - offset) + 1
    total = int(n * den * den)
    for a in range(isqrt(total), -1, -1):
        for b in range(isqrt(total - a * a), -1, -1):
            c = isqrt(total - a * a - b * b)
            if a * a + b * b + c * c == total:
                return [lo + offset, Fraction(a, den), Fraction(b, den), Fraction(c, den)]
    raise AssertionError("this fraction has no three squares; take another")


def residue(value: Fraction, modulus: Integer) -> int:
    """num/den mod N in (−N/2, N/2)."""
    x = value.numerator * pow(value.denominator, -1, int(modulus)) % int(modulus)
    return x if 2 * x < modulus else x - int(modulus)
