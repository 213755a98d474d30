"""Who is guilty, from evidence alone: pure functions of a file and of a roster that the reader trusts.

A conviction repeats, on bytes that the culprit signed, the very check that an honest node made. Everything else in
the evidence is believed only as far as the culprit itself has fixed it by a signature: the evidence of a session holds
every broadcast up to the fault with everybody's signed echo, so the culprit has signed what it heard, word by word,
before it said what convicts it. Terms, key and nonces are fixed by hashes in these messages. Evidence of a key
ceremony is judged in the same way (keygen/judge.py). What does not convict acquits: bytes that cannot be read,
signatures that do not verify, messages of two sessions, another roster.

Two verdicts rest on more than the culprit's signature, namely that at most t nodes are corrupt: that a node's terms,
roster or key differ from the majority's (ParamMismatch), and that dealt shares differ from what is encrypted
(ConversionMismatch). The verdict says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tacita.crypto.encoding import FILE_VALUES, read_json
from tacita.crypto.errors import CryptoError, InvalidEncoding
from tacita.protocols import evidence as files
from tacita.protocols import introduction, releasing
from tacita.protocols.case import misplaced, read_case
from tacita.protocols.envelope import ABORT, EQUIVOCATION, EVERYONE, Envelope, convicted, open_signed
from tacita.protocols.faults import (
    CallerMistake,
    ConversionMismatch,
    Equivocation,
    Evidence,
    FalseComplaint,
    InvalidEncodingFault,
    ParamMismatch,
    ProtocolFault,
    TacitaError,
)
from tacita.protocols.keygen import judge as ceremony
from tacita.protocols.keygen import talk
from tacita.protocols.mpc.frames import EngineFrame, check_contents
from tacita.protocols.reading import COMPUTING, GATHERING, Reading
from tacita.protocols.roster import Roster
from tacita.protocols.stages import freeze, release
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.freeze import Frozen
from tacita.protocols.terms import canonical_json

SAID, MISPLACED = "said", "misplaced"
MAJORITY = (ParamMismatch, ConversionMismatch)
"""Faults whose proof rests on an honest majority."""


@dataclass(frozen=True)
class Verdict:
    """What the judge says."""

    culprit: str
    """A node of the roster or a participant; empty if nobody is convicted."""
    fault: str
    """The class of the fault, for example InvalidProofFault; empty if nobody is convicted."""
    sentence: str
    identity: str = ""
    """The culprit's Ed25519 key in hex: a participant is known by its key, its name is what its host says."""
    rests_on: str = ""
    """`signature`: the culprit's own; `majority`: at most t nodes are corrupt."""

    @property
    def convicts(self) -> bool:
        """True if the evidence proves somebody's fault."""
        return bool(self.culprit)


def judge(data: bytes, roster: Roster) -> Verdict:
    """Read a file of evidence and judge it; never raises."""
    try:
        evidence = files.from_file(data, roster)
        fault = proven(evidence, roster)
    except CryptoError as error:
        return Verdict("", "", str(error))
    rests_on = "majority" if isinstance(fault, MAJORITY) else "signature"
    return Verdict(fault.culprit, type(fault).__name__, str(fault), _identity(fault, evidence, roster), rests_on)


def proven(evidence: Evidence, roster: Roster) -> ProtocolFault:
    """The fault that the evidence proves, with that evidence; raises CryptoError if it proves none."""
    check = CHECKS.get(evidence.check)
    if check is None:
        raise InvalidEncoding("this is evidence of a check that the judge does not know")
    try:
        check(evidence, roster)
    except ProtocolFault as fault:
        fault.evidence = evidence
        return fault
    except TacitaError as error:
        raise InvalidEncoding(f"nobody is to blame: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError) as error:
        # Keys, terms and openings of a stranger's making may be such that nothing can be computed with them.
        raise InvalidEncoding(f"the evidence describes no session ({type(error).__name__})") from None
    raise InvalidEncoding("everything in the evidence is as it must be")


def _identity(fault: ProtocolFault, evidence: Evidence, roster: Roster) -> str:
    if fault.culprit in roster.names:
        return roster.nodes[roster.index(fault.culprit)].identity.hex()
    return read_case(evidence, roster).reading.setup.participant(fault.culprit).identity.hex()


# ---- the checks -----------------------------------------------------------------------------------------------------


def _blame(reading: Reading) -> None:
    raise reading.blame()


READINGS: Mapping[str, Callable[[Reading], object]] = {
    "hello": lambda reading: reading.setup,
    "envelope keys": lambda reading: reading.envelope_keys,
    "commit": lambda reading: reading.promised,
    "open": lambda reading: reading.bids,
    "freeze": lambda reading: reading.frozen,
    "coins": lambda reading: reading.parts,
    "confirm keys": lambda reading: reading.confirmed(),
    "shares": lambda reading: reading.shares_held(),
    "masks": lambda reading: reading.masks,
    "bind coin": lambda reading: reading.bind_coins,
    "bind all": lambda reading: reading.opened_shares("all"),
    "bind all partials": lambda reading: reading.plaintexts("all"),
    "bind each": lambda reading: reading.opened_shares("each"),
    "bind each partials": _blame,
}
"""Round → what every node reads in it; raises the fault."""


def _said(evidence: Evidence, roster: Roster) -> None:
    case = read_case(evidence, roster)
    if case.shown or case.last not in READINGS:
        raise InvalidEncoding("the evidence does not end with a round in which somebody can break a rule")
    READINGS[case.last](case.reading)


def _shown(evidence: Evidence, roster: Roster, after: str, private: bool) -> tuple[Reading, Envelope]:
    """The one message in question, of the round that the check is named after."""
    case = read_case(evidence, roster)
    if case.last != after or len(case.shown) != 1:
        raise InvalidEncoding("the evidence is not one message and the record before it")
    (message,) = case.shown
    receivers = set(roster.names) - {message.sender} if private else {EVERYONE}
    if (message.session, message.round) != (case.reading.session, evidence.check) or message.receiver not in receivers:
        raise InvalidEncoding("the message in question is not of this session, round or receiver")
    return case.reading, message


def _keys(evidence: Evidence, roster: Roster) -> None:
    reading, message = _shown(evidence, roster, GATHERING[-1], True)
    reading.contributions(message.sender, message.receiver, message.payload)


def _mask_shares(evidence: Evidence, roster: Roster) -> None:
    reading, message = _shown(evidence, roster, "masks", True)
    reading.mask_shares(message.sender, message.payload)


def _ticket(evidence: Evidence, roster: Roster) -> None:
    reading, message = _shown(evidence, roster, COMPUTING[-1], False)
    releasing.check_ticket(reading.setup, reading.ticket, message.sender, message.payload)


def _signed(evidence: Evidence, roster: Roster) -> None:
    reading, message = _shown(evidence, roster, COMPUTING[-1], False)
    releasing.read_set(reading.setup, reading.ticket, message.sender, message.payload)


def _partials(evidence: Evidence, roster: Roster) -> None:
    reading, message = _shown(evidence, roster, COMPUTING[-1], False)
    release.verify_partials(reading.setup, reading.ticket, message.sender, reading.outputs, message.payload)


def _misplaced(evidence: Evidence, roster: Roster) -> None:
    case = read_case(evidence, roster)
    if len(case.shown) != 1:
        raise InvalidEncoding("the evidence is not one message and the record before it")
    (message,) = case.shown
    if misplaced(message, message.session == case.label):
        raise ProtocolFault(message.sender, f"no node sends '{message.round}' to {_whom(message)} in a session")


def _frame(evidence: Evidence, roster: Roster) -> None:
    """Behind the record comes what one engine wrote to another: the session fixes the field that it computes in."""
    *record, signed = evidence.signed
    case, frame = read_case(replace(evidence, signed=tuple(record)), roster), EngineFrame.decode(signed)
    EngineFrame.verify(signed, roster.nodes[roster.index(frame.sender)].identity)
    if case.shown or frame.session != case.reading.session or frame.receiver not in set(roster.names) - {frame.sender}:
        raise InvalidEncoding("the frame is not one of this session, or not for one of its nodes")
    try:
        check_contents(frame.data, case.reading.setup.demand.prime)
    except InvalidEncoding as error:
        raise InvalidEncodingFault(frame.sender, f"its engine wrote what no engine writes ({error})") from None


def _whom(message: Envelope) -> str:
    return "everybody" if message.receiver == EVERYONE else "a single node"


def _equivocation(evidence: Evidence, roster: Roster) -> None:
    culprit = convicted(evidence, roster)
    place = open_signed(evidence.signed[0], roster)[0]
    raise Equivocation(culprit, f"two different messages in round '{place.round}'")


def _accusation(evidence: Evidence, roster: Roster) -> None:
    """An abort is signed together with the evidence in it; if that does not hold, its sender accused falsely."""
    (data,) = evidence.signed
    message, _ = open_signed(data, roster)
    if message.round != ABORT or not message.payload:
        raise InvalidEncoding("this is not an accusation")
    claim = files.decode(message.payload, roster)
    if claim.check in (ACCUSATION, talk.CHECK) or claim.check not in CHECKS:
        raise InvalidEncoding("this accusation is not of a session")
    try:
        proven(claim, roster)
    except CryptoError as error:
        raise FalseComplaint(message.sender, f"the evidence that it sends does not convict anybody ({error})") from None


def _two_sets(evidence: Evidence, roster: Roster) -> None:
    tree = read_json(evidence.context, FILE_VALUES)
    if not isinstance(tree, dict) or set(tree) != {"node", "first", "second"} or tree["node"] not in roster.names:
        raise InvalidEncoding("this is not evidence of two sets of bids")
    sets = Frozen.read(tree["first"]), Frozen.read(tree["second"])
    freeze.check_two(roster, tree["node"], sets, evidence.signed)


def omissions(receipt: Any, certificate: Certificate, roster: Roster) -> list[bytes]:
    """A receipt against a certificate: evidence about every node whose signature stands in both; raises CryptoError."""
    try:
        if receipt["format"] != freeze.RECEIPT:
            raise ValueError
        first, second = Frozen.read(receipt["set"]), freeze.certified(certificate)
        signed = {name: bytes.fromhex(receipt["signatures"][name]) for name in roster.names}
    except (ValueError, LookupError, TypeError, AttributeError, CallerMistake):
        raise InvalidEncoding("the receipt is not one of a session") from None
    results = []
    for name in set(roster.names) & set(certificate.nodes):
        tree = {"node": name, "first": first.tree(), "second": second.tree()}
        signatures = (signed[name], certificate.nodes[name].freeze)
        results.append(files.to_file(Evidence(TWO_SETS, signatures, canonical_json(tree)), roster))
    return results


FRAME = "engine frame"
TWO_SETS = "two sets"
ACCUSATION = "accusation"
CHECKS: Mapping[str, Callable[[Evidence, Roster], Any]] = {
    EQUIVOCATION: _equivocation,
    SAID: _said,
    MISPLACED: _misplaced,
    "keys": _keys,
    "mask shares": _mask_shares,
    releasing.TICKET: _ticket,
    releasing.SIGNED: _signed,
    releasing.PARTIALS: _partials,
    FRAME: _frame,
    introduction.CHECK: introduction.check,
    TWO_SETS: _two_sets,
    ACCUSATION: _accusation,
    talk.CHECK: ceremony.check,
}
"""Name → pure check: raises the ProtocolFault that the evidence proves, or CryptoError or another TacitaError."""
