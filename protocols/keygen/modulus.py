"""A commitment modulus N_c from the same ceremony: S0 to S9, S8, K0, then all shares are erased.

Nobody ever knows its factors, and nobody keeps anything by which they could be found again. What all nodes sign is the
modulus alone with its session and roster, so a signature that was interrupted can be given again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tacita.crypto.encoding import read_json
from tacita.crypto.errors import InvalidSignature
from tacita.crypto.signature import SigningKey, verify_signature
from tacita.crypto.transcript import Transcript
from tacita.protocols.faults import ProtocolFault, VerificationFailed
from tacita.protocols.keygen import biprime
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.epoch import Epoch
from tacita.protocols.keygen.final import Final
from tacita.protocols.keygen.final_view import STEPS
from tacita.protocols.keygen.gathering import Gathered
from tacita.protocols.keygen.talk import Talk
from tacita.protocols.keygen.view import steps
from tacita.protocols.party import Event
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

FORMAT = "tacita-modulus/1"
DOMAIN = "modulus-certificate"


@dataclass(frozen=True)
class ModulusCertificate:
    """A modulus whose factors nobody knows, signed by all nodes of a roster."""

    modulus: int
    session: bytes
    roster: bytes
    signatures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def identifier(self) -> bytes:
        """What every node signs."""
        transcript = Transcript(DOMAIN).absorb("modulus", self.modulus)
        return transcript.absorb("session", self.session).absorb("roster", self.roster).digest()

    def sign(self, key: SigningKey) -> bytes:
        """One node's signature."""
        return key.sign(DOMAIN, self.identifier)

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(
            {
                "format": FORMAT,
                "modulus": format(self.modulus, "x"),
                "session": self.session.hex(),
                "roster": self.roster.hex(),
                "signatures": {name: data.hex() for name, data in self.signatures.items()},
            }
        )

    @staticmethod
    def read(tree: Any) -> "ModulusCertificate":
        """The inverse; raises VerificationFailed."""
        try:
            if tree["format"] != FORMAT or len(tree) != 5 or len(tree["modulus"]) > 1 << 11:
                raise ValueError("unknown format")
            signatures = {str(name): bytes.fromhex(data) for name, data in tree["signatures"].items()}
            session, roster = bytes.fromhex(tree["session"]), bytes.fromhex(tree["roster"])
            return ModulusCertificate(int(tree["modulus"], 16), session, roster, signatures)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise VerificationFailed("this is not the certificate of a commitment modulus") from None

    def verify(self, roster: Roster) -> None:
        """Offline: everybody's signature, and what anybody can see of a modulus; raises VerificationFailed."""
        if self.roster != roster.digest or set(self.signatures) != set(roster.names):
            raise VerificationFailed("the modulus is of another roster, or not signed by all of its nodes")
        for node in roster.nodes:
            try:
                verify_signature(node.identity, DOMAIN, self.identifier, self.signatures[node.name])
            except InvalidSignature:
                raise VerificationFailed(f"the signature of {node.name} on the modulus does not verify") from None
        if self.modulus % 8 != 1 or not biprime.two_factors_at_least(self.modulus):
            raise VerificationFailed("the modulus is a prime, a power, or no product of two primes that are 7 mod 8")


async def sign_modulus(epoch: Epoch, talk: Talk, final: Final) -> ModulusCertificate:
    """K6 for a modulus: all sign, then every secret of the ceremony is erased."""
    memory, ceremony = epoch.memory, epoch.ceremony
    certificate = ModulusCertificate(int(final.view.modulus), memory.session, ceremony.roster.digest)
    memory.sign(certificate.identifier)
    said = await talk.say("K6", certificate.sign(ceremony.identity))
    for party, data in said.items():
        node = ceremony.roster.nodes[party - 1]
        try:
            verify_signature(node.identity, DOMAIN, certificate.identifier, data)
        except InvalidSignature:
            raise Blame(party, "it signed another modulus than this node computed", ProtocolFault) from None
    certificate = replace(certificate, signatures={talk.name(party): data for party, data in said.items()})
    memory.certify(certificate.encode(), [*steps(epoch.parameters), *STEPS, "open", "K6"])
    ceremony.report(Event("done"))
    epoch.ended = True
    return certificate


def adopt_modulus(epoch: Epoch, gathered: Gathered) -> ModulusCertificate | None:
    """Take over a complete certificate that another node holds."""
    for name, status in gathered.statuses.items():
        if status.certificate:
            try:
                certificate = ModulusCertificate.read(read_json(bytes.fromhex(status.certificate)))
                certificate.verify(epoch.ceremony.roster)
            except (VerificationFailed, ValueError) as error:
                raise ProtocolFault(name, f"the certificate it shows does not verify ({error})") from None
            epoch.memory.certify(certificate.encode(), [*steps(epoch.parameters), *STEPS, "K6"])
            epoch.ended = True
            return certificate
    return None
