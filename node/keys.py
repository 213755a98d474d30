"""Making and renewing the cluster's key at one node: the protocol of protocols/keygen over the node's own streams."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tacita.crypto.entropy import SystemEntropy
from tacita.crypto.threshold import KeyShare
from tacita.node import files
from tacita.node.config import Folder, Loaded
from tacita.node.journal import Journal
from tacita.node.keyfile import open_share, passphrase, seal_share
from tacita.node.limits import Early
from tacita.node.sealed import SealedJournal
from tacita.node.transport import Transport
from tacita.proto import tacita_pb2
from tacita.protocols.channel import Channel
from tacita.protocols.evidence import to_file
from tacita.protocols.faults import Absent, CallerMistake, LocalFault, ProtocolFault, SessionAborted
from tacita.protocols.keygen.ceremony import Ceremony, generate_key
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.keygen.memory import Memory
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.refresh import refresh_key
from tacita.protocols.keygen.renewal import Member, Renewed, pending_place, read_pending
from tacita.protocols.keygen.reshare import reshare_key
from tacita.protocols.party import Event
from tacita.protocols.roster import Roster

log = logging.getLogger("tacita.node")
MEET_SECONDS = 600.0
"""How long a node waits for the operators of the others."""
STEP_SECONDS = 60.0
TRIES = 4
PAUSE_SECONDS = 1.0
LIVE_CHANNELS = 4
"""A peer is at most one batch behind; the channels of earlier ones are closed."""
NEW_KEY, NEW_SHARE = "new-key.json", "new-share.json"
"""What a resharing leaves in the folder in which the nodes met, until the files are put in place."""
Report = Callable[[Event], None]


class Making:
    """How far the work with a key has come, for whoever asks; every event is also passed on to `report`."""

    def __init__(self, kind: str, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._kind, self._report, self._clock = kind, report, clock
        self._begun = self._search = clock()
        self._stage, self._candidates, self._survivors, self._expected, self._seconds = "meet", 0, 0, 0, 0.0

    def note(self, event: Event) -> None:
        """Take one event."""
        self._report(event)
        if event.stage == "survivors":
            self._survivors += event.step
            return
        self._stage = event.stage
        if event.stage == "meet":  # every epoch counts from 0
            self._search, self._candidates, self._survivors = self._clock(), 0, 0
        if event.stage == "candidates":
            self._candidates, self._expected = event.step, event.steps
            self._seconds = (self._clock() - self._search) * event.steps / max(1, event.step)

    def progress(self) -> tacita_pb2.KeyProgress:
        """The search has no memory, so the expected rest is the same at any time."""
        return tacita_pb2.KeyProgress(
            kind=self._kind,
            stage=self._stage,
            candidates=self._candidates,
            survivors=self._survivors,
            expected_candidates=self._expected,
            seconds=self._clock() - self._begun,
            expected_seconds=self._seconds if self._stage == "candidates" else 0.0,
        )


@dataclass(frozen=True)
class KeyWork:
    """What the ceremony needs of a running node."""

    loaded: Loaded
    transport: Transport
    journal: Journal
    channels: dict[bytes, Channel]
    early: Early

    async def ceremony(self, name: str, bits: int, report: Report) -> tuple[KeyCertificate, KeyShare]:
        """A whole ceremony; interrupted epochs are followed by new ones while there is hope. Raises TacitaError."""
        loaded = self.loaded
        finished = loaded.folder.certificate() if loaded.held else None
        if finished is not None and finished.origin.kind != "ceremony":
            raise CallerMistake("this node has a key already; a new one needs a new cluster, new shares a refresh")
        ceremony = Ceremony(
            name=name,
            node=loaded.identity.name,
            roster=loaded.roster,
            parameters=Parameters.standard(bits, len(loaded.roster.nodes)),
            identity=loaded.identity.signing,
            entropy=SystemEntropy(),
            store=self._store(),
            report=report,
            share=loaded.held[1] if loaded.held else None,
        )
        for remaining in reversed(range(TRIES)):
            try:
                await self._peers_up()
                with self._channels() as open_channel:
                    made = await generate_key(ceremony, open_channel)
                break
            except (Absent, SessionAborted) as error:
                if not remaining:
                    raise
                log.warning("the key ceremony was interrupted (%s); beginning another epoch", error)
                report(Event("interrupted"))
                await asyncio.sleep(PAUSE_SECONDS)
        if finished is not None and finished.identifier != made.certificate.identifier:
            raise LocalFault("the others finished another key than this node's; restore key.json from one of them")
        self._save(made.certificate, made.share)
        Memory(ceremony.store, made.certificate.origin.session).drop_key()
        self.journal.compact()
        return made.certificate, made.share

    async def refresh(self, report: Report) -> tuple[KeyCertificate, KeyShare]:
        """New shares of the same key; the old one is overwritten when all have signed. Raises TacitaError."""
        loaded = self.loaded
        parent = loaded.folder.certificate() if loaded.held else None
        if parent is None:
            raise CallerMistake("this node holds no key yet; run tacita node key join first")
        member = Member(
            node=loaded.identity.name,
            everybody=loaded.roster,
            receivers=loaded.roster,
            parent=parent,
            identity=loaded.identity.signing,
            entropy=SystemEntropy(),
            store=self._store(),
        )
        report(Event("refresh"))
        await self._peers_up()
        with self._channels() as open_channel:
            renewed = await refresh_key(member, loaded.share, open_channel, self._keep)
        assert renewed.share is not None
        return renewed.certificate, renewed.share

    async def reshare(self, report: Report) -> tuple[KeyCertificate, KeyShare | None]:
        """Hand the key of parent.json from the old roster to the receivers; raises TacitaError."""
        folder, loaded = self.loaded.folder, self.loaded
        parent = KeyCertificate.read(files.read_json(folder.path / "parent.json", "key file"))
        old, receivers = (
            Roster.read(files.read_json(folder.path / name, "roster")) for name in ("old-roster.json", "receivers.json")
        )
        parent.verify(old)
        share = None
        if (folder.path / "old-share.json").exists():
            tree = files.read_secret(folder.path / "old-share.json", "key share")
            share = open_share(tree, parent, passphrase(folder.path))
        member = Member(
            node=loaded.identity.name,
            everybody=loaded.roster,
            receivers=receivers,
            parent=parent,
            identity=loaded.identity.signing,
            entropy=SystemEntropy(),
            store=self._store(),
            kind="reshare",
        )
        report(Event("refresh"))
        await self._peers_up()
        with self._channels() as open_channel:
            renewed = await reshare_key(member, old, share, open_channel)
        keep_reshared(folder.path, renewed.certificate, renewed.share)
        return renewed.certificate, renewed.share

    def _keep(self, renewed: Renewed) -> None:
        assert renewed.share is not None
        self._save(renewed.certificate, renewed.share)

    def _store(self) -> SealedJournal:
        entropy = SystemEntropy()
        return SealedJournal.open(self.journal, passphrase(self.loaded.folder.path, entropy), entropy)

    def _save(self, certificate: KeyCertificate, share: KeyShare) -> None:
        self.loaded.folder.save_key(certificate, share, SystemEntropy())

    def keep_evidence(self, fault: ProtocolFault) -> None:
        """What convicts the culprit before strangers, in a file of its own."""
        if fault.evidence is not None:
            path = self.loaded.folder.path / "evidence" / f"{time.time_ns()}.json"
            files.write(path, to_file(fault.evidence, self.loaded.roster), files.PRIVATE)
            log.warning("the evidence against %s, for tacita judge, is in %s", fault.culprit, path)

    async def _peers_up(self) -> None:
        for name, link in self.transport.links.items():
            try:
                await asyncio.wait_for(link.up.wait(), MEET_SECONDS)
            except TimeoutError:
                raise Absent(name, "connection") from None

    @contextlib.contextmanager
    def _channels(self) -> Iterator[Callable[[bytes, bytes], Channel]]:
        """Opens channels on this node's streams, and closes all of them at the end."""
        loaded, labels = self.loaded, list[bytes]()

        def open_channel(label: bytes, root: bytes) -> Channel:
            seconds = STEP_SECONDS if root else MEET_SECONDS
            key, name = loaded.identity.signing, loaded.identity.name
            channel = Channel(loaded.roster, name, key, self.transport, label, seconds, root)
            self.channels[label] = channel
            labels.append(label)
            while len(labels) > LIVE_CHANNELS:
                self.channels.pop(labels.pop(0), None)
            channel.deliver_early(self.early.release(label))
            return channel

        try:
            yield open_channel
        finally:
            for label in labels:
                self.channels.pop(label, None)


def keep_reshared(path: Path, certificate: KeyCertificate, share: KeyShare | None) -> None:
    """Store what a resharing made; the key comes last, so it tells that everything is there."""
    if share is not None:
        entropy = SystemEntropy()
        tree = seal_share(certificate, share, passphrase(path, entropy), entropy)
        files.write_json(path / NEW_SHARE, tree, files.PRIVATE)
    files.write_json(path / NEW_KEY, certificate.tree())


def complete_reshare(path: Path, certificate: KeyCertificate) -> None:
    """Finish what was interrupted when this node had signed, with another node's complete certificate.

    Raises CallerMistake if the certificate is of something else, or this node holds no share of it.
    """
    parent = KeyCertificate.read(files.read_json(path / "parent.json", "key file"))
    receivers = Roster.read(files.read_json(path / "receivers.json", "roster"))
    certificate.verify(receivers)
    if certificate.origin.parent != parent.identifier:
        raise CallerMistake("this key certificate is not of the handover that was interrupted; take the right key.json")
    share = None
    if Folder(path).identity().name in receivers.names:
        journal = Journal(path / "journal.sqlite")
        try:
            entropy = SystemEntropy()
            store = SealedJournal.open(journal, passphrase(path, entropy), entropy)
            held = read_pending(store.recall("key/pending", pending_place(parent, receivers)))
        finally:
            journal.close()
        if held is None or held[0].identifier != certificate.identifier:
            raise LocalFault("this node holds no share of that key; let the others hand the key on once more")
        share = held[1]
    keep_reshared(path, certificate, share)
