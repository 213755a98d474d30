"""A75: three openings of θ under one mask factor N by linear algebra; every epoch has its own seed (R8)."""

from gmpy2 import invert, is_prime, is_square, isqrt, mpz

from tacita.crypto.entropy import SeededEntropy, random_below, random_bits
from tacita.crypto.threshold import lagrange
from tacita.deploy.attack.ring import MemoryStore
from tacita.protocols.keygen.memory import Memory

DELTA, HIDING = 6, 128


def prime(bits, entropy):
    while True:
        value = mpz(random_bits(entropy, bits)) | (mpz(3) << (bits - 2)) | 7
        if is_prime(value):
            return value


def share(value, bound, entropy):
    """Integer Shamir of Δ·value, degree 1, three parties."""
    limit = DELTA**2 * bound << HIDING
    slope = random_below(entropy, 2 * limit + 1) - limit
    return [DELTA * value + slope * i for i in (1, 2, 3)]


def epochs(modulus, phi, masks, entropy):
    """What party 3 sees in each epoch: its shares of φ and β, all openings, and Δ²·φ·β."""
    weights = [lagrange((1, 2, 3), i, DELTA) for i in (1, 2, 3)]
    seen = []
    for mask in masks:
        f = share(phi, 4 * modulus, entropy)
        g = share(random_below(entropy, 3 * int(modulus)), 4 * modulus, entropy)
        opened = [(weights[i] * f[i] * g[i] + mask[i]) % modulus for i in range(3)]
        seen.append((f[2], g[2], opened, sum(opened) * invert(DELTA, modulus) % modulus))
    return weights, seen


def attack(modulus, weights, seen):
    """9·f(1)·g(1) = 4·T + 2F·g(3) + 2·f(3)·T/F + f(3)·g(3), F = Δ·φ; differences of two epochs are linear in F, 1/F."""
    s0, u0, first, t0 = seen[0]
    equations = []
    for s, u, opened, t in seen[1:]:
        step = (opened[0] - first[0]) * invert(weights[0], modulus) % modulus
        constant = 9 * step - 4 * (t - t0) - s * u + s0 * u0
        equations.append(tuple(x % modulus for x in (2 * (u - u0), 2 * (s * t - s0 * t0), constant)))
    (a1, b1, c1), (a2, b2, c2) = equations
    phi = (c1 * b2 - c2 * b1) * invert(a1 * b2 - a2 * b1, modulus) * invert(DELTA, modulus) % modulus
    total = (1 - phi) % modulus
    square = total * total - 4 * modulus
    if square < 0 or not is_square(square):
        return None
    return (total + isqrt(square)) // 2


def masks(modulus, entropy):
    a, b = (random_below(entropy, int(modulus)) for _ in range(2))
    return [a, b, (-a - b) % modulus]


def test_one_mask_in_three_epochs_gives_the_factors_and_fresh_masks_do_not(seed) -> None:
    entropy = SeededEntropy(seed)
    p, q = prime(256, entropy), prime(256, entropy)
    modulus, phi = p * q, (p - 1) * (q - 1)
    same = [masks(modulus, entropy)] * 3
    assert attack(modulus, *epochs(modulus, phi, same, entropy)) in (p, q)
    fresh = [masks(modulus, entropy) for _ in range(3)]
    assert attack(modulus, *epochs(modulus, phi, fresh, entropy)) not in (p, q)


def test_a_seed_that_has_masked_an_opening_is_refused_in_another_epoch() -> None:
    memory = Memory(MemoryStore(), bytes(32))
    assert memory.use_theta_seed(b"seed", 1, 0)
    assert not memory.use_theta_seed(b"seed", 1, 0)
    assert not memory.use_theta_seed(b"seed", 2, 0)
    assert memory.use_theta_seed(b"another", 2, 0)
