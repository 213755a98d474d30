"""A03–A05, A61, A62, A65, A77: forged proofs.

Where a verifier is played alone, the verdict begins with R; in a session the same refusal names the prover (A02).
"""

import copy
import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from gmpy2 import gcd, jacobi, next_prime

from tacita.crypto.commitment import CommitmentGroup, commitment_group, hash_to_unit
from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.errors import CryptoError, InvalidKey
from tacita.crypto.integers import multi_power, power, secret_power
from tacita.crypto.paillier import PublicParameters, encryption_key
from tacita.crypto.proofs import knowledge, quadratic
from tacita.crypto.proofs.quadratic import CommitmentLink, Proof, Statement
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.security import CHALLENGE_BITS
from tacita.crypto.threshold import safe_prime
from tacita.crypto.transcript import Context, Transcript
from tacita.deploy.attack.behaviour import Behaviour
from tacita.deploy.attack.bids import CHEAT, FORGERIES, cheat
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.prover import accepted, forge, fractional_range_witness, residue
from tacita.deploy.attack.session import play_session, wrong_output
from tacita.deploy.simulate.members import insecure_key
from tacita.deploy.simulate.plan import TOY_BITS
from tacita.protocols.stages import commit
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.setup import Setup

CONTEXT = Context(bytes(range(32)), "commit", "alice", "bid")


def parameters() -> PublicParameters:
    """The toy key with the real commitment group."""
    return PublicParameters(insecure_key(3, TOY_BITS)[0].encryption, commitment_group())


def refusal(check: Any) -> tuple[str, bool]:
    """(verdict, whether it passed)."""
    try:
        check()
    except CryptoError as error:
        return f"R {type(error).__name__}", False
    return "P", True


# ---- Fiat–Shamir ----------------------------------------------------------------------------------------------------


def simulated(p: PublicParameters, context: Context, statement: Statement, guess: int | None, seed: str) -> Proof:
    """A proof of anything: responses first, then announcements that fit the challenge.

    Without a guess the challenge is that of a transcript which leaves the announcements out. With one, it is the
    guess, and the announcement A is shifted until the low eight bits of the hash are the guess.
    """
    entropy, group, sizes = SeededEntropy(seed), p.group, quadratic._Sizes(p, statement)
    commitment = group.canonical(group.h.power(random_bits(entropy, 2000)))
    cross = group.canonical(group.h.power(random_bits(entropy, 2000)))
    transcript = quadratic._absorb(p, context, statement)
    coefficients = quadratic._Coefficients(transcript, statement, commitment)
    e = copy.copy(transcript).challenge("e") if guess is None else guess
    widths = (sizes.randomness, sizes.randomness, sizes.paillier, sizes.links)
    z = tuple(random_bits(entropy, bits) for bits in sizes.values)
    responses = [random_bits(entropy, bits) for bits in widths]
    proof = Proof(commitment, cross, e, z, *responses)
    if guess is None:
        return proof
    fitting = announcements(p, statement, proof, coefficients)
    for _ in range(1 << 12):
        if copy.copy(transcript).absorb_all("announcements", fitting).challenge("e") & 0xFF == guess:
            return proof
        fitting[-1] = fitting[-1] * p.key.h_s.base % p.key.square
        proof = dataclasses.replace(proof, paillier=proof.paillier + 1)
    raise AssertionError("no guess of eight bits came true")


def announcements(p: PublicParameters, statement: Statement, proof: Proof, coefficients: Any) -> list[Any]:
    """What `verify` recomputes from a proof."""
    key, group, e, z = p.key, p.group, proof.challenge, proof.values

    def divided(value: Any, base: Any) -> Any:
        return group.canonical(value * power(base, -e, group.modulus))

    f = sum(g * q.homogeneous(z, e) for g, q in zip(coefficients.quadratics, statement.quadratics, strict=True))
    combined = multi_power([c.commitment for c in statement.commitments], coefficients.commitments, group.modulus)
    ciphertexts = multi_power([c.ciphertext for c in statement.paillier], coefficients.paillier, key.square)
    a = key.with_plaintext(coefficients.plaintext(statement, z, e)) * key.h_s.power(proof.paillier)
    return [
        proof.cross,
        divided(group.commit(z, proof.randomness), proof.commitment),
        divided(group.g_star.power(f) * group.h.power(proof.cross_randomness), proof.cross),
        divided(group.commit(coefficients.exponents(statement, z), proof.links), combined),
        a * power(ciphertexts, -e, key.square) % key.square,
    ]


def with_simulated_proof(guess: int | None) -> Any:
    """cat's bid above its bound, under a proof that was made without a witness."""

    def make(setup: Setup, bid: BidObject, values: Sequence[int]) -> BidObject:
        forged = FORGERIES["a value above its bound"](setup, bid, values)
        statement = commit._statement(setup, CHEAT, forged)
        context = Context(setup.auction_id, "commit", CHEAT, commit.OBJECT)
        return dataclasses.replace(forged, proof=simulated(setup.parameters, context, statement, guess, "simulated"))

    return make


def leaves_out(label: str) -> Any:
    """Old rule: this field is not part of the challenge."""
    return lambda honest: lambda self, name, values: self if name == label else honest(self, name, values)


@case("A03", "first message not in the challenge", "I InvalidProof",
      Defence("tacita.crypto.transcript.Transcript.absorb_all", leaves_out("announcements"), prevents=True),
      culprit=CHEAT)  # fmt: skip
def weak_fiat_shamir(play: Play) -> Shown:
    cheated = cheat(play.patch, with_simulated_proof(None))
    return play_session(play, Behaviour(), wrong_output, deviated=lambda: cheated)


def eight_bits(honest: Any) -> Any:
    """Old rule: a challenge of eight bits."""
    return lambda self, name, bits=CHALLENGE_BITS: honest(self, name, bits) & (0xFF if name == "e" else -1)


@case("A05", "guessing a short challenge", "I InvalidProof",
      Defence("tacita.crypto.transcript.Transcript.challenge", eight_bits, prevents=True), culprit=CHEAT)  # fmt: skip
def guessed_challenge(play: Play) -> Shown:
    cheated = cheat(play.patch, with_simulated_proof(1))
    return play_session(play, Behaviour(), wrong_output, deviated=lambda: cheated)


def delimiters(honest: Any) -> Any:
    """Old rule: fields are joined with a delimiter, and nothing says where one ends."""

    def absorb(self: Transcript, label: str, value: Any) -> Transcript:
        data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else b"%d" % int(value)
        self._state += b"$" + data
        return self

    return absorb


@case("A04", "fields that run into one another", "I InvalidProof",
      Defence("tacita.crypto.transcript.Transcript.absorb", delimiters, prevents=True), accepts="R InvalidProof",
      variants={"a moved delimiter": "", "20000 pairs of lists": "P"})  # fmt: skip
def shuffled(play: Play) -> Shown:
    """A proof for prover `ann`, object `x$bid` as one for prover `ann$x`, object `bid`."""
    if play.variant != "a moved delimiter":
        return colliding_lists(play)
    p, entropy = parameters(), SeededEntropy(play.name)
    ciphertext, randomness = p.key.encrypt(5, entropy)
    statement = knowledge.Statement(ciphertext)
    mine = Context(bytes(32), "commit", "ann", "x$bid")
    proof = knowledge.prove(p, mine, statement, knowledge.Witness(5, randomness), entropy)
    verdict, passed = refusal(
        lambda: knowledge.verify(p, Context(bytes(32), "commit", "ann$x", "bid"), statement, proof)
    )
    return Shown(verdict, harm="ann's proof of her bid passes as one of ann$x's" if passed else "")


def colliding_lists(play: Play) -> Shown:
    """Lists of fields that differ, many of them only by where one field ends, must give different transcripts."""
    entropy, seen, equal = SeededEntropy(play.name), dict[bytes, tuple[bytes, ...]](), 0
    for _ in range(20_000):
        raw = entropy.token(6)
        cuts = sorted({raw[0] % 5, raw[1] % 5})
        text = bytes(b"a$"[b & 1] for b in raw[2:])
        fields = (text[: cuts[0]], text[cuts[0] : cuts[-1]], text[cuts[-1] :])
        transcript = Transcript("list")
        for value in fields:
            transcript.absorb("field", value)
        equal += seen.setdefault(transcript.digest(), fields) != fields
    return Shown("P", harm=f"{equal} pairs of different lists have one transcript" if equal else "")


# ---- roots and factors ----------------------------------------------------------------------------------------------


def squared(honest: Any) -> Any:
    """Old rule: generators are squares of hash outputs."""
    return lambda self, count: [self.canonical(power(y, 2, self.modulus)) for y in honest(self, count)]


def half_in_range(p: PublicParameters, roots: Sequence[Any], entropy: Any) -> tuple[int, bool]:
    """Try to prove that the plaintext 1/2 mod N lies in [0, 100]; (plaintext, whether it was accepted)."""
    relations, half = Relations(), Fraction(1, 2)
    x = relations.integer(100)
    relations.in_range(x, 0, 100)
    values, plaintext = fractional_range_witness(0, 100, half), residue(half, p.key.modulus)
    ciphertext, randomness = p.key.encrypt(plaintext, entropy)
    statement = relations.statement([link(ciphertext, x, p.key.randomness_bits)])
    proof = forge(p, CONTEXT, statement, values, roots, [randomness], entropy)
    return plaintext, accepted(p, CONTEXT, statement, proof)


def range_verdict(plaintext: int, passed: bool) -> Shown:
    """What a forged range shows."""
    told = f"forged: a plaintext of {abs(plaintext).bit_length()} bits is proven to lie in [0, 100]"
    return Shown("P" if passed else "R InvalidProof", harm=told if passed else "")


@case("A61", "public roots of the generators", "I InvalidProof",
      Defence("tacita.crypto.commitment.CommitmentGroup.generators", squared, prevents=True),
      accepts="R InvalidProof")  # fmt: skip
def public_roots(play: Play) -> Shown:
    p = parameters()
    roots = [hash_to_unit(p.group.modulus, "g", i) for i in range(4)]
    return range_verdict(*half_in_range(p, roots, SeededEntropy(play.name)))


@lru_cache(maxsize=1)
def known_factors() -> tuple[int, int]:
    """Factors of a toy modulus, as a dealer or t + 1 nodes know them."""
    entropy = SeededEntropy("known factors")
    return int(safe_prime(TOY_BITS // 2, entropy)), int(safe_prime(TOY_BITS // 2, entropy))


@case("A62", "prover who knows the factors", "I InvalidProof",
      Defence("tacita.crypto.paillier.PublicParameters.__post_init__"), accepts="R InvalidKey")  # fmt: skip
def factors_known(play: Play) -> Shown:
    """Commitments modulo N itself are refused; with them whoever can factor N proves every range."""
    p, q = known_factors()
    key, entropy = encryption_key(p * q), SeededEntropy(play.name)

    def roots(group: CommitmentGroup) -> list[Any]:
        exponent = pow(2, -1, (p - 1) // 2 * ((q - 1) // 2))
        return [power(g, exponent, group.modulus) for g in group.generators(4)]

    own = commitment_group()
    shown = range_verdict(*half_in_range(PublicParameters(key, own), roots(own), entropy))
    if shown.harm:
        return shown
    shared = CommitmentGroup(p * q)
    try:
        old = PublicParameters(key, shared)
    except InvalidKey:
        return Shown("R InvalidKey")
    return range_verdict(*half_in_range(old, roots(shared), entropy))


@case("A65", "ciphertext of Jacobi symbol −1", "I InvalidCiphertext",
      Defence("tacita.crypto.paillier.EncryptionKey.check"), accepts="R InvalidCiphertext")  # fmt: skip
def jacobi_symbol(play: Play) -> Shown:
    """What Y^X·h_s^t shows of secrets X; gadget 1, which would publish it, is not built."""
    key, entropy = parameters().key, SeededEntropy(play.name)
    odd = next(x for x in range(2, 1000) if jacobi(x, key.modulus) == -1)
    poisoned = key.encrypt(7, entropy)[0] * power(odd, key.modulus, key.square) % key.square
    verdict, passed = refusal(lambda: key.receive(poisoned, 0, 10))
    if not passed:
        return Shown(verdict)
    secrets = [random_bits(entropy, 41) for _ in range(40)]
    published = [secret_power(poisoned, x, key.square) * key.h_s.power(random_bits(entropy, 200)) for x in secrets]
    right = sum((jacobi(z % key.modulus, key.modulus) != 1) == x % 2 for x, z in zip(secrets, published, strict=True))
    return Shown("P", harm=f"secret read: the parity of {right} of 40 secrets" if right == 40 else "")


# ---- a modulus with a small factor -----------------------------------------------------


@lru_cache(maxsize=1)
def colluding_factors() -> tuple[int, int]:
    """r of 11 bits and q of 500, both 3 mod 4."""
    entropy, r = SeededEntropy("colluding nodes"), next_prime(1500)
    while r % 4 != 3:
        r = next_prime(r)
    while True:
        q = next_prime(random_bits(entropy, 500) | 1 << 499)
        if q % 4 == 3 and gcd(r * q, (r - 1) * (q - 1)) == 1:
            return int(r), int(q)


def without_commitment(honest: Any) -> Any:
    """Old rule: the range is shown of the ciphertext alone, modulo N."""
    return lambda self, paillier, commitments=(): honest(self, paillier)


@case("A77", "forged link for a modulus with a small factor", "I InvalidProof",
      Defence("tacita.crypto.proofs.range.Relations.statement", without_commitment, prevents=True),
      accepts="R InvalidProof")  # fmt: skip
def small_factor(play: Play) -> Shown:
    """All nodes collude in N = r·q: C_bid modulo N_c must hold what the proof says, whatever the ciphertext holds."""
    r, q = colluding_factors()
    p, entropy, relations = (
        PublicParameters(encryption_key(r * q), commitment_group()),
        SeededEntropy(play.name),
        Relations(),
    )
    x = relations.integer(100)
    relations.in_range(x, 0, 100)
    bogus = 7 + 3 * q
    ciphertext, randomness = p.key.encrypt(bogus, entropy)
    opening = random_bits(entropy, p.group.randomness_bits)
    held = CommitmentLink(p.group.commit([bogus], opening), ((0, 0),))
    statement = relations.statement([link(ciphertext, x, p.key.randomness_bits)], [held])
    witness = relations.witness({0: 7}, [randomness], [], entropy)
    proof = forge(
        p, CONTEXT, statement, [int(w) for w in witness.values], p.group.generators(len(witness.values)),
        witness.paillier, entropy, openings=[opening] * len(statement.commitments),
        wanted=lambda e, coefficients: e * coefficients.paillier[0] % r == 0, tries=20 * r,
    )  # fmt: skip
    return range_verdict(bogus, accepted(p, CONTEXT, statement, proof))
