"""After the dealing: are the shares that the engine will use shares of what is encrypted in the bid objects and masks?

Every dealer d – a participant for its fields x, a node for its masks r – has published ciphertexts of its integers and
of one blinding integer, and has dealt shares of all of them. With random coefficients ρ from a coin that was fixed
after everything had been dealt,
    T_d = Σ_j ρ_j·x_j + blind_d
is formed from the ciphertexts and from the shares. Σ_d T_d is decrypted, and opened from the shares; if both agree
modulo the field's prime, all dealers' shares are right, except with probability 1/p + 2^−128. All m shares must lie
on one polynomial of degree t. If they disagree, each T_d is decrypted and opened: same coefficients, same blinds, so
nothing new is shown. A dealer whose T_d disagrees although all m shares fit together has dealt wrong shares; if they
do not fit together, nobody can tell who lied, and nobody is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.integers import Integer, multi_power
from tacita.crypto.security import CHALLENGE_BITS
from tacita.crypto.shamir import coefficients_at, reconstruct
from tacita.crypto.transcript import Context, Transcript, digest
from tacita.protocols.faults import ConversionMismatch, InconsistentOpening, SuspectFault
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.masks import PostedMasks
from tacita.protocols.stages.setup import Setup


@dataclass(frozen=True)
class Dealing:
    """What one dealer published and dealt to this node; the blind is last in both."""

    dealer: str
    ciphertexts: tuple[Integer, ...]
    shares: tuple[int, ...] = field(repr=False)


def dealings(
    setup: Setup,
    bids: Mapping[str, BidObject],
    posted: Mapping[str, PostedMasks],
    shares: Mapping[str, Sequence[int]] | None,
    attempt: int,
) -> list[Dealing]:
    """All dealers: participants by name, then nodes in roster order; zeros for shares that are not known.

    Every attempt takes another blind of a participant: two combinations under one would show a third without any.
    """
    published = {e.name: (*bids[e.name].fields, bids[e.name].blinds[attempt - 1]) for e in setup.enrolled}
    published |= {node: (*posted[node].values, posted[node].blind) for node in setup.roster.names}
    return [Dealing(name, row, tuple(shares[name]) if shares else (0,) * len(row)) for name, row in published.items()]


def commitment(node: str, coin: bytes, nonce: bytes) -> bytes:
    """A node's commitment to its part of the coin."""
    return digest("bind-coin", ("node", node), ("coin", coin), ("nonce", nonce))


@dataclass(frozen=True)
class Combination:
    """T_d of one dealer: this node's share and the ciphertext."""

    dealer: str
    share: int = field(repr=False)
    ciphertext: Integer


def combinations(
    setup: Setup, session: bytes, coins: Mapping[str, bytes], everybody: Sequence[Dealing]
) -> list[Combination]:
    """T_d of every dealer, with coefficients from all nodes' parts of the coin."""
    transcript = Transcript("bind").absorb("session", session)
    for node in setup.roster.names:
        transcript.absorb("node", node).absorb("coin", coins[node])
    results = []
    for dealing in everybody:
        rho = transcript.absorb("dealer", dealing.dealer).challenges("rho", len(dealing.shares) - 1, CHALLENGE_BITS)
        factors = [*rho, 1]
        share = sum(k * s for k, s in zip(factors, dealing.shares, strict=True)) % setup.demand.prime
        ciphertext = multi_power(dealing.ciphertexts, factors, setup.key.encryption.square)
        results.append(Combination(dealing.dealer, share, ciphertext))
    return results


def together(setup: Setup, parts: Sequence[Combination]) -> Combination:
    """Σ_d T_d."""
    square = setup.key.encryption.square
    share = sum(part.share for part in parts) % setup.demand.prime
    return Combination("", share, multi_power([part.ciphertext for part in parts], [1] * len(parts), square))


def context(session: bytes, node: str, what: str) -> Context:
    """Where a partial decryption of this stage belongs."""
    return Context(session, "bind", node, what)


def opened(setup: Setup, shares: Mapping[str, int]) -> int | None:
    """The value of all m nodes' shares, or None if they do not lie on one polynomial of degree t."""
    prime, needed = setup.demand.prime, setup.roster.threshold + 1
    points = {setup.roster.index(node) + 1: share for node, share in shares.items()}
    first = {i: points[i] for i in sorted(points)[:needed]}
    for i, share in points.items():
        row = coefficients_at(list(first), i, prime)
        if sum(c * s for c, s in zip(row, first.values(), strict=True)) % prime != share:
            return None
    return reconstruct(first, prime)


def check_total(setup: Setup, shares: Mapping[str, int], decrypted: int) -> bool:
    """Whether the decrypted Σ_d T_d is the shared one; raises InconsistentOpening if the shares fit nothing."""
    value = opened(setup, shares)
    if value is None:
        raise InconsistentOpening(setup.roster.names, "the shares of the inputs do not fit together; run again")
    return value == decrypted % setup.demand.prime


def blame(setup: Setup, shares: Mapping[str, Mapping[str, int]], decrypted: Mapping[str, int]) -> Exception:
    """Who dealt wrong shares, from every T_d {dealer: {node: share}} and {dealer: plaintext}."""
    values = {dealer: opened(setup, row) for dealer, row in shares.items()}
    for dealer, value in values.items():
        if value is not None and value != decrypted[dealer] % setup.demand.prime:
            return ConversionMismatch(dealer, "the shares that it dealt are not shares of what it encrypted")
    return SuspectFault(setup.roster.names, "shares do not fit the ciphertexts and nothing shows whose; run again")
