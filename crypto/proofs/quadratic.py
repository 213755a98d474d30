"""IntQuad: batched quadratic relations over committed integers, linked to Paillier plaintexts and commitments.

Statement: integers w with |w_i| < 2^{b_i}, F_q(w) = 0 over Z for every quadratic q, Dec(Z_l) = lin_l(w) mod N for
every Paillier link, and C_l = h^{r_l}·∏ g_j^{w_i} mod N_c for every commitment link. All commitments live modulo
N_c, whose factors nobody knows: extraction gives *integers*, so a range shown here has no slack.

    1.  C = h^ρ ∏ g_i^{w_i};  γ_q, γ'_l, δ_l ← H(statement, C)
    2.  m_i ← masks;  D = h^{ρ'} ∏ g_i^{m_i}
        Σ γ_q F_q^hom(m + e·w, e) = e·a1 + a0, because the e² term vanishes iff the relations hold
        C_* = g_*^{a1} h^{r_*};  D_* = g_*^{a0} h^{r_*'}
        A = (1+N)^{Σ γ'_l lin_l(m)} h_s^{μ};  D_x = h^{m_x} ∏ g_j^{δ_l m_i}
    3.  e = H(…, C_*, D, D_*, D_x, A);  send C, C_*, e, z = m + e·w, z_r, z_*, z_P, z_x
    4.  the verifier recomputes D, D_*, D_x, A from the responses and hashes them to e

Source: Damgård–Fujisaki/Groth integer commitments, one engine for every relation; the
rules of section 1 there win: generators without known roots, canonical elements, bounds and lengths first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gmpy2 import mpz

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import InvalidProof
from tacita.crypto.integers import Integer, inverse, multi_power, power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS
from tacita.crypto.transcript import Context, Transcript

_E, _H = CHALLENGE_BITS, HIDING_BITS


@dataclass(frozen=True)
class Quadratic:
    """Σ k·w_i·w_j + Σ k·w_i + constant."""

    products: tuple[tuple[int, int, int], ...] = ()
    """(i, j, k) for k·w_i·w_j."""
    linear: tuple[tuple[int, int], ...] = ()
    """(i, k) for k·w_i."""
    constant: int = 0

    def value(self, w: Sequence[Integer]) -> Integer:
        """F(w)."""
        return self.homogeneous(w, 1)

    def homogeneous(self, z: Sequence[Integer], e: Integer) -> Integer:
        """F^hom(z, e) = Σ k·z_i·z_j + e·Σ k·z_i + e²·constant."""
        products = sum(k * z[i] * z[j] for i, j, k in self.products)
        return products + e * (sum(k * z[i] for i, k in self.linear) + e * self.constant)

    def cross(self, w: Sequence[Integer], m: Sequence[Integer]) -> tuple[Integer, Integer]:
        """(a1, a0) with F^hom(m + e·w, e) = e²·F(w) + e·a1 + a0."""
        a1 = sum(k * (w[i] * m[j] + w[j] * m[i]) for i, j, k in self.products) + sum(k * m[i] for i, k in self.linear)
        return a1, sum(k * m[i] * m[j] for i, j, k in self.products)


@dataclass(frozen=True)
class PaillierLink:
    """Dec(ciphertext) = constant + Σ k·w_i mod N, with randomness below 2^randomness_bits."""

    ciphertext: Integer
    terms: tuple[tuple[int, int], ...]
    constant: int
    randomness_bits: int


@dataclass(frozen=True)
class CommitmentLink:
    """commitment = h^r ∏ g_j^{w_i} over the pairs (generator j, witness i), r < 2^{R_c}."""

    commitment: Integer
    terms: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Statement:
    """Everything public; the verifier builds it from the terms and takes none of it from the prover."""

    bits: tuple[int, ...]
    quadratics: tuple[Quadratic, ...]
    paillier: tuple[PaillierLink, ...]
    commitments: tuple[CommitmentLink, ...] = ()


@dataclass(frozen=True)
class Witness:
    """w, the randomness of each Paillier link and of each commitment link."""

    values: tuple[Integer, ...] = field(repr=False)
    paillier: tuple[Integer, ...] = field(repr=False)
    commitments: tuple[Integer, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Proof:
    """C, C_*, e and the responses."""

    commitment: Integer
    """C = h^ρ ∏ g_i^{w_i}."""
    cross: Integer
    """C_* = g_*^{a1} h^{r_*}."""
    challenge: int
    values: tuple[Integer, ...]
    """z_i = m_i + e·w_i."""
    randomness: Integer
    """z_r = ρ' + e·ρ."""
    cross_randomness: Integer
    """z_* = r_*' + e·r_*."""
    paillier: Integer
    """z_P = μ + e·Σ γ'_l t_l."""
    links: Integer
    """z_x = m_x + e·Σ δ_l r_l."""

    def encode(self, parameters: PublicParameters, statement: Statement) -> bytes:
        """Every field at the width that the statement fixes."""
        sizes, element = _Sizes(parameters, statement), byte_width(parameters.group.bits)
        writer = Writer().unsigned(self.commitment, element).unsigned(self.cross, element)
        writer.unsigned(self.challenge, _E // 8)
        for z, bits in zip(self.values, sizes.values, strict=True):
            writer.signed(z, byte_width(bits + 2))
        writer.unsigned(self.randomness, byte_width(sizes.randomness + 1))
        writer.unsigned(self.cross_randomness, byte_width(sizes.randomness + 1))
        writer.unsigned(self.paillier, byte_width(sizes.paillier + 1))
        return writer.unsigned(self.links, byte_width(sizes.links + 1)).to_bytes()

    @staticmethod
    def decode(parameters: PublicParameters, statement: Statement, data: bytes) -> "Proof":
        """The inverse of encode; raises InvalidEncoding."""
        sizes, element = _Sizes(parameters, statement), byte_width(parameters.group.bits)
        reader = Reader(data, "a proof")
        commitment, cross = mpz(reader.unsigned(element)), mpz(reader.unsigned(element))
        challenge = reader.unsigned(_E // 8)
        values = tuple(mpz(reader.signed(byte_width(bits + 2))) for bits in sizes.values)
        widths = (sizes.randomness, sizes.randomness, sizes.paillier, sizes.links)
        responses = [mpz(reader.unsigned(byte_width(bits + 1))) for bits in widths]
        reader.finish()
        return Proof(commitment, cross, challenge, values, *responses)


class _Sizes:
    """Bit lengths of the masks; a response stays below twice its mask."""

    def __init__(self, parameters: PublicParameters, statement: Statement) -> None:
        slack = _E + _H + (len(statement.bits) + 4).bit_length()
        hidden = parameters.group.randomness_bits
        self.values = [bits + slack for bits in statement.bits]
        self.randomness = hidden + slack
        links, external = statement.paillier, statement.commitments
        # γ'_l and δ_l add 128 bits to the combined randomness, which its mask must still hide (attack A69).
        longest = max((link.randomness_bits for link in links), default=0)
        self.paillier = longest + _E + slack + len(links).bit_length() if links else 0
        self.links = hidden + _E + slack + len(external).bit_length() if external else 0


def _check_shape(statement: Statement) -> None:
    count = len(statement.bits)
    indices = [i for q in statement.quadratics for i, j, _ in q.products for i in (i, j)]
    indices += [i for q in statement.quadratics for i, _ in q.linear]
    indices += [i for link in statement.paillier for i, _ in link.terms]
    indices += [k for link in statement.commitments for pair in link.terms for k in pair]
    if any(not 0 <= i < count for i in indices):
        raise InvalidProof("the statement refers to a witness or generator that does not exist")


def _absorb(parameters: PublicParameters, context: Context, statement: Statement) -> Transcript:
    transcript = Transcript("intquad", context).absorb("parameters", parameters.identifier)
    transcript.absorb_all("bits", statement.bits).absorb("quadratics", len(statement.quadratics))
    for quadratic in statement.quadratics:
        transcript.absorb_all("products", [x for term in quadratic.products for x in term])
        transcript.absorb_all("linear", [x for term in quadratic.linear for x in term])
        transcript.absorb("constant", quadratic.constant)
    transcript.absorb("paillier", len(statement.paillier))
    for link in statement.paillier:
        transcript.absorb("Z", link.ciphertext).absorb("constant", link.constant)
        transcript.absorb_all("terms", [x for term in link.terms for x in term])
        transcript.absorb("tau", link.randomness_bits)
    transcript.absorb("commitments", len(statement.commitments))
    for external in statement.commitments:
        transcript.absorb("C_l", external.commitment)
        transcript.absorb_all("terms", [x for term in external.terms for x in term])
    return transcript


class _Coefficients:
    """γ, γ', δ: drawn after the witness is committed."""

    def __init__(self, transcript: Transcript, statement: Statement, commitment: Integer) -> None:
        transcript.absorb("C", commitment)
        self.quadratics = transcript.challenges("gamma", len(statement.quadratics))
        self.paillier = transcript.challenges("gamma-link", len(statement.paillier))
        self.commitments = transcript.challenges("delta", len(statement.commitments))

    def plaintext(self, statement: Statement, w: Sequence[Integer], e: Integer) -> Integer:
        """Σ γ'_l (lin_l(w) + e·constant_l)."""
        return sum(
            g * (e * link.constant + sum(k * w[i] for i, k in link.terms))
            for g, link in zip(self.paillier, statement.paillier, strict=True)
        )

    def exponents(self, statement: Statement, w: Sequence[Integer]) -> list[Integer]:
        """Σ_l δ_l·w_i per generator j."""
        exponents: list[Integer] = [0] * len(statement.bits)
        for delta, link in zip(self.commitments, statement.commitments, strict=True):
            for j, i in link.terms:
                exponents[j] += delta * w[i]
        return exponents


def prove(
    parameters: PublicParameters, context: Context, statement: Statement, witness: Witness, entropy: Entropy
) -> Proof:
    """Prove the statement; refuses (ValueError) a witness that does not satisfy it or exceeds its bounds."""
    key, group, w = parameters.key, parameters.group, witness.values
    _check_witness(statement, witness, group.randomness_bits)
    sizes = _Sizes(parameters, statement)
    # 1. commit to the witness
    rho = random_bits(entropy, group.randomness_bits)
    commitment = group.commit(w, rho)
    transcript = _absorb(parameters, context, statement)
    coefficients = _Coefficients(transcript, statement, commitment)
    # 2. announce masks and the cross terms
    m = [random_bits(entropy, bits) for bits in sizes.values]
    rho_mask = random_bits(entropy, sizes.randomness)
    a1 = a0 = mpz(0)
    for gamma, quadratic in zip(coefficients.quadratics, statement.quadratics, strict=True):
        one, zero = quadratic.cross(w, m)
        a1, a0 = a1 + gamma * one, a0 + gamma * zero
    r_star, r_star_mask = random_bits(entropy, group.randomness_bits), random_bits(entropy, sizes.randomness)
    cross = group.canonical(group.g_star.power(a1) * group.h.power(r_star))
    mu, link_mask = random_bits(entropy, sizes.paillier), random_bits(entropy, sizes.links)
    announcements = (
        cross,
        group.commit(m, rho_mask),
        group.canonical(group.g_star.power(a0) * group.h.power(r_star_mask)),
        group.commit(coefficients.exponents(statement, m), link_mask) if statement.commitments else 1,
        key.with_plaintext(coefficients.plaintext(statement, m, 0)) * key.h_s.power(mu) % key.square,
    )
    # 3. challenge and responses
    e = transcript.absorb_all("announcements", announcements).challenge("e")
    t = sum(g * r for g, r in zip(coefficients.paillier, witness.paillier, strict=True))
    s = sum(d * r for d, r in zip(coefficients.commitments, witness.commitments, strict=True))
    return Proof(
        commitment=commitment,
        cross=cross,
        challenge=e,
        values=tuple(a + e * b for a, b in zip(m, w, strict=True)),
        randomness=rho_mask + e * rho,
        cross_randomness=r_star_mask + e * r_star,
        paillier=mu + e * t,
        links=link_mask + e * s,
    )


def _check_witness(statement: Statement, witness: Witness, commitment_bits: int) -> None:
    _check_shape(statement)
    w = witness.values
    if len(w) != len(statement.bits) or any(abs(x) >= 1 << b for x, b in zip(w, statement.bits, strict=True)):
        raise ValueError("the witness does not fit the bit lengths of the statement")
    if any(quadratic.value(w) != 0 for quadratic in statement.quadratics):
        raise ValueError("the witness does not satisfy the relations of the statement")
    for link, r in zip(statement.paillier, witness.paillier, strict=True):
        if not 0 <= r < 1 << link.randomness_bits:
            raise ValueError("a link's randomness is longer than its mask would hide")
    for _, r in zip(statement.commitments, witness.commitments, strict=True):
        if not 0 <= r < 1 << commitment_bits:
            raise ValueError("a commitment's randomness is longer than its mask would hide")


def verify(parameters: PublicParameters, context: Context, statement: Statement, proof: Proof) -> None:
    """Return None, or raise InvalidProof or InvalidCiphertext.

    Order: lengths, bounds, membership, then the challenge from the recomputed announcements.
    """
    key, group, e, z = parameters.key, parameters.group, proof.challenge, proof.values
    _check_shape(statement)
    sizes = _Sizes(parameters, statement)
    if len(z) != len(statement.bits):
        raise InvalidProof("the proof has a wrong number of responses")
    if not 0 <= e < 1 << _E or any(abs(x) >= 1 << (bits + 1) for x, bits in zip(z, sizes.values, strict=True)):
        raise InvalidProof("a response is out of range")
    responses = (proof.randomness, proof.cross_randomness, proof.paillier, proof.links)
    limits = (sizes.randomness, sizes.randomness, sizes.paillier, sizes.links)
    if any(not 0 <= x < 1 << (bits + 1) for x, bits in zip(responses, limits, strict=True)):
        raise InvalidProof("a randomness response is out of range")
    if proof.links and not statement.commitments:
        raise InvalidProof("there is no commitment link to answer for")
    for element in (proof.commitment, proof.cross, *(link.commitment for link in statement.commitments)):
        group.check(element)
    for link in statement.paillier:
        key.check(link.ciphertext)
    transcript = _absorb(parameters, context, statement)
    coefficients = _Coefficients(transcript, statement, proof.commitment)

    def divided(value: Integer, base: Integer) -> Integer:
        return group.canonical(value * inverse(power(base, e, group.modulus), group.modulus))

    f = sum(
        gamma * quadratic.homogeneous(z, e)
        for gamma, quadratic in zip(coefficients.quadratics, statement.quadratics, strict=True)
    )
    announcements: list[Integer] = [
        proof.cross,
        divided(group.commit(z, proof.randomness), proof.commitment),
        divided(group.g_star.power(f) * group.h.power(proof.cross_randomness), proof.cross),
        1,
    ]
    if statement.commitments:
        externals = [link.commitment for link in statement.commitments]
        combined = multi_power(externals, coefficients.commitments, group.modulus)
        announcements[3] = divided(group.commit(coefficients.exponents(statement, z), proof.links), combined)
    ciphertexts = multi_power([link.ciphertext for link in statement.paillier], coefficients.paillier, key.square)
    a = key.with_plaintext(coefficients.plaintext(statement, z, e)) * key.h_s.power(proof.paillier)
    announcements.append(a * inverse(power(ciphertexts, e, key.square), key.square) % key.square)
    if transcript.absorb_all("announcements", announcements).challenge("e") != e:
        raise InvalidProof("the proof does not verify")
