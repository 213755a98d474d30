"""A11, A12, A14–A16, A74–A76: what a party can do to the cluster's key, and to its own randomness."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from importlib import import_module
from typing import Any

from gmpy2 import gcd, invert, is_prime, is_square, isqrt, mpz, powmod

from tacita.crypto import signature, threshold
from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import SeededEntropy, SystemEntropy, random_below, random_bits
from tacita.crypto.errors import EntropyFailure, InvalidKey, InvalidProof, InvalidSignature
from tacita.crypto.proofs import decryption
from tacita.crypto.signature import verify_aggregate
from tacita.crypto.threshold import lagrange, partial_decrypt
from tacita.crypto.transcript import Context
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.liars import Lies, zero_units
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.proofs import parameters as toy_parameters
from tacita.deploy.attack.ring import MemoryStore, Ring
from tacita.deploy.attack.scene import cluster
from tacita.deploy.simulate.members import insecure_key
from tacita.deploy.simulate.plan import TOY_BITS
from tacita.protocols.faults import CallerMistake, ProtocolFault
from tacita.protocols.keygen import biprime, judge
from tacita.protocols.keygen.ceremony import Made
from tacita.protocols.keygen.memory import Memory
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import Place
from tacita.protocols.roster import Roster


def flip(payload: bytes) -> bytes:
    """Another payload of the same length."""
    return payload[:-1] + bytes([payload[-1] ^ 1])


def ceremony(play: Play, lies: Lies) -> tuple[Ring, Shown]:
    """A toy ceremony of three nodes with one liar: who is named at every honest node, and what the judge says."""
    ring = Ring(seed=play.name)
    lies.install(ring, play.patch)
    outcomes = ring.run()
    liar = ring.names[lies.liar - 1]
    ends = [result for name, result in outcomes.items() if name != liar]
    first, problems = ends[0], list[str]()
    if any(type(end) is not type(first) for end in ends):
        problems.append(f"the honest nodes end differently: {[type(end).__name__ for end in ends]}")
    if isinstance(first, Made):
        return ring, Shown("P", deviated=bool(lies.told), problems=problems)
    if not isinstance(first, ProtocolFault):
        return ring, Shown(f"R {type(first).__name__}", deviated=bool(lies.told), problems=problems)
    proven = True
    for end in ends:
        assert ring.parameters is not None
        found = judge.verdict(ring.roster, getattr(end, "evidence", None))
        proven = proven and found is not None and found.culprit == liar
    leaf = type(first).__name__
    leaf = leaf if leaf == "ProtocolFault" else leaf.removesuffix("Fault")
    return ring, Shown(f"I {leaf}", first.culprit, bool(lies.told), problems=problems, judged=proven)


# ---- the modulus ----------------------------------------------------------------------------------------------------


def prime(bits: int, residue: int, step: int, entropy: Any) -> Any:
    """A prime of this length in a residue class."""
    while True:
        value = mpz(random_bits(entropy, bits)) | (mpz(3) << (bits - 2))
        value += (residue - value) % step
        if is_prime(value) and value.bit_length() == bits:
            return value


def old_test(honest: Any) -> Any:
    """Old rule: g^{(N−1)/4} = ± g^{(p+q−2)/4}, which two primes 1 modulo 4 pass."""

    def passes(modulus: Any, g: Any, factors: Any, public: Any) -> bool:
        product = mpz(1)
        for v in factors:
            product = product * v % modulus
        return powmod(g, (modulus - 1) // 4, modulus) * invert(product, modulus) % modulus in (1, modulus - 1)

    return passes


ROUNDS = 128


def best_factor(g: Any, factors: Sequence[Any], modulus: Any) -> Any:
    """What a prover who knows p, q = 1 mod 4 sends: g^{(p+q−2)/4}."""
    return powmod(g, sum(f - 1 for f in factors) // 4, modulus)


@case("A76", "two primes that are 1 modulo 4", "I BadModulus",
      Defence("tacita.protocols.keygen.biprime.passes", old_test, notices=lambda good: not good),
      accepts="R BadModulus")  # fmt: skip
def wrong_primes(play: Play) -> Shown:
    """128 rounds on a modulus of the prover's choice."""
    entropy = SeededEntropy(play.name)
    p, q = prime(256, 1, 4, entropy), prime(256, 1, 4, entropy)
    modulus, coin, passed = p * q, entropy.token(32), 0
    for k in range(ROUNDS):
        g = biprime.base(modulus, coin, k)
        passed += biprime.passes(modulus, g, [best_factor(g, (p, q), modulus)], biprime.public_factor(g, modulus))
    if passed == ROUNDS:
        return Shown("P", harm="key made of two primes 1 modulo 4 passes all 128 rounds")
    return Shown("R BadModulus")


@case("A11", "modulus of the wrong shape", "I BadModulus",
      Defence("tacita.protocols.keygen.biprime.two_factors_at_least", lambda honest: lambda modulus: True,
              notices=lambda good: not good),
      variants={"a prime and a power": "R BadModulus", "another N in a ceremony": "I BadModulus by node3"})  # fmt: skip
def bad_modulus(play: Play) -> Shown:
    """No party brings a modulus of its own here; what it can do is to lie about its share of the product."""
    if play.variant == "another N in a ceremony":
        return ceremony(play, Lies(liar=3, opens={"S4": flip}))[1]
    entropy = SeededEntropy(play.name)
    p = prime(256, 7, 8, entropy)
    taken = [what for what, bad in (("prime", p), ("p²", p * p)) if biprime.two_factors_at_least(bad)]
    return Shown("P" if taken else "R BadModulus", harm=f"accepted as N: {', '.join(taken)}" if taken else "")


def no_commitment(honest: Any) -> Any:
    """Old rule: everybody opens without having committed."""
    return lambda self, step, sender, nonce, payload: bytes(32)


@case("A12", "last speaker of a round in the ceremony", "I Equivocation",
      Defence("tacita.protocols.keygen.statements.Place.commitment", no_commitment, prevents=True), culprit="node3",
      variants=("S7", "K2 open"))  # fmt: skip
def rushing(play: Play) -> Shown:
    """Opens another value than it committed to; to show why, the last factor that makes any P·Q pass the test."""
    _, shown = ceremony(play, Lies(liar=3, reopens={play.variant: flip}))
    entropy, place = SeededEntropy(play.name), Place(bytes(32), 0, 0)
    p, q = prime(256, 7, 8, entropy), prime(256, 7, 8, entropy)
    modulus, coin, passed = p * q, entropy.token(32), 0
    honest = [random_bits(entropy, 250) for _ in range(2)]
    for k in range(ROUNDS):
        g = biprime.base(modulus, coin, k)
        factors = [biprime.secret_factor(g, e, modulus) for e in honest]
        nonce = entropy.token(32)
        promised = place.commitment("S7", 3, nonce, b"anything")
        last = powmod(g, (p + q - 6) // 8, modulus) * invert(factors[0] * factors[1], modulus) % modulus
        opens = place.commitment("S7", 3, nonce, int(last).to_bytes(64, "big")) == promised
        passed += opens and biprime.passes(modulus, g, [*factors, last], biprime.public_factor(g, modulus))
    shown.harm = "key factored: N = P·Q of the last speaker's choice passes 128 rounds" if passed == ROUNDS else ""
    return shown


@case("A14", "verification key that does not fit", "I BadKeyShare",
      Defence("tacita.crypto.threshold.check_key"),
      variants={"in a key": "R InvalidKey", "in a ceremony": "I BadKeyShare by node2"})  # fmt: skip
def wrong_verification_key(play: Play) -> Shown:
    """v_2 of another exponent: node 2's honest decryptions would look wrong for ever."""
    if play.variant == "in a ceremony":
        return ceremony(play, Lies(liar=2, opens={"K4 open": flip}))[1]
    key, shares = insecure_key(3, TOY_BITS)
    square = key.encryption.square
    wrong = (key.verification[0], int(key.verification[1] * key.v % square), key.verification[2])
    bad = replace(key, verification=wrong)
    try:
        threshold.check_key(bad)
    except InvalidKey:
        return Shown("R InvalidKey")
    entropy, context = SeededEntropy(play.name), Context(bytes(32), "release", "node2", "outputs")
    c = bad.encryption.encrypt(42, entropy)[0]
    w = partial_decrypt(bad, shares[1], c)
    statement, group = decryption.statement_for(bad, 2, [c], [w]), commitment_group()
    proof = decryption.prove(bad, group, context, statement, shares[1], entropy)
    try:
        decryption.verify(bad, group, context, statement, proof)
    except InvalidProof:
        return Shown("P", harm="false blame: an honest decryption of node2 is refused under this key")
    return Shown("P")


# ---- sieve and masks ------------------------------------------------------------------------------------------------


def sample(parameters: Parameters, entropy: Any) -> tuple[Any, Any]:
    """p, q as the lattice of candidates gives them (primality does not matter to the attack)."""
    values = []
    for _ in range(2):
        unit = random_below(entropy, parameters.sieve)
        while gcd(unit, parameters.sieve) != 1:
            unit = random_below(entropy, parameters.sieve)
        fixed, sieve = parameters.fixed, parameters.sieve
        base = (unit * parameters.lift + (fixed - 1) * sieve * invert(sieve, fixed)) % parameters.lattice
        lift = sum(random_below(entropy, int(parameters.lift_range)) for _ in parameters.everyone)
        values.append(parameters.offset + base + parameters.lattice * lift)
    return mpz(values[0]), mpz(values[1])


def split(modulus: Any, p_residue: Any, lattice: Any) -> Any:
    """p = p0 + L·x, q = q0 + L·y: find the small x, y with (p0 + L·x)(q0 + L·y) = N modulo L² by lattice reduction."""
    q_residue = modulus * invert(p_residue, lattice) % lattice
    rest = (modulus - p_residue * q_residue) // lattice
    a = rest * invert(q_residue, lattice) % lattice
    b = -p_residue * invert(q_residue, lattice) % lattice
    u, v = (lattice, mpz(0)), (b, mpz(1))

    def dot(s: Any, t: Any) -> Any:
        return s[0] * t[0] + s[1] * t[1]

    while True:
        if dot(u, u) < dot(v, v):
            u, v = v, u
        k = (2 * dot(u, v) + dot(v, v)) // (2 * dot(v, v))
        if k == 0:
            break
        u = (u[0] - k * v[0], u[1] - k * v[1])
    determinant = u[0] * v[1] - u[1] * v[0]
    c, d = a * v[1] // determinant, -a * u[1] // determinant
    for i in range(-3, 4):
        for j in range(-3, 4):
            x = a - (c + i) * u[0] - (d + j) * v[0]
            factor = gcd(p_residue + lattice * x, modulus)
            if 1 < factor < modulus:
                return factor
    return None


def factored(parameters: Parameters, entropy: Any, runs: int = 10) -> int:
    """In how many of `runs` keys the attack finds the factors."""
    found = 0
    for _ in range(runs):
        p, q = sample(parameters, entropy)
        found += split(p * q, p % parameters.lattice, parameters.lattice) in (p, q)
    return found


def large_sieve(honest: Any) -> Any:
    """Old rule: L has k − 24 bits."""
    return lambda bits, parties, *_, **__: Parameters.fitting(bits, parties, 64, 8 * 3 * 5 * 7, bits // 2 - 24)


@case("A74", "sieve share x = 0", "I BadKeyShare",
      Defence("tacita.protocols.keygen.parameters.Parameters.standard", large_sieve, prevents=True),
      culprit="node1")  # fmt: skip
def zero_share(play: Play) -> Shown:
    """The party that shares 0 knows p and q modulo L; named in the audit, and useless with a small L."""
    _, shown = ceremony(play, Lies(liar=1, draws=zero_units))
    found = factored(Parameters.standard(1024, 3, 64, allow_test_bits=True), SeededEntropy(play.name))
    shown.harm = f"key factored: {found} of 10 keys of 1024 bits" if found else ""
    return shown


DELTA, HIDING = 6, 128


def epochs(modulus: Any, phi: Any, masks: Any, entropy: Any) -> tuple[Any, Any]:
    """What party 3 sees in each epoch: its shares of φ and β, all openings, and Δ²·φ·β."""

    def share(value: Any, bound: Any) -> list[Any]:
        limit = DELTA**2 * bound << HIDING
        slope = random_below(entropy, int(2 * limit + 1)) - limit
        return [DELTA * value + slope * i for i in (1, 2, 3)]

    weights, seen = [lagrange((1, 2, 3), i, DELTA) for i in (1, 2, 3)], []
    for mask in masks:
        f, g = share(phi, 4 * modulus), share(random_below(entropy, 3 * int(modulus)), 4 * modulus)
        opened = [(weights[i] * f[i] * g[i] + mask[i]) % modulus for i in range(3)]
        seen.append((f[2], g[2], opened, sum(opened) * invert(DELTA, modulus) % modulus))
    return weights, seen


def solve(modulus: Any, weights: Any, seen: Any) -> Any:
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
    return (total + isqrt(square)) // 2 if square >= 0 and is_square(square) else None


def fresh_masks(modulus: Any, entropy: Any) -> list[Any]:
    """A zero sharing of one epoch."""
    a, b = (random_below(entropy, int(modulus)) for _ in range(2))
    return [a, b, (-a - b) % modulus]


@case("A75", "one mask of θ in three epochs", "R MaskUsed",
      Defence("tacita.protocols.keygen.memory.Memory.use_theta_seed", lambda honest: lambda *_: True,
              notices=lambda fresh: not fresh))  # fmt: skip
def one_mask(play: Play) -> Shown:
    """A peer asks for three openings under one seed; the node's memory decides how many it gets."""
    entropy, memory = SeededEntropy(play.name), Memory(MemoryStore(), bytes(32))
    p, q = prime(256, 7, 8, entropy), prime(256, 7, 8, entropy)
    modulus, phi = p * q, (p - 1) * (q - 1)
    same, masks = fresh_masks(modulus, entropy), list[Any]()
    for epoch in range(3):
        masks += [same] if memory.use_theta_seed(b"the same seed", epoch, 0) else []
    if len(masks) < 3:
        return Shown("R MaskUsed")
    found = solve(modulus, *epochs(modulus, phi, masks, entropy))
    return Shown("P", harm="key factored: N of 512 bits" if found in (p, q) else "")


# ---- randomness and BLS ---------------------------------------------------------------------------------------------


def no_repeat_test(honest: Any) -> Any:
    """Old rule: whatever the system's generator returns is taken."""
    return lambda self, size: secrets.token_bytes(size)


@case("A15", "random source that returns the same again", "R EntropyFailure",
      Defence("tacita.crypto.entropy.SystemEntropy.token", no_repeat_test))  # fmt: skip
def stuck_entropy(play: Play) -> Shown:
    """A machine whose generator is stuck encrypts two bids: equal randomness shows their difference."""
    key, source = toy_parameters().key, SystemEntropy()
    play.patch.setattr(secrets, "token_bytes", lambda size: (b"\x07stuck" * size)[:size])
    first, second = 1234567, 1234321
    try:
        one, other = key.encrypt(first, source)[0], key.encrypt(second, source)[0]
    except EntropyFailure:
        return Shown("R EntropyFailure")
    ratio = one * invert(other, key.square) % key.square
    difference = (ratio - 1) // key.modulus
    return Shown("P", harm=f"secret read: two bids differ by {difference}" if difference == first - second else "")


@case("A16", "rogue key in the BLS signature", "I InvalidProof",
      Defence("tacita.protocols.roster.Roster.check_possession"), accepts="R CallerMistake")  # fmt: skip
def rogue_key(play: Play) -> Shown:
    """node3's key is a·G minus the keys of the others: a signature with a counts for all of them."""
    bls: Any = import_module("py_ecc.bls.g2_primitives")
    curve: Any = import_module("py_ecc.optimized_bls12_381")
    hashed: Any = import_module("py_ecc.bls.hash_to_curve").hash_to_G2
    members, a, ticket = cluster(play.parties), 12345, b"another ticket".ljust(32, b"\0")
    point = curve.multiply(curve.G1, a)
    others = [node for node in members.roster.nodes if node.name != "node3"]
    for node in others:
        point = curve.add(point, curve.neg(bls.pubkey_to_G1(node.multi)))
    rogue = bytes(bls.G1_to_pubkey(point))
    nodes = [replace(n, multi=rogue) if n.name == "node3" else n for n in members.roster.nodes]
    try:
        Roster(tuple(nodes)).check_possession()
    except CallerMistake:
        return Shown("R CallerMistake")
    forged = bytes(bls.G2_to_signature(curve.multiply(hashed(ticket, signature._scheme().DST, sha256), a)))
    try:
        verify_aggregate([node.multi for node in nodes], ticket, forged)
    except InvalidSignature:
        return Shown("R InvalidSignature")
    return Shown("P", harm=f"forged: a ticket signed for all {play.parties} nodes by one")
