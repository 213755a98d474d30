"""New shares of the same key: everybody shares zero, verifiably; old shares are worthless afterwards (R11).

1  publish A_j = v^{Δ·a_j}, j = 1..t, and send z_i(k); k checks v^{Δ·z_i(k)} = ∏ A_j^{k^j} and the bound
2  s_k' = s_k + Σ z_i(k) and v_k' = v_k·∏ A_j^{k^j}; every node checks v^{Δ·s_k'} = v_k' and the self-certification
3  a test decryption, everybody's signature on the key of epoch e+1; only then the old share is erased
"""

from collections.abc import Callable
from dataclasses import replace

from tacita.crypto.errors import InvalidKey
from tacita.crypto.integers import product
from tacita.crypto.threshold import KeyShare, ThresholdKey, check_key, check_share
from tacita.protocols.faults import CallerMistake, SuspectFault
from tacita.protocols.keygen.certificate import KeyCertificate, check_quorums
from tacita.protocols.keygen.dealing import Dealing
from tacita.protocols.keygen.renewal import Member, OpenChannel, Renewal, Renewed

STATISTICAL = 128


def zero_dealing(certificate: KeyCertificate) -> Dealing:
    """Coefficients in ±Δ²·D_max·2^s hide every share that is known of the old polynomial."""
    key = certificate.key
    bound = key.delta**2 << (certificate.origin.secret_bits + STATISTICAL)
    spread = int(key.threshold * key.parties**key.threshold)
    return Dealing(key.encryption, key.v, key.delta, key.threshold, bound, spread * bound, 1)


async def refresh_key(
    member: Member, share: KeyShare, open_channel: OpenChannel, keep: Callable[[Renewed], None] = lambda _: None
) -> Renewed:
    """One refresh at one node; raises TacitaError. `keep` stores the result over the old share, for good."""
    renewal = Renewal(member, open_channel)
    try:
        renewed = await _refresh(member, share, renewal)
        keep(renewed)
        renewal.settle()
        return renewed
    except BaseException as error:
        await renewal.abort(error)
        raise


async def _refresh(member: Member, share: KeyShare, renewal: Renewal) -> Renewed:
    parent = member.parent
    if member.receivers != member.everybody or parent.roster != member.receivers.digest:
        raise CallerMistake("a refresh keeps the roster; use a resharing to change it")
    public = zero_dealing(parent)
    finished = await renewal.meet(public)
    if finished is not None:
        return finished if finished.share is not None else Renewed(finished.certificate, share)
    # 1.
    names = member.receivers.names
    committed, received = await renewal.deal(dict.fromkeys(names, public), public.draw(0, member.entropy))
    # 2.
    key = refreshed(parent.key, public, [committed[name] for name in names])
    mine = KeyShare(share.index, int(share.secret + sum(received.values())))
    try:
        check_key(key)
        check_quorums(key)
        check_share(key, mine)
    except InvalidKey as error:
        raise SuspectFault(names, f"the refreshed key does not fit together ({error}); the old one stays") from None
    # 3.
    origin = replace(parent.origin, kind="refresh", parent=parent.identifier, transcript=renewal.transcript())
    certificate = KeyCertificate(key, origin, parent.roster)
    renewal.keep(certificate, mine)
    return await renewal.sign(certificate, mine)


def refreshed(key: ThresholdKey, public: Dealing, committed: list[list[int]]) -> ThresholdKey:
    """The public key of the next epoch."""
    square = key.encryption.square
    verification = tuple(
        int(product([v, *(public.exponentiated(a, k) for a in committed)], square))
        for k, v in enumerate(key.verification, start=1)
    )
    sigma = ((1 << key.sigma) + key.parties * public.share_bound).bit_length()
    return replace(key, verification=verification, epoch=key.epoch + 1, sigma=sigma)
