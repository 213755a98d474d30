"""A75: three openings of θ under one mask factor N by linear algebra; every epoch has its own seed (R8)."""

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.keys import epochs, fresh_masks, prime, solve
from tacita.deploy.attack.ring import MemoryStore
from tacita.protocols.keygen.memory import Memory


def test_one_mask_in_three_epochs_gives_the_factors_and_fresh_masks_do_not(seed) -> None:
    entropy = SeededEntropy(seed)
    p, q = prime(256, 7, 8, entropy), prime(256, 7, 8, entropy)
    modulus, phi = p * q, (p - 1) * (q - 1)
    same = [fresh_masks(modulus, entropy)] * 3
    assert solve(modulus, *epochs(modulus, phi, same, entropy)) in (p, q)
    fresh = [fresh_masks(modulus, entropy) for _ in range(3)]
    assert solve(modulus, *epochs(modulus, phi, fresh, entropy)) not in (p, q)


def test_a_seed_that_has_masked_an_opening_is_refused_in_another_epoch() -> None:
    memory = Memory(MemoryStore(), bytes(32))
    assert memory.use_theta_seed(b"seed", 1, 0)
    assert not memory.use_theta_seed(b"seed", 1, 0)
    assert not memory.use_theta_seed(b"seed", 2, 0)
    assert memory.use_theta_seed(b"another", 2, 0)
