"""What the crypto tests share: an INSECURE key whose factors are published, random instances, tampering."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gmpy2 import mpz

from tacita.crypto.commitment import CommitmentGroup, commitment_group
from tacita.crypto.entropy import Entropy, random_below, random_bits
from tacita.crypto.errors import InvalidCiphertext, InvalidEncoding, InvalidProof
from tacita.crypto.integers import Integer
from tacita.crypto.paillier import EncryptionKey, PublicParameters, encryption_key
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.range import Linear, Relations, link
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.crypto.transcript import Context

REFUSED = (InvalidProof, InvalidEncoding, InvalidCiphertext)
"""What a verifier may raise on bytes of a peer; anything else is our own bug."""


def refuses(check: Callable[..., object], *arguments: object, errors: Any = REFUSED) -> bool:
    """True iff check(*arguments) raises one of the errors; every other exception passes through."""
    try:
        check(*arguments)
    except errors:
        return True
    return False


INSECURE_KEY = Path(__file__).parent.parent / "vectors" / "insecure_key.json"


@dataclass(frozen=True)
class DealtKey:
    """A threshold key, its shares and its factors: everything that a dealer must forget."""

    public: ThresholdKey
    shares: tuple[KeyShare, ...]
    p: int
    q: int

    @property
    def encryption(self) -> EncryptionKey:
        return self.public.encryption

    @cached_property
    def parameters(self) -> PublicParameters:
        return PublicParameters(self.encryption, commitment_group())

    def decrypt(self, ciphertext: Integer) -> int:
        """The plaintext by way of the factors, independent of crypto/threshold.py."""
        return raw_decrypt(self.p, self.q, ciphertext)


def raw_decrypt(p: int, q: int, ciphertext: Integer) -> int:
    """L(c^φ mod N²)/φ mod N in (−N/2, N/2)."""
    n, phi = p * q, (p - 1) * (q - 1)
    plaintext = (pow(int(ciphertext), phi, n * n) - 1) // n * pow(phi, -1, n) % n
    return plaintext if 2 * plaintext < n else plaintext - n


def load_insecure_key() -> DealtKey:
    """The committed key of tests/vectors."""
    data = json.loads(INSECURE_KEY.read_text())
    p, q = int(data["p"], 16), int(data["q"], 16)
    public = ThresholdKey(
        modulus=p * q,
        parties=data["parties"],
        threshold=data["threshold"],
        kappa=int(data["kappa"], 16),
        mu=int(data["mu"], 16),
        sigma=data["sigma"],
        v=int(data["v"], 16),
        verification=tuple(int(value, 16) for value in data["verification"]),
        epoch=data["epoch"],
        provenance=data["provenance"],
    )
    shares = tuple(KeyShare(i, int(secret, 16)) for i, secret in enumerate(data["shares"], 1))
    return DealtKey(public, shares, p, q)


def small_modulus_parameters() -> PublicParameters:
    """Parameters over another N, for tests that check that a proof is bound to its key."""
    return PublicParameters(encryption_key(INSECURE_OTHER_MODULUS), commitment_group())


INSECURE_OTHER_MODULUS = (2**127 - 1) * (2**89 - 1)
"""A product of two known Mersenne primes that are 3 mod 4."""


def other_group() -> CommitmentGroup:
    """Another commitment group of the same size: N_c + 4k that is coprime to the test keys."""
    return commitment_group(int(commitment_group().modulus) + 4)


def signed_below(entropy: Entropy, bound: int) -> int:
    """A uniform integer in (−bound, bound)."""
    return random_below(entropy, 2 * bound - 1) - bound + 1


def between(entropy: Entropy, lo: int, hi: int) -> int:
    """A uniform integer in [lo, hi]."""
    return lo + random_below(entropy, hi - lo + 1)


def contexts_that_differ(context: Context) -> Iterator[tuple[str, Context]]:
    """The context with one field changed, for each field."""
    for changed in dataclasses.fields(Context):
        value = getattr(context, changed.name)
        other = bytes([value[0] ^ 1]) + value[1:] if isinstance(value, bytes) else value + "'"
        yield changed.name, dataclasses.replace(context, **{changed.name: other})


def tampered(record: Any) -> Iterator[tuple[str, Any]]:
    """A frozen dataclass with one integer somewhere inside changed: by ±1, by its sign, by one element less or more."""
    for entry in dataclasses.fields(record):
        for how, value in _changed(getattr(record, entry.name)):
            yield f"{entry.name}{how}", dataclasses.replace(record, **{entry.name: value})


def _changed(value: Any) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(value):
        yield from ((f".{how}", other) for how, other in tampered(value))
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from ((f"[{i}]{how}", (*value[:i], other, *value[i + 1 :])) for how, other in _changed(item))
        if value and not isinstance(value[0], int):
            yield " with the last element missing", value[:-1]
            yield " with the last element twice", (*value, value[-1])
    elif isinstance(value, (int, type(mpz()))):
        yield "+1", value + 1
        yield "-1", value - 1
        if value:
            yield " negated", -value


@dataclass(frozen=True)
class RangeInstance:
    """ "The plaintexts of these ciphertexts and commitments lie in their ranges", with its witness."""

    statement: quadratic.Statement
    witness: quadratic.Witness
    values: tuple[int, ...]


def range_instance(
    parameters: PublicParameters,
    entropy: Entropy,
    ranges: list[tuple[int, int]],
    values: list[int],
    *,
    commitment: bool = False,
) -> RangeInstance:
    """One Paillier link per value and, if asked, one commitment link that holds all of them."""
    relations, key, group = Relations(), parameters.key, parameters.group
    inputs: list[Linear] = [relations.integer(max(abs(lo), abs(hi))) for lo, hi in ranges]
    for expression, (lo, hi) in zip(inputs, ranges, strict=True):
        relations.in_range(expression, lo, hi)
    encrypted = [key.encrypt(value, entropy) for value in values]
    links = [link(c, x, key.randomness_bits) for (c, _), x in zip(encrypted, inputs, strict=True)]
    commitments, openings = [], []
    if commitment:
        openings = [random_bits(entropy, group.randomness_bits)]
        pairs = tuple((i, i) for i in range(len(values)))
        commitments = [quadratic.CommitmentLink(group.commit(values, openings[0]), pairs)]
    witness = relations.witness(dict(enumerate(values)), [r for _, r in encrypted], openings, entropy)
    return RangeInstance(relations.statement(links, commitments), witness, tuple(values))


PRODUCT = quadratic.Quadratic(products=((0, 1, 1),), linear=((2, -1),))
"""w_0·w_1 − w_2 = 0."""


def product_instance(
    parameters: PublicParameters,
    entropy: Entropy,
    *,
    x: int | None = None,
    y: int | None = None,
    z: int | None = None,
) -> tuple[quadratic.Statement, quadratic.Witness]:
    """Three ciphertexts of x, y, x·y; one commitment to (y, x) under the generators (0, 2)."""
    key, group = parameters.key, parameters.group
    x = signed_below(entropy, 1 << 40) if x is None else x
    y = signed_below(entropy, 1 << 40) if y is None else y
    values = (x, y, x * y if z is None else z)
    encrypted = [key.encrypt(value, entropy) for value in values]
    links = tuple(
        quadratic.PaillierLink(c * key.with_plaintext(9) % key.square, ((i, 1),), 9, key.randomness_bits)
        for i, (c, _) in enumerate(encrypted)
    )
    opening = random_bits(entropy, group.randomness_bits)
    external = quadratic.CommitmentLink(group.commit([y, 0, x], opening), ((0, 1), (2, 0)))
    statement = quadratic.Statement((40, 40, 80), (PRODUCT,), links, (external,))
    return statement, quadratic.Witness(values, tuple(r for _, r in encrypted), (opening,))
