"""Who broke a rule of the ceremony, before it becomes a fault with evidence."""

from collections.abc import Iterator
from contextlib import contextmanager

from tacita.crypto.errors import CryptoError
from tacita.protocols.faults import Evidence, InvalidEncodingFault, ProtocolFault
from tacita.protocols.roster import Roster


class Blame(Exception):
    """Party number `party` broke the protocol; `kind` is the class of the fault."""

    def __init__(self, party: int, reason: str, kind: type[ProtocolFault]) -> None:
        super().__init__(reason)
        self.party, self.reason, self.kind = party, reason, kind

    def fault(self, roster: Roster, evidence: Evidence | None) -> ProtocolFault:
        """The fault to raise: the same class, culprit and sentence at every node and for every judge."""
        return self.kind(roster.names[self.party - 1], self.reason, evidence)


@contextmanager
def accused(party: int, what: str) -> Iterator[None]:
    """Whatever cannot be decoded inside is this party's fault."""
    try:
        yield
    except CryptoError as error:
        raise Blame(party, f"{what} is malformed: {error}", InvalidEncodingFault) from None
