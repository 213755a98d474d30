"""What comes before new batches: meeting, and whatever an earlier epoch left unfinished (R6)."""

from tacita.crypto.encoding import read_json
from tacita.protocols.faults import CallerMistake, LocalFault, ProtocolFault, VerificationFailed
from tacita.protocols.keygen import gathering
from tacita.protocols.keygen.beginning import session_place
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.keygen.epoch import MODULUS, Epoch, Made, read_pending
from tacita.protocols.keygen.final_view import STEPS
from tacita.protocols.keygen.gathering import MAX_ABORTS, Gathered, Status
from tacita.protocols.keygen.memory import Memory, Winner
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.view import View, steps
from tacita.protocols.party import Event

MAX_RESUMES = 3
"""A winner that was resumed so often without success is discarded."""


async def meet(epoch: Epoch) -> Gathered:
    """Agree on parameters and on the session, new or recalled."""
    ceremony, parameters = epoch.ceremony, epoch.parameters
    if (parameters.parties, parameters.threshold) != (len(ceremony.roster.nodes), ceremony.roster.threshold):
        raise CallerMistake("the parameters are for another number of nodes than the roster has")
    ceremony.report(Event("meet"))
    first = epoch.next_channel(gathering.meeting(ceremony.name, ceremony.roster))
    channel = epoch.next_channel(await gathering.greet(first, ceremony.entropy))
    epoch.label = channel.session
    place = session_place(ceremony.name, ceremony.roster, parameters, ceremony.purpose)
    known = ceremony.store.recall("keygen/session", place)
    mine = Status()
    if known is not None:
        memory = Memory(ceremony.store, known)
        ended = memory.ended()
        if ended is not None:
            raise CallerMistake(f"this ceremony has ended ({ended}); start another one under another name")
        pending = memory.key()
        mine = Status.of(memory, read_pending(pending)[0].identifier.hex() if pending else "")
    gathered = await gathering.gather(channel, ceremony, place, mine)
    epoch.memory = Memory(ceremony.store, gathered.session)
    return gathered


def adopt(epoch: Epoch, gathered: Gathered) -> Made | None:
    """Take over a complete certificate that another node holds."""
    pending = epoch.memory.key()
    shown = next(((n, s.certificate) for n, s in gathered.statuses.items() if s.certificate), None)
    if shown is None:
        return None
    name, data = shown
    try:
        certificate = KeyCertificate.read(read_json(bytes.fromhex(data)))
        certificate.verify(epoch.ceremony.roster)
    except (VerificationFailed, ValueError) as error:
        raise ProtocolFault(name, f"the certificate it shows does not verify ({error})") from None
    mine = epoch.memory.certificate()
    if epoch.ceremony.share is not None and mine == certificate.encode():
        return Made(certificate, epoch.ceremony.share, epoch.candidates)
    if pending is None or read_pending(pending)[0].identifier != certificate.identifier:
        raise LocalFault("the others finished a key that this node holds no share of; start another ceremony")
    epoch.memory.certify(certificate.encode(), [*steps(epoch.parameters), *STEPS, "K6"])
    return Made(certificate, read_pending(pending)[1], epoch.candidates)


def begin_epoch(epoch: Epoch, gathered: Gathered) -> None:
    """Count it, at this node and in the transcript; too many end the ceremony."""
    recoverable = gathered.common("key") or epoch.ceremony.purpose == MODULUS
    if not recoverable and any(status.signed for status in gathered.statuses.values()):
        raise CallerMistake(
            "a node has signed a key that another node does not hold; start another ceremony under another name"
        )
    epoch.number = gathered.largest("epochs")
    if epoch.number > MAX_ABORTS:
        raise CallerMistake(
            f"this ceremony was interrupted {epoch.number} times, and every abort lets a cheater choose; find out "
            "why, then start another one under another name"
        )
    epoch.memory.begin_epoch(epoch.number, epoch.label)


async def recover(epoch: Epoch, gathered: Gathered) -> Winner | None:
    """R6: resume the winner that all hold, or audit with full roots what was interrupted."""
    winner = epoch.memory.winner() if gathered.common("winner") else None
    if winner is not None and epoch.number - winner.epoch <= MAX_RESUMES:
        return winner
    first = gathered.smallest("audited")
    for status in gathered.statuses.values():
        if status.winner:
            first = min(first, status.winner_batch)
    for batch in range(first, gathered.largest("dealt")):
        await _audit(epoch, batch)
    return None


async def _audit(epoch: Epoch, batch: int) -> None:
    """Everybody reveals the root of an interrupted batch; what was said in it is examined."""
    memory, parameters = epoch.memory, epoch.parameters
    epoch.before_opening()
    epoch.ceremony.report(Event("audit", batch))
    talk = epoch.talk_again(batch)
    place, seed = Place(memory.session, memory.epoch_of(batch), batch), memory.seed(batch)
    said = await talk.say("audit", place.encode() + seed if seed else b"")
    if "S1" in talk.record.said:
        View(parameters, place, talk.record).audit_interrupted(said)
    memory.discard_winner(batch)
    memory.audited(batch, [*steps(parameters), "audit"])
