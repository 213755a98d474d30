"""What a stranger can check of a fault's evidence: signed broadcasts of a batch, read as every node reads them.

Nothing is taken from the accuser but bytes that others signed, and that bind the culprit to the rest: the record holds
every round up to the fault without a gap, each with everybody's signed echo. An honest node says nothing in a round
before it has echoed the one before; so the record is what the culprit had heard, word by word. What the messages mean
(parameters, place) follows from their label and from the session id in it, which are hashes: see beginning.py.

All messages of a batch carry one label; what came after an interruption (`audit`, or S8 and later) carries a second.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tacita.crypto.errors import CryptoError, InvalidEncoding, InvalidKey
from tacita.protocols.envelope import EVERYONE, echo_of, open_signed
from tacita.protocols.faults import Evidence, ProtocolFault, TacitaError
from tacita.protocols.keygen import beginning
from tacita.protocols.keygen.audit import check_public_factor
from tacita.protocols.keygen.beginning import Batch
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.certificate import check_signatures
from tacita.protocols.keygen.final_audit import open_winner
from tacita.protocols.keygen.final_view import HEADER, PRIVATE, STEPS, FinalView
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.talk import CHECK, Record
from tacita.protocols.keygen.view import View, private_steps, steps
from tacita.protocols.roster import Roster

AUDIT, OPEN, SIGN = "audit", "open", "K6"
COMMON_FACTORS = ("K0 commit", "K0 open")
"""Rounds that are left out if no prime is small enough to be looked for."""


def verdict(roster: Roster, evidence: object, session: bytes | None = None) -> ProtocolFault | None:
    """The fault that the evidence proves, or None: then it proves nothing, or nothing about this session."""
    if not isinstance(evidence, Evidence) or evidence.check != CHECK:
        return None
    try:
        if session in (None, beginning.read_context(evidence.context, roster).begun.session):
            check(evidence, roster)
    except ProtocolFault as fault:
        return fault
    except (CryptoError, TacitaError):
        return None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError):
        # Sizes of a stranger's making may be such that nothing can be computed with them.
        return None
    return None


def check(evidence: Evidence, roster: Roster) -> None:
    """Raises the ProtocolFault that the evidence proves; another error, or none at all, if it proves nothing."""
    batch = beginning.read_context(evidence.context, roster)
    heard = read(batch, roster, evidence)
    try:
        replay(batch, roster, heard)
    except Blame as blame:
        raise blame.fault(roster, evidence) from None


@dataclass(frozen=True)
class Heard:
    """A record without gaps."""

    record: Record
    early: list[str]
    """Rounds of the batch, in order."""
    late: list[str]
    """Rounds after an interruption, or of the last phase."""


def read(batch: Batch, roster: Roster, evidence: Evidence) -> Heard:
    """Check signatures, labels, echoes and order; raises CryptoError or PeerRefused."""
    record, signed = Record(), dict[tuple[str, str, str], bytes]()
    first = set(steps(batch.parameters))
    for data in evidence.signed:
        envelope, _ = open_signed(data, roster)
        place = envelope.round, envelope.sender, envelope.receiver
        if envelope.session != batch.labels[envelope.round.split("/")[0] not in first]:
            raise InvalidEncoding("the evidence mixes messages of several batches")
        if place in signed or envelope.receiver not in (EVERYONE, *roster.names):
            raise InvalidEncoding("the evidence holds a message twice, or one to nobody")
        signed[place] = data
        record.add(envelope, data, roster)
    rounds = [name for name in record.said if not name.endswith("/echo")]
    for name in rounds:
        places = [(name, sender, EVERYONE) for sender in roster.names]
        if not all(place in signed for place in places):
            raise InvalidEncoding(f"not everybody's message of round '{name}' is in the evidence")
        echo = echo_of(signed[place] for place in places)
        if record.said.get(f"{name}/echo") != dict.fromkeys(batch.parameters.everyone, echo):
            raise InvalidEncoding(f"not everybody has confirmed the messages of round '{name}'")
    return Heard(record, *_in_order(batch.parameters, rounds))


def _in_order(parameters: Parameters, rounds: list[str]) -> tuple[list[str], list[str]]:
    """Rounds of the batch and later ones; refuses gaps: an honest node is not judged by half of what it heard."""
    order = steps(parameters)
    early, late = [name for name in order if name in rounds], [name for name in rounds if name not in order]
    if early != order[: len(early)] or not early:
        raise InvalidEncoding("the record of the batch has gaps")
    if late and late != [AUDIT]:
        ends = [name for name in (OPEN, SIGN) if name in late]
        run = [name for name in STEPS if name in late]
        expected = [name for name in STEPS if name in run or name not in COMMON_FACTORS][: len(run)]
        known = len(ends) <= 1 and set(late) == {*run, *ends}
        if early != order or run != expected or not known or (ends == [SIGN] and run[-1:] != [STEPS[-1]]):
            raise InvalidEncoding("the record of the last phase has gaps")
        late = [*run, *ends]
    return early, late


def replay(batch: Batch, roster: Roster, heard: Heard) -> None:
    """Read every step in order; returns if nobody is to blame."""
    parameters, record, said = batch.parameters, heard.record, heard.record.said
    view = View(parameters, batch.begun, record)
    _ = view.announced
    view.roots()
    for (name, sender, receiver), payload in record.told.items():
        step = name.removesuffix("/private")
        if step in private_steps(parameters):
            view.private(private_steps(parameters).index(step), sender, receiver, payload)
    if "S4" in heard.early:
        _ = view.openings
    if "S5" in heard.early:
        _ = view.survivors
    if "S7" in heard.early:
        winner = view.winner
        if winner is not None:
            check_public_factor(view.tested, winner)
    if "S7b" in heard.early:
        view.agreed()
    if "S9" in heard.early:
        view.audit(said["S9"], view.winner)
    if AUDIT in heard.late:
        view.audit_interrupted(said[AUDIT])
    elif heard.late:
        _replay_final(batch, roster, view, heard)


def _replay_final(batch: Batch, roster: Roster, view: View, heard: Heard) -> None:
    if view.winner is None:
        raise InvalidEncoding("the batch has no winner that the nodes could go on with")
    record, late = heard.record, heard.late
    final = FinalView(batch.parameters, batch.last, view.winner, view.moduli[view.winner], record)
    if bool(final.sharing.primes) != (COMMON_FACTORS[1] in late) and "K1" in late:
        raise InvalidEncoding("the record of the last phase has gaps")
    if HEADER in late:
        _ = final.seeds
    readings: dict[str, Callable[[FinalView], object]] = {
        "S8 coin": lambda view: view.coin,
        "S8 open": lambda view: view.factors,
        "K0": lambda view: view.digests("K0"),
        "K0 open": lambda view: view.small_openings,
        "K1": lambda view: view.digests("K1"),
        "K2 open": lambda view: view.theta_parts,
        "K3": lambda view: view.digests("K3"),
        "K4 open": lambda view: view.verification,
    }
    for step, reading in readings.items():
        if step in late:
            _ = reading(final)
    for (name, sender, receiver), payload in record.told.items():
        step = name.removesuffix("/private")
        if step in PRIVATE:
            final.private(step, sender, receiver, payload)
    if "K5" in late:
        with suppress(InvalidKey):  # then the winner is opened
            key = final.key()
            final.check_decryptions(key)
            if SIGN in late:
                check_signatures(final.certificate(key, roster), roster, record.said[SIGN])
    if OPEN in late:
        open_winner(view, final, record.said[OPEN])
