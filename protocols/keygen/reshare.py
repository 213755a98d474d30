"""The same key for another roster: t+1 holders share their shares, verifiably, among the new nodes.

1  holder i publishes A_0 = v^{Δ'·a_0}, …, A_{t'} with a_0 = Δ'·λ_i·s_i; everybody checks A_0^Δ = v_i^{Δ'²·λ_i}
2  the new s_k' is the sum of what k received, its v_k' the product of ∏ A_j^{k^j}; the secret has grown by Δ'·Δ, which
   the new constant κ' = Δ'³·κ/Δ takes in
3  a test decryption, all new nodes' signatures; then the old shares are erased. At most 16 times, because they grow.
"""

from dataclasses import replace
from math import factorial

from tacita.crypto.errors import InvalidKey
from tacita.crypto.integers import inverse, power, product
from tacita.crypto.threshold import KeyShare, ThresholdKey, check_key, check_share, lagrange
from tacita.protocols.faults import BadKeyShare, CallerMistake, SuspectFault
from tacita.protocols.keygen.certificate import KeyCertificate, check_quorums
from tacita.protocols.keygen.dealing import Dealing
from tacita.protocols.keygen.refresh import STATISTICAL
from tacita.protocols.keygen.renewal import Member, OpenChannel, Renewal, Renewed
from tacita.protocols.roster import Roster, check_size

MAX_RESHARES = 16


def dealers(old: Roster, receivers: Roster) -> list[int]:
    """Numbers of the t+1 old nodes that hand their shares on: those that stay first."""
    order = sorted(range(len(old.nodes)), key=lambda i: (old.names[i] not in receivers.names, i))
    return sorted(i + 1 for i in order[: old.threshold + 1])


def share_dealing(certificate: KeyCertificate, receivers: Roster, quorum: list[int]) -> Dealing:
    """Bounds of a resharing: |λ_i·s_i| ≤ max|λ|·2^σ."""
    key, parties, threshold = certificate.key, len(receivers.nodes), receivers.threshold
    delta = factorial(parties)
    largest = max(abs(lagrange(quorum, i, key.delta)) for i in quorum) << key.sigma
    bound = delta**2 * largest << STATISTICAL
    share_bound = delta * largest + int(threshold * parties**threshold) * bound
    return Dealing(key.encryption, key.v, delta, threshold, bound, share_bound, 0)


async def reshare_key(member: Member, old: Roster, share: KeyShare | None, open_channel: OpenChannel) -> Renewed:
    """One resharing at one node, old or new; raises TacitaError."""
    renewal = Renewal(member, open_channel)
    try:
        renewed = await _reshare(member, old, share, renewal)
        await renewal.close()
        return renewed
    except BaseException as error:
        await renewal.abort(error)
        raise


async def _reshare(member: Member, old: Roster, share: KeyShare | None, renewal: Renewal) -> Renewed:
    parent, receivers = member.parent, member.receivers
    check_size(len(receivers.nodes))
    if parent.roster != old.digest:
        raise CallerMistake("the key belongs to another roster than the old one that was given")
    if parent.origin.reshares >= MAX_RESHARES:
        raise CallerMistake(f"this key was handed on {MAX_RESHARES} times; run a new key ceremony instead")
    quorum = dealers(old, receivers)
    public = share_dealing(parent, receivers, quorum)
    finished = await renewal.meet(public)
    if finished is not None:
        return finished
    # 1.
    mine = None
    if share is not None and share.index in quorum:
        weight = lagrange(quorum, share.index, parent.key.delta)
        mine = public.draw(public.delta * weight * share.secret, member.entropy)
    publics = {old.names[i - 1]: public for i in quorum}
    committed, received = await renewal.deal(publics, mine)
    for i in quorum:
        check_first(parent.key, public, quorum, i, old.names[i - 1], committed[old.names[i - 1]][0])
    # 2.
    key = reshared(parent.key, public, receivers, [committed[old.names[i - 1]] for i in quorum])
    next_share = KeyShare(member.number, int(sum(received.values()))) if member.number is not None else None
    try:
        check_key(key)
        check_quorums(key)
        if next_share is not None:
            check_share(key, next_share)
    except InvalidKey as error:
        raise SuspectFault(old.names, f"the reshared key does not fit together ({error}); the old one stays") from None
    # 3.
    origin = replace(
        parent.origin,
        kind="reshare",
        parent=parent.identifier,
        transcript=renewal.transcript(),
        reshares=parent.origin.reshares + 1,
        secret_bits=parent.origin.secret_bits + (public.delta * parent.key.delta).bit_length(),
    )
    certificate = KeyCertificate(key, origin, receivers.digest)
    renewal.keep(certificate, next_share)
    return await renewal.sign(certificate, next_share)


def check_first(key: ThresholdKey, public: Dealing, quorum: list[int], i: int, name: str, first: int) -> None:
    """A_0 = v^{Δ'·Δ'·λ_i·s_i} fits the dealer's verification key v_i = v^{Δ·s_i}; raises BadKeyShare."""
    square = key.encryption.square
    expected = power(key.verification[i - 1], public.delta**2 * lagrange(quorum, i, key.delta), square)
    if power(first, key.delta, square) != expected:
        raise BadKeyShare(name, "it hands on something else than its share")


def reshared(key: ThresholdKey, public: Dealing, receivers: Roster, committed: list[list[int]]) -> ThresholdKey:
    """The public key of the new roster."""
    verification = tuple(
        int(product([public.exponentiated(a, k) for a in committed], key.encryption.square))
        for k in range(1, len(receivers.nodes) + 1)
    )
    return replace(
        key,
        parties=len(receivers.nodes),
        threshold=receivers.threshold,
        kappa=int(public.delta**3 * key.kappa * inverse(key.delta, key.modulus) % key.modulus),
        sigma=(len(committed) * public.share_bound).bit_length(),
        verification=verification,
        epoch=key.epoch + 1,
    )
