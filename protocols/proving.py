"""How a node proves what it saw: evidence from the signed messages of its own session."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tacita.crypto.errors import CryptoError
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.protocols.case import context
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope
from tacita.protocols.faults import Evidence, ProtocolFault, RefusedFrame
from tacita.protocols.judge import FRAME, MISPLACED, SAID, proven
from tacita.protocols.mpc.frames import EngineFrame
from tacita.protocols.reading import Reading


class Prover:
    """Collects what was said in one session; a fault leaves it with evidence that the judge accepts, or with none."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.channels = reading, list[Channel]()
        self._labels = set[bytes]()

    def follow(self, channel: Channel) -> None:
        """This channel's broadcasts are part of the session from now on."""
        self.channels.append(channel)
        self._labels.add(channel.session)

    def begin_again(self, reading: Reading) -> None:
        """Another attempt: the record goes back to what was gathered."""
        self.reading = reading
        del self.channels[1:]

    def evidence(self, check: str = SAID, shown: Sequence[bytes] = ()) -> Evidence:
        """Everything that all nodes agree on, and the signed messages in question."""
        said = [data for channel in self.channels for data in channel.record()]
        return Evidence(check, (*said, *shown), context(self.reading))

    @contextmanager
    def reads(self, channel: Channel, round_name: str, peer: str) -> Iterator[None]:
        """Reading what one peer said without an echo: the message itself goes into the evidence."""
        try:
            yield
        except ProtocolFault as fault:
            fault.evidence = self.evidence(round_name, [channel.signed(round_name, peer)])
            raise

    @contextmanager
    def reads_frames(self) -> Iterator[None]:
        """A frame that the engine refuses names the node that signed it, if it convicts that node before strangers."""
        try:
            yield
        except RefusedFrame as error:
            raise self._convicted(error.frame) or error from None

    def _convicted(self, frame: bytes) -> ProtocolFault | None:
        try:
            return proven(self.evidence(FRAME, [frame]), self.reading.roster)
        except CryptoError:
            return None

    def complete(self, fault: ProtocolFault) -> None:
        """Give the fault its evidence; what would not convict its culprit before strangers is no evidence."""
        if not self.channels:
            return  # the nodes have not met: what was said so far convicts nobody
        claims = [fault.evidence] if fault.evidence else [self.evidence(MISPLACED, [data]) for data in fault.shown]
        fault.evidence = next((claim for claim in claims or [self.evidence()] if self._proves(claim, fault)), None)

    def _proves(self, evidence: Evidence, fault: ProtocolFault) -> bool:
        try:
            found = proven(evidence, self.reading.roster)
            return (found.culprit, type(found)) == (fault.culprit, type(fault))
        except CryptoError:
            return False

    def is_mine(self, evidence: Evidence) -> bool:
        """Whether all messages of the evidence belong to this session, whatever its attempt."""
        frames = 1 if evidence.check == FRAME else 0
        said, shown = evidence.signed[: len(evidence.signed) - frames], evidence.signed[-frames:] if frames else ()
        labels = {Envelope.decode(data[SIGNATURE_BYTES:]).session for data in said}
        return labels | {EngineFrame.decode(frame).session for frame in shown} <= self._labels
