"""A66, A68–A70: masks that are too short, lists that are too long, ranges that are reversed."""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

from gmpy2 import mpz

from tacita.crypto.commitment import CommitmentGroup, commitment_group
from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.integers import multi_power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import decryption, quadratic
from tacita.crypto.proofs.quadratic import PaillierLink, Proof, Statement, Witness
from tacita.crypto.proofs.range import Relations, constant, link, three_squares
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS
from tacita.crypto.threshold import KeyShare, partial_decrypt
from tacita.crypto.transcript import Context
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.proofs import CONTEXT, parameters, refusal
from tacita.deploy.attack.prover import accepted
from tacita.deploy.simulate.members import insecure_key
from tacita.deploy.simulate.plan import TOY_BITS

SLACK, PROOFS = 250, 300


def short_mask(honest: Any) -> Any:
    """Old rule: 2|N| in place of sigma."""
    return lambda key: 2 * key.modulus.bit_length() + key.delta.bit_length() + CHALLENGE_BITS + HIDING_BITS


@case("A66", "decryption proofs that show a key share", "P",
      Defence("tacita.crypto.proofs.decryption._mask_bits", short_mask, prevents=True))  # fmt: skip
def share_shown(play: Play) -> Shown:
    """Intersects what 300 proofs of one node leave for its share, which is as long as a dealerless one."""
    public, shares = insecure_key(3, TOY_BITS)
    public = dataclasses.replace(public, sigma=public.sigma + SLACK)
    secret = shares[0].secret + (public.modulus * (public.modulus + 1) << (SLACK - 4))
    group, entropy, share = commitment_group(), SeededEntropy(play.name), KeyShare(1, secret)
    c = public.encryption.encrypt_with(5, 7)
    statement = decryption.Statement(1, (c,), (partial_decrypt(public, share, c),))
    mask, lo, hi = 1 << decryption._mask_bits(public), 0, 1 << public.sigma
    for _ in range(PROOFS):
        proof = decryption.prove(public, group, CONTEXT, statement, share, entropy)
        scale = proof.challenge * public.delta
        lo, hi = max(lo, (proof.response - mask) // scale + 1), min(hi, proof.response // scale + 1)
    known = public.sigma - (hi - lo).bit_length()
    told = f"secret read: the top {known} bits of a key share" if lo <= secret < hi and known > 0 else ""
    return Shown("P", harm=told)


def stock_of_four(honest: Any) -> Any:
    """Old rule: four generators were made; witnesses beyond them are bound by nothing."""

    def commit_cut(self: CommitmentGroup, values: Sequence[Any], randomness: Any) -> Any:
        bases = self.generators(min(4, len(values)))
        return self.canonical(self.h.power(randomness) * multi_power(bases, values[: len(bases)], self.modulus))

    return commit_cut


HIGH = 10**9


@case("A68", "more witnesses than generators, more outputs than proofs", "I InvalidEncoding",
      Defence("tacita.crypto.commitment.CommitmentGroup.commit", stock_of_four, prevents=True),
      accepts="R InvalidProof", variants=("witness beyond the stock", "a third ciphertext", "a response less",
                                          "an index that does not exist", "no partial"))  # fmt: skip
def lengths(play: Play) -> Shown:
    p, entropy = parameters(), SeededEntropy(play.name)
    relations, key = Relations(), p.key
    first = relations.integer(100)
    relations.in_range(first, 0, 100)
    second = relations.integer(100)
    relations.in_range(second, 0, 100)
    (c, r), (d, s) = key.encrypt(7, entropy), key.encrypt(HIGH, entropy)
    bits = key.randomness_bits
    statement = relations.statement([link(c, first, bits), link(d, second, bits)])
    if play.variant == "witness beyond the stock":
        witness = relations.witness({0: 7, 4: 50}, (r, s), (), entropy)
        proof = invented_second(p, statement, witness.values, (r, s), entropy)
        passed = accepted(p, CONTEXT, statement, proof)
        return Shown("P" if passed else "R InvalidProof", harm=f"{HIGH} is proven to lie in [0, 100]" if passed else "")
    e, t = key.encrypt(9, entropy)
    good = relations.statement([link(c, first, bits), link(e, second, bits)])
    proof = quadratic.prove(p, CONTEXT, good, relations.witness({0: 7, 4: 9}, (r, t), (), entropy), entropy)
    if play.variant == "no partial":
        key_, shares = insecure_key(3, TOY_BITS)
        w = partial_decrypt(key_, shares[0], c)
        one = decryption.prove(key_, p.group, CONTEXT, decryption.Statement(1, (c,), (w,)), shares[0], entropy)
        check: Any = lambda: decryption.verify(key_, p.group, CONTEXT, decryption.Statement(1, (c,), ()), one)  # noqa: E731
    else:
        bad, lie = good, proof
        if play.variant == "a third ciphertext":
            bad = dataclasses.replace(good, paillier=(*good.paillier, link(d, first, bits)))
        elif play.variant == "a response less":
            lie = dataclasses.replace(proof, values=proof.values[:-1])
        else:
            beyond = PaillierLink(c, ((len(good.bits), 1),), 0, bits)
            bad = dataclasses.replace(good, paillier=(beyond, good.paillier[1]))
        check = lambda: quadratic.verify(p, CONTEXT, bad, lie)  # noqa: E731
    verdict, passed = refusal(check)
    return Shown(verdict, harm="a proof of another length passes" if passed else "")


def invented_second(
    p: PublicParameters,
    statement: Statement,
    values: Sequence[Any],
    randomness: Sequence[Any],
    entropy: Any,
    context: Context = CONTEXT,
) -> Proof:
    """Witness 4 is HIGH; its three squares are chosen after the challenge, from the free responses."""
    key, group, sizes = p.key, p.group, quadratic._Sizes(p, statement)
    stock, bound = group.generators(4), values[:4]
    while True:
        rho, rho_mask = (random_bits(entropy, b) for b in (group.randomness_bits, sizes.randomness))
        c = group.canonical(group.h.power(rho) * multi_power(stock, bound, group.modulus))
        transcript = quadratic._absorb(p, context, statement)
        coefficients = quadratic._Coefficients(transcript, statement, c)
        gamma, delta = coefficients.quadratics
        m, free = [random_bits(entropy, b) for b in sizes.values[:4]], random_bits(entropy, 200)
        a1, a0 = statement.quadratics[0].cross([*bound, 0, 0, 0, 0], [*m, 0, 0, 0, 0])
        reserve = -(mpz(1) << 420)
        r_star, star_mask = (random_bits(entropy, b) for b in (group.randomness_bits, sizes.randomness))
        cross = group.canonical(group.g_star.power(gamma * a1) * group.h.power(r_star))
        mu, masks = random_bits(entropy, sizes.paillier), [*m, free, 0, 0, 0]
        said = [
            cross,
            group.canonical(group.h.power(rho_mask) * multi_power(stock, m, group.modulus)),
            group.canonical(group.g_star.power(gamma * a0 + delta * reserve) * group.h.power(star_mask)),
            1,
            key.with_plaintext(coefficients.plaintext(statement, masks, 0)) * key.h_s.power(mu) % key.square,
        ]
        e = copy.copy(transcript).absorb_all("announcements", said).challenge("e")
        z = free + e * HIGH
        # The second relation must come out as `reserve`: 4z(100e − z) + e² − reserve is a sum of three squares.
        target = 4 * z * (100 * e - z) + e * e - reserve
        if target % 4 == 1:
            break
    squares = three_squares(target, entropy)
    t = sum(g * r for g, r in zip(coefficients.paillier, randomness, strict=True))
    responses = [a + e * w for a, w in zip(m, bound, strict=True)]
    return Proof(c, cross, e, (*responses, z, *squares), rho_mask + e * rho, star_mask + e * r_star, mu + e * t, 0)


EXTRA = 400


def one_size(honest: Any) -> Any:
    """Old rule: the mask of every link is that of a fresh ciphertext."""

    def sizes(p: PublicParameters, statement: Statement) -> Any:
        short = [dataclasses.replace(one, randomness_bits=p.key.randomness_bits) for one in statement.paillier]
        return honest(p, dataclasses.replace(statement, paillier=tuple(short)))

    return sizes


@case("A69", "combined randomness longer than its mask", "P",
      Defence("tacita.crypto.proofs.quadratic._Sizes", one_size, prevents=True))  # fmt: skip
def long_randomness(play: Play) -> Shown:
    """How many leading bits of a ciphertext's randomness a proof shows."""
    p, entropy, worst = parameters(), SeededEntropy(play.name), 0
    tau = p.key.randomness_bits + EXTRA
    for _ in range(10):
        randomness = random_bits(entropy, tau - 1) | 1 << (tau - 1)
        statement = Statement((8,), (), (PaillierLink(p.key.encrypt_with(5, randomness), ((0, 1),), 0, tau),))
        proof = quadratic.prove(p, CONTEXT, statement, Witness((5,), (randomness,)), entropy)
        gamma = quadratic._Coefficients(quadratic._absorb(p, CONTEXT, statement), statement, proof.commitment).paillier
        estimate = proof.paillier // (proof.challenge * gamma[0])
        worst = max(worst, randomness.bit_length() - abs(int(estimate) - randomness).bit_length())
    return Shown("P", harm=f"secret read: the top {worst} bits of the randomness" if worst > 40 else "")


def any_ends(honest: Any) -> Any:
    """Old rule: the relation is built from any pair of ends."""

    def in_range(self: Relations, x: Any, lo: int, hi: int) -> None:
        self.nonnegative(x.plus(constant(-lo)).times(constant(hi).plus(x, -1)), 1 << 20)

    return in_range


@case("A70", "reversed range", "R RangeViolation", Defence("tacita.crypto.proofs.range.Relations.in_range", any_ends))
def reversed_range(play: Play) -> Shown:
    p, entropy, relations = parameters(), SeededEntropy(play.name), Relations()
    x = relations.integer(100)
    verdict, passed = refusal(lambda: relations.in_range(x, 5, 4))
    if not passed:
        return Shown(verdict)
    c, r = p.key.encrypt(5, entropy)
    statement = relations.statement([link(c, x, p.key.randomness_bits)])
    proof = quadratic.prove(p, CONTEXT, statement, relations.witness({0: 5}, [r], (), entropy), entropy)
    quadratic.verify(p, CONTEXT, statement, proof)
    return Shown("P", harm="forged: 5 is proven to lie in [5, 4]")
