"""How a node introduces itself to the peer that it dials: under one name, signed with its own key.

The TLS certificate says who dials, and that name counts. The introduction says whom the dialler wants to be taken for;
a node that signs another name than its own has signed what no honest node signs, and the bytes convict it.
"""

from dataclasses import dataclass

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import CryptoError, InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey, verify_signature
from tacita.protocols.faults import Evidence, PeerRefused, ProtocolFault
from tacita.protocols.roster import Roster

CHECK = DOMAIN = "introduction"


@dataclass(frozen=True)
class Introduction:
    """The name in the certificate, whose identity signs, and the name under which the stream shall run."""

    certified: str
    claimed: str

    def sign(self, key: SigningKey) -> bytes:
        """signature ‖ body."""
        body = Writer().text(self.certified).text(self.claimed).to_bytes()
        return key.sign(DOMAIN, body) + body

    @staticmethod
    def read(signed: bytes, roster: Roster) -> "Introduction":
        """What a node of the roster signed; raises CryptoError."""
        reader = Reader(signed, "an introduction")
        signature = reader.fixed(SIGNATURE_BYTES)
        introduction = Introduction(reader.text(64), reader.text(64))
        reader.finish()
        if introduction.certified not in roster.names:
            raise InvalidEncoding("an introduction is signed by somebody who is not in the roster")
        identity = roster.nodes[roster.index(introduction.certified)].identity
        verify_signature(identity, DOMAIN, signed[SIGNATURE_BYTES:], signature)
        return introduction


def check(evidence: Evidence, roster: Roster) -> None:
    """Raises the fault that an introduction proves, or CryptoError."""
    (signed,) = evidence.signed
    introduction = Introduction.read(signed, roster)
    if introduction.claimed != introduction.certified:
        why = f"it introduces itself as {introduction.claimed!a}"
        raise ProtocolFault(introduction.certified, why, Evidence(CHECK, (signed,)))


def introduced(signed: bytes, certified: str, roster: Roster) -> str:
    """The name under which a stream may run whose TLS certificate says `certified`.

    Raises ProtocolFault with evidence for a node that introduces itself under another name, PeerRefused for whatever
    that node has not signed.
    """
    try:
        if Introduction.read(signed, roster).certified != certified:
            raise InvalidEncoding("an introduction is signed by another node than the certificate names")
        check(Evidence(CHECK, (signed,)), roster)
    except CryptoError as error:
        raise PeerRefused(f"a stream is refused: {error}; the node must introduce itself by its own name") from None
    return certified
