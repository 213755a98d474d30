"""A whole ceremony at one node: from a roster to a certified key whose secrets never were all in one place.

0  meet, agree on parameters, draw or recall the session id; what was interrupted comes first (recovery.py)
1  batches of candidates until one passes (batch.py)
2  the winner: more tests, shares, verification keys, test decryption (final.py); a failure opens it, and so on with 1
3  all m nodes sign: the key certificate
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from tacita.crypto.threshold import KeyShare
from tacita.protocols.faults import LocalFault
from tacita.protocols.keygen import recovery
from tacita.protocols.keygen.batch import Batch
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.certificate import KeyCertificate, check_signatures
from tacita.protocols.keygen.epoch import (
    KEY,
    MODULUS,
    Ceremony,
    Epoch,
    Made,
    OpenChannel,
    encode_pending,
    read_pending,
)
from tacita.protocols.keygen.final import Final, decrypt_together
from tacita.protocols.keygen.final_audit import open_winner
from tacita.protocols.keygen.final_view import STEPS, Discard, FinalView
from tacita.protocols.keygen.gathering import Gathered
from tacita.protocols.keygen.memory import Winner
from tacita.protocols.keygen.modulus import ModulusCertificate, adopt_modulus, sign_modulus
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.talk import Talk
from tacita.protocols.keygen.view import View, steps
from tacita.protocols.party import Event

__all__ = ["Ceremony", "Made", "OpenChannel", "generate_key", "generate_modulus"]


Product = TypeVar("Product", Made, ModulusCertificate)
Finish = Callable[[Epoch, Winner], Awaitable[Product | None]]
"""What a winner becomes; None if it does not and was opened."""


async def generate_key(ceremony: Ceremony, open_channel: OpenChannel) -> Made:
    """Run one epoch of the ceremony; after an abort call it again. Raises TacitaError."""

    async def generate(epoch: Epoch) -> Made:
        gathered = await recovery.meet(epoch)
        made = recovery.adopt(epoch, gathered)
        if made is not None:
            epoch.ended = True
            return made
        recovery.begin_epoch(epoch, gathered)
        return await _sign_again(epoch, gathered) or await _search_all(epoch, gathered, _make_key)

    return await _guarded(Epoch(replace(ceremony, purpose=KEY), open_channel), generate)


async def generate_modulus(ceremony: Ceremony, open_channel: OpenChannel) -> ModulusCertificate:
    """The same for a commitment modulus, of which no share is kept."""

    async def generate(epoch: Epoch) -> ModulusCertificate:
        gathered = await recovery.meet(epoch)
        certificate = adopt_modulus(epoch, gathered)
        if certificate is not None:
            return certificate
        recovery.begin_epoch(epoch, gathered)
        return await _search_all(epoch, gathered, _make_modulus)

    return await _guarded(Epoch(replace(ceremony, purpose=MODULUS), open_channel), generate)


async def _guarded(epoch: Epoch, generate: Callable[[Epoch], Awaitable[Product]]) -> Product:
    """Turn blame into a fault with evidence, and tell the others whatever ends the epoch."""
    try:
        return await generate(epoch)
    except Blame as blame:
        fault = blame.fault(epoch.ceremony.roster, epoch.talk.evidence() if epoch.talk else None)
        await epoch.end(fault)
        raise fault from None
    except BaseException as error:
        await epoch.end(error)
        raise


async def _search_all(epoch: Epoch, gathered: Gathered, finish: Finish[Product]) -> Product:
    """What was interrupted first, then batch after batch until a winner becomes what is wanted."""
    winner = await recovery.recover(epoch, gathered)
    batch = gathered.largest("batches")
    while True:
        if winner is not None:
            product = await finish(epoch, winner)
            if product is not None:
                return product
        winner = await _search(epoch, batch)
        batch += 1


async def _sign_again(epoch: Epoch, gathered: Gathered) -> Made | None:
    """All nodes hold the same key already; only signatures were missing."""
    pending = epoch.memory.key()
    if not gathered.common("key") or pending is None:
        return None
    certificate, share = read_pending(pending)
    talk = epoch.talk_about(gathered.largest("batches"))
    view = FinalView(epoch.parameters, talk.place, 0, certificate.key.modulus, talk.record)
    return await _sign(epoch, talk, view, certificate, share)


# ---- 1. batches ---------------------------------------------------------------------------------------------------


async def _search(epoch: Epoch, batch: int) -> Winner | None:
    memory, parameters, report = epoch.memory, epoch.parameters, epoch.ceremony.report
    talk = epoch.talk_about(batch)
    work = Batch(parameters, talk, epoch.ceremony.entropy, lambda count: report(Event("survivors", count)))
    passed = await work.run()
    epoch.candidates += parameters.batch
    report(Event("candidates", epoch.candidates, parameters.expected_candidates))
    if passed is None:
        memory.audited(batch, steps(parameters))
        return None
    winner = Winner(batch, epoch.number, passed.index, passed.modulus, passed.p, passed.q)
    memory.keep_winner(winner)
    memory.audited(batch, [])
    return winner


# ---- 2. the winner ------------------------------------------------------------------------------------------------


def _final(epoch: Epoch, winner: Winner) -> Final:
    talk = epoch.talk
    epoch.ceremony.report(Event("key"))
    if talk is None or talk.place != Place(epoch.memory.session, winner.epoch, winner.batch):
        talk = epoch.talk_again(winner.batch)
    return Final(epoch.parameters, talk, winner, epoch.ceremony.entropy)


async def _make_modulus(epoch: Epoch, winner: Winner) -> ModulusCertificate | None:
    """Test the winner and sign it, or open it and return None."""
    final = _final(epoch, winner)
    certificate = ModulusCertificate(winner.modulus, epoch.memory.session, epoch.ceremony.roster.digest)
    final.resigns = certificate.identifier
    try:
        await final.certify_modulus()
        return await sign_modulus(epoch, final.talk, final)
    except Discard:
        await _discard(epoch, final.talk, final, winner)
        return None


async def _make_key(epoch: Epoch, winner: Winner) -> Made | None:
    """Make the key of a winner, or open it and return None."""
    final = _final(epoch, winner)
    talk, ceremony = final.talk, epoch.ceremony
    try:
        await final.certify_modulus()
        key, share = await final.derive_key()
        certificate = final.view.certificate(key, ceremony.roster)
        epoch.memory.keep_key(encode_pending(certificate, share))
        return await _sign(epoch, talk, final.view, certificate, share)
    except Discard:
        await _discard(epoch, talk, final, winner)
        return None


async def _discard(epoch: Epoch, talk: Talk, final: Final, winner: Winner) -> None:
    """Open the winner: examine everything that was said about it; without a culprit the search goes on."""
    memory, parameters = epoch.memory, epoch.parameters
    epoch.before_opening()
    said = await talk.say("open", (memory.seed(winner.batch) or bytes(32)) + final.seed)
    open_winner(View(parameters, Place(memory.session, winner.epoch, winner.batch), talk.record), final.view, said)
    memory.discard_winner(winner.batch)
    memory.audited(winner.batch, steps(parameters))


# ---- 3. sign ------------------------------------------------------------------------------------------------------


async def _sign(epoch: Epoch, talk: Talk, view: FinalView, certificate: KeyCertificate, share: KeyShare) -> Made:
    memory, ceremony = epoch.memory, epoch.ceremony
    await decrypt_together(view, talk, certificate.key, share, ceremony.entropy)
    if not memory.sign(certificate.identifier):
        raise LocalFault("this node has signed another key of this ceremony; it signs no second one")
    said = await talk.say("K6", certificate.sign(ceremony.identity))
    check_signatures(certificate, ceremony.roster, said)
    certificate = certificate.completed({talk.name(party): data for party, data in said.items()})
    certificate.verify(ceremony.roster)
    memory.certify(certificate.encode(), [*steps(epoch.parameters), *STEPS, "open", "K6"])
    ceremony.report(Event("done"))
    epoch.ended = True
    return Made(certificate, share, epoch.candidates)
