"""The error tree. Four families and no fifth; every message is a sentence that says what to do.

    TacitaError                      exit code
    ├── CallerMistake                2   bad terms, inputs or arguments
    ├── PeerFault                    3
    │   ├── ProtocolFault            3   culprit and evidence: the culprit's signed bytes and the name of a check
    │   └── SuspectFault             3   detected, not provable to a third party
    ├── MachineFault                 4   network or machine
    │   ├── Absent                   4   a peer did not answer before the deadline
    │   ├── LocalFault               4   this machine: storage, keys, entropy
    │   ├── RefusedFrame             4   a peer's engine wrote what this one cannot use; evidence may convict the peer
    │   └── PeerRefused              4   a connection or request was refused before any identity was known
    ├── VerificationFailed           1   a certificate does not verify
    └── SessionAborted               4   the session ended at another node's request
Anything else is our bug (exit code 70): the command line saves a report.
"""

from dataclasses import dataclass


class TacitaError(Exception):
    """A sentence that says what is wrong and what to do."""

    exit_code = 70


class CallerMistake(TacitaError):
    """The caller asked for something that cannot be done: terms, inputs or arguments must change."""

    exit_code = 2


class PeerFault(TacitaError):
    """Another party deviated from the protocol."""

    exit_code = 3


@dataclass(frozen=True)
class Evidence:
    """What a stranger can check: `check` names a pure function of the judge over the culprit's signed bytes.

    `context` is what the signed bytes refer to by hash, as canonical JSON; nobody vouches for it but those hashes.
    """

    check: str
    signed: tuple[bytes, ...]
    context: bytes = b""


class ProtocolFault(PeerFault):
    """The culprit signed bytes that no honest party signs."""

    def __init__(
        self, culprit: str, reason: str, evidence: Evidence | None = None, shown: tuple[bytes, ...] = ()
    ) -> None:
        super().__init__(f"{culprit} broke the protocol: {reason}")
        self.culprit, self.reason, self.evidence = culprit, reason, evidence
        self.shown = shown
        """Signed messages one of which has no place in a session, before there is evidence."""


class InvalidEncodingFault(ProtocolFault):
    """The culprit's message cannot be decoded."""


class InvalidProofFault(ProtocolFault):
    """The culprit published a proof, commitment or ciphertext that does not verify."""


class Equivocation(ProtocolFault):
    """The culprit signed two different messages for one place in the protocol."""


class ParamMismatch(ProtocolFault):
    """The culprit signed other terms, roster, key or version than everybody else."""


class BadKeyShare(ProtocolFault):
    """The culprit dealt shares that do not match what it published."""


class FalseComplaint(ProtocolFault):
    """The culprit accuses somebody of what that one did not do."""


class BadModulus(ProtocolFault):
    """The culprit's words in a key ceremony make a modulus that must not be used, or kill a good one."""


class ConversionMismatch(ProtocolFault):
    """The culprit dealt shares of other values than it encrypted."""


class BadPartialDecryption(ProtocolFault):
    """The culprit's partial decryption does not verify against its verification key."""


class SuspectFault(PeerFault):
    """Somebody among the suspects deviated; nothing proves who."""

    def __init__(self, suspects: tuple[str, ...], reason: str) -> None:
        super().__init__(f"{reason} (suspects: {', '.join(suspects)})")
        self.suspects, self.reason = suspects, reason


class InconsistentOpening(SuspectFault):
    """The shares of one opening do not lie on one polynomial."""


class MachineFault(TacitaError):
    """The network or a machine failed."""

    exit_code = 4


class Absent(MachineFault):
    """A peer did not answer before the deadline; that proves nothing about why."""

    def __init__(self, peer: str, round_name: str) -> None:
        super().__init__(f"{peer} did not answer in round '{round_name}' before the deadline; check that it runs")
        self.peer, self.round = peer, round_name


class LocalFault(MachineFault):
    """This machine's storage, keys or randomness are not fit to go on."""


class RefusedFrame(MachineFault):
    """This node's engine cannot use what a peer's engine wrote."""

    def __init__(self, reason: str, frame: bytes) -> None:
        super().__init__(f"{reason}; the session ends")
        self.reason, self.frame = reason, frame
        """As it was received, signature included."""


class PeerRefused(MachineFault):
    """A connection or request was refused before any identity existed, so nobody is blamed."""


class SessionAborted(MachineFault):
    """Another node ended the session."""


class VerificationFailed(TacitaError):
    """The certificate does not prove what it claims."""

    exit_code = 1
