"""Who is guilty, from evidence alone: pure functions of a file and of a roster that the reader trusts.

A conviction repeats, on bytes that the culprit signed, the very check that an honest node made. Everything else in
the evidence is believed only as far as a hash in the culprit's signed bytes fixes it. What does not convict acquits:
bytes that cannot be read, signatures that do not verify, messages of two sessions put together, another roster.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tacita.crypto.errors import CryptoError, InvalidEncoding
from tacita.protocols import evidence as files
from tacita.protocols.channel import EQUIVOCATION, convicted, open_signed
from tacita.protocols.faults import CallerMistake, Equivocation, Evidence, PeerRefused, ProtocolFault
from tacita.protocols.roster import Roster


@dataclass(frozen=True)
class Verdict:
    """What the judge says."""

    culprit: str
    """A node of the roster or a participant; empty if nobody is convicted."""
    fault: str
    """The class of the fault, for example InvalidProofFault; empty if nobody is convicted."""
    sentence: str

    @property
    def convicts(self) -> bool:
        """True if the evidence proves somebody's fault."""
        return bool(self.culprit)


def judge(data: bytes, roster: Roster) -> Verdict:
    """Read a file of evidence and judge it; never raises."""
    try:
        fault = proven(files.from_file(data, roster), roster)
    except CryptoError as error:
        return Verdict("", "", str(error))
    return Verdict(fault.culprit, type(fault).__name__, str(fault))


def proven(evidence: Evidence, roster: Roster) -> ProtocolFault:
    """The fault that the evidence proves, with that evidence; raises CryptoError if it proves none."""
    check = CHECKS.get(evidence.check)
    if check is None:
        raise InvalidEncoding("this is evidence of a check that the judge does not know")
    try:
        fault = check(evidence, roster)
    except (PeerRefused, CallerMistake) as error:
        raise InvalidEncoding(str(error)) from None
    fault.evidence = evidence
    return fault


def _equivocation(evidence: Evidence, roster: Roster) -> ProtocolFault:
    culprit = convicted(evidence, roster)
    place = open_signed(evidence.signed[0], roster)[0]
    return Equivocation(culprit, f"two different messages in round '{place.round}'")


CHECKS: Mapping[str, Callable[[Evidence, Roster], ProtocolFault]] = {EQUIVOCATION: _equivocation}
"""Name → pure check; returns the fault or raises CryptoError, PeerRefused or CallerMistake."""
