"""Threshold decryption: any t+1 of n nodes decrypt, t or fewer learn nothing (Damgård–Jurik 2001, Shoup 2000).

Shares s_i = f(i) of a decryption exponent d, Δ = n!. A partial decryption is w_i = c^{2Δs_i}; with
λ_i = Δ·∏_{j≠i} j/(j−i) the combination is u = ∏ w_i^{2λ_i} = 1 + 4·κ·M·N, so M = L(u)/(4κ) mod N. The key file
holds κ ("kappa") and μ ("mu"), the plaintext of the public base v is 2μ; a dealer with safe primes has κ = Δ²,
μ = 1. The verification keys v_i = v^{Δs_i} must decrypt v itself, over every window of t+1 consecutive nodes:
∏ v_i^{λ_i} = 1 + 2·μ·κ·N. That is checked before a key is used, by everybody.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import gmpy2
from gmpy2 import mpz

from tacita.crypto.commitment import CommitmentGroup, hash_to_unit
from tacita.crypto.entropy import Entropy, random_below, random_bits
from tacita.crypto.errors import InvalidKey
from tacita.crypto.integers import Integer, centered, inverse, is_unit_of_symbol_one, multi_power, power, secret_power
from tacita.crypto.paillier import EncryptionKey, PublicParameters, encryption_key
from tacita.crypto.transcript import Transcript

DEALER_INSECURE = "dealer-insecure"
DEALERLESS = "dealerless"


@dataclass(frozen=True)
class ThresholdKey:
    """The public side of a key shared among `parties` nodes, `threshold` of which may be corrupt."""

    modulus: int
    parties: int
    threshold: int
    kappa: int
    mu: int
    sigma: int
    """Public bound on shares: |s_i| < 2^sigma."""
    v: int
    verification: tuple[int, ...]
    epoch: int
    provenance: str

    @property
    def encryption(self) -> EncryptionKey:
        """The Paillier key that everybody encrypts under."""
        return encryption_key(self.modulus)

    @property
    def delta(self) -> int:
        """Δ = n!, which clears every Lagrange denominator."""
        return math.factorial(self.parties)

    def identifier(self, group: CommitmentGroup) -> bytes:
        """dec_id: everything that a decryption proof depends on."""
        transcript = Transcript("decryption-key").absorb("enc", PublicParameters(self.encryption, group).identifier)
        for name in ("parties", "threshold", "delta", "kappa", "mu", "sigma", "v", "epoch", "provenance"):
            transcript.absorb(name, getattr(self, name))
        return transcript.absorb_all("verification", self.verification).digest()


@dataclass(frozen=True)
class KeyShare:
    """One node's secret share; `repr` shows the index only."""

    index: int
    """1-based evaluation point."""
    secret: int = field(repr=False)


def lagrange(points: Sequence[int], index: int, delta: int) -> int:
    """λ_i = Δ·∏_{j≠i} j/(j−i) over the given points, an integer."""
    numerator, denominator = delta, 1
    for j in points:
        if j != index:
            numerator, denominator = numerator * j, denominator * (j - index)
    return numerator // denominator


def verification_base(key: EncryptionKey, mu: int) -> Integer:
    """v = ((1+N)^μ·b^N)² with a hashed b: a public encryption of 2μ."""
    root = key.with_plaintext(mu) * power(hash_to_unit(key.modulus, "v"), key.modulus, key.square)
    return root * root % key.square


def check_key(key: ThresholdKey) -> None:
    """Refuse a key whose parameters or verification keys are wrong (raises InvalidKey).

    For a well-formed N this shows that the verification keys lie on one polynomial of degree t whose value at 0
    decrypts correctly; to cheat one needs a multiple of the order of v, which factors N.
    """
    n, t, encryption = key.parties, key.threshold, key.encryption
    if not (n >= 3 and t >= 1 and 2 * t < n and len(key.verification) == n):
        raise InvalidKey(f"a key for {n} nodes of which {t} may be corrupt does not have an honest majority")
    if key.kappa < 1 or key.mu < 1 or key.sigma < 1 or math.gcd(key.kappa * key.mu * 4, key.modulus) != 1:
        raise InvalidKey("the key's constants kappa, mu and sigma are not positive units")
    if key.v != verification_base(encryption, key.mu):
        raise InvalidKey("the key's base v is not the hashed one")
    for value in key.verification:
        if not 0 < value < encryption.square or not is_unit_of_symbol_one(value, encryption.modulus):
            raise InvalidKey("a verification key is not a unit of Jacobi symbol +1")
    expected = encryption.with_plaintext(2 * key.mu * key.kappa)
    for start in range(1, n - t + 1):
        points = range(start, start + t + 1)
        bases = [key.verification[i - 1] for i in points]
        if multi_power(bases, [lagrange(points, i, key.delta) for i in points], encryption.square) != expected:
            raise InvalidKey(
                f"the verification keys of nodes {start} to {start + t} do not decrypt the known ciphertext"
            )


def check_share(key: ThresholdKey, share: KeyShare) -> None:
    """Refuse a share that does not belong to this node's verification key (raises InvalidKey)."""
    if not 1 <= share.index <= key.parties or abs(share.secret) >= 1 << key.sigma:
        raise InvalidKey("the key share has no place in this key or is longer than its public bound")
    if secret_power(key.v, key.delta * share.secret, key.encryption.square) != key.verification[share.index - 1]:
        raise InvalidKey("the key share does not match this node's verification key; restore the right key file")


def partial_decrypt(key: ThresholdKey, share: KeyShare, ciphertext: Integer) -> Integer:
    """w_i = c^{2Δs_i} mod N²."""
    key.encryption.check(ciphertext)
    return secret_power(ciphertext, 2 * key.delta * share.secret, key.encryption.square)


def combine(key: ThresholdKey, partials: Mapping[int, Integer]) -> Integer:
    """The plaintext in (−N/2, N/2) from t+1 verified partial decryptions {index: w_i}.

    Raises InvalidKey if the product is no decryption, which verified partials of a well-formed key exclude.
    """
    if any(not 1 <= i <= key.parties for i in partials):
        raise InvalidKey("a partial decryption comes from a node that does not exist")
    points = sorted(partials)[: key.threshold + 1]
    if len(points) <= key.threshold:
        raise InvalidKey(f"{key.threshold + 1} partial decryptions are needed, {len(points)} are there")
    bases = [partials[i] for i in points]
    exponents = [2 * lagrange(points, i, key.delta) for i in points]
    u = multi_power(bases, exponents, key.encryption.square)
    if (u - 1) % key.modulus:
        raise InvalidKey("the partial decryptions do not combine to a decryption")
    return centered((u - 1) // key.modulus * inverse(4 * key.kappa, key.modulus), key.modulus)


def deal(bits: int, parties: int, threshold: int, entropy: Entropy) -> tuple[ThresholdKey, list[KeyShare]]:
    """INSECURE dealer: whoever runs this knows the factors of N and can decrypt and forge everything.

    Safe primes p = 2p'+1, q = 2q'+1, d = 0 mod p'q', d = 1 mod N. Provenance is `dealer-insecure`.
    """
    p, q = safe_prime(bits // 2, entropy), safe_prime(bits // 2, entropy)
    while q == p:
        q = safe_prime(bits // 2, entropy)
    modulus, order = p * q, (p - 1) // 2 * ((q - 1) // 2)
    if math.gcd(modulus, (p - 1) * (q - 1)) != 1:
        return deal(bits, parties, threshold, entropy)
    d = order * inverse(order, modulus)
    coefficients = [d] + [random_below(entropy, int(modulus * order)) for _ in range(threshold)]
    shares = [
        KeyShare(i, int(sum(a * mpz(i) ** k for k, a in enumerate(coefficients)) % (modulus * order)))
        for i in range(1, parties + 1)
    ]
    encryption, delta = encryption_key(int(modulus)), math.factorial(parties)
    v = verification_base(encryption, 1)
    verification = tuple(int(secret_power(v, delta * share.secret, encryption.square)) for share in shares)
    key = ThresholdKey(
        modulus=int(modulus),
        parties=parties,
        threshold=threshold,
        kappa=delta**2,
        mu=1,
        sigma=2 * int(modulus).bit_length(),
        v=int(v),
        verification=verification,
        epoch=0,
        provenance=DEALER_INSECURE,
    )
    check_key(key)
    return key, shares


def safe_prime(bits: int, entropy: Entropy) -> Integer:
    """A prime p = 2p'+1 with p' prime and the two top bits set, so that a product of two has 2·bits bits."""
    sieve = [r for r in range(3, 1 << 12, 2) if gmpy2.is_prime(r)]
    while True:
        start = mpz(random_bits(entropy, bits)) | (mpz(3) << (bits - 2)) | 3
        residues = [(r, int(start % r)) for r in sieve if r < start // 4]
        for step in range(0, 1 << 14, 4):
            # p = start + step is 3 mod 4; neither p nor (p−1)/2 may have a small factor r.
            if any((x + step) % r in (0, 1) for r, x in residues):
                continue
            p = start + step
            if gmpy2.is_prime((p - 1) // 2, 2) and gmpy2.is_prime(p, 25) and gmpy2.is_prime((p - 1) // 2, 25):
                return p
