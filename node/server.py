"""One running node: peers dial in, its operator steers it, sessions run."""

import asyncio
import contextlib
import logging
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import grpc
import grpc.aio

from tacita.crypto import signature
from tacita.crypto.entropy import SystemEntropy
from tacita.node import files
from tacita.node.config import Loaded
from tacita.node.health import check_held, check_own_keys
from tacita.node.identity import fingerprint
from tacita.node.journal import Journal
from tacita.node.keys import KeyWork, Making
from tacita.node.limits import Early
from tacita.node.probes import Answer, Probes
from tacita.node.services import ControlService, PeerService, credentials
from tacita.node.solver import EngineBug, Worker
from tacita.node.transport import OPTIONS, Transport
from tacita.proto import tacita_pb2, tacita_pb2_grpc
from tacita.protocols.channel import Channel
from tacita.protocols.evidence import to_file
from tacita.protocols.faults import (
    Absent,
    CallerMistake,
    Evidence,
    LocalFault,
    MachineFault,
    ProtocolFault,
)
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.party import Event, Hosted, Job, Party, Result, Solved
from tacita.protocols.policies.registry import POLICIES, complete_terms
from tacita.protocols.session import VERSION, make_channel, run_session
from tacita.protocols.terms import Terms, check_name

log = logging.getLogger("tacita.node")
EARLY_BYTES, EARLY_ENGINE_BYTES = 8 << 20, 64 << 20
"""Bytes per peer that may wait for a session, or for its computation, that this node has not reached yet."""
CONNECT_SECONDS = 20.0
PROBE_SECONDS = 2.0


class Node:
    """A node from its data folder; `start` listens, `stop` ends everything it started."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.loaded = Loaded.read(folder)
        self.name = self.loaded.identity.name
        self.journal = Journal(folder / "journal.sqlite")
        self._check_keys()
        self.transport = Transport(
            self.loaded, self._on_message, self._on_engine, self._on_loss, lambda *probe: self.probes.receive(*probe)
        )
        self.probes = Probes(self.transport.send_probe, self._about, clock)
        self._channels: dict[bytes, Channel] = {}
        self._engines: dict[bytes, Worker] = {}
        self._cost: dict[str, dict[str, float]] = {}
        """What a step of the computation cost, by session that has not been saved yet."""
        self._early, self._early_engine = Early(EARLY_BYTES), Early(EARLY_ENGINE_BYTES)
        self._spare: Worker | None = None
        self._sessions = 0
        self._running: set[str] = set()
        self._making: Making | None = None
        self._server: grpc.aio.Server | None = None
        self._operator = fingerprint(self.loaded.tls.operator.certificate)

    def _check_keys(self) -> None:
        roster = self.loaded.roster
        check_own_keys(roster, self.loaded.identity)
        if self.loaded.held is not None:
            check_held(roster, self.name, *self.loaded.held)
        if self.journal.recall("roster", roster.digest) is None:
            roster.check_possession()
            self.journal.remember("roster", roster.digest, b"possession checked")

    # ---- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen and dial; raises MachineFault if the address is taken."""
        tls = self.loaded.tls
        server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=256)
        tacita_pb2_grpc.add_PeerServicer_to_server(PeerService(self), server)
        tacita_pb2_grpc.add_ControlServicer_to_server(ControlService(self), server)
        where = self.loaded.address
        try:
            port = server.add_secure_port(where, credentials(tls))
        except RuntimeError:
            port = 0
        if port == 0:
            raise MachineFault(
                f"{self.name} cannot listen on {where}: the port is in use or the address is not this machine's; "
                "stop the other program or choose another address"
            )
        await server.start()
        self._server = server
        self.transport.start()
        self._spare = Worker()
        asyncio.get_running_loop().run_in_executor(None, signature.load)
        log.info("%s listens on %s", self.name, where)

    async def stop(self) -> None:
        """End sessions, engines, streams and the server."""
        for channel in self._channels.values():
            channel.fail(LocalFault(f"{self.name} was stopped"))
        for worker in [*self._engines.values(), *([self._spare] if self._spare else [])]:
            worker.close()
        self._spare = None
        await self.transport.stop()
        if self._server is not None:
            await self._server.stop(0.2)
        self.journal.close()

    # ---- what the transport delivers --------------------------------------------------------------------------

    def _on_message(self, peer: str, data: bytes) -> None:
        label = data[64:96]
        channel = self._channels.get(label)
        if channel is not None:
            channel.deliver(peer, data)
        elif not self._early.hold(label, peer, data):
            self.transport.refusals.note(peer, "too many messages for a session that has not begun here")

    async def _on_engine(self, peer: str, session: bytes, data: bytes) -> None:
        worker = self._engines.get(session)
        if worker is not None:
            worker.feed(self.loaded.roster.index(peer), data)
            await worker.drained()
        elif not self._early_engine.hold(session, peer, data):
            self.transport.refusals.note(peer, "too much engine data for a computation that has not begun here")

    def _on_loss(self, peer: str) -> None:
        for channel in self._channels.values():
            channel.fail(Absent(peer, "connection"))

    # ---- sessions ---------------------------------------------------------------------------------------------

    async def run(self, session: str, report: Callable[[Event], None]) -> Result:
        """Run the session in the inbox; writes results into sessions/<session>."""
        check_name(session, "session")
        _ = self.loaded.key
        if "a key ceremony" in self._running:
            raise CallerMistake(f"{self.name} is making a key; wait until that has ended")
        if session in self._running:
            raise CallerMistake(f"session {session} is already running at {self.name}")
        self._running.add(session)
        labels: list[bytes] = []
        try:
            terms, hosted = self._inbox(session)
            await self._peers_up()

            def noted(event: Event) -> None:
                if event.note:
                    log.warning("session %s: %s", session, event.note)
                report(event)

            party = Party(
                name=self.name,
                roster=self.loaded.roster,
                key=self.loaded.key,
                share=self.loaded.share,
                identity=self.loaded.identity.signing,
                multi=self.loaded.identity.multi,
                entropy=SystemEntropy(),
                store=self.journal,
                solver=self._solve,
                report=noted,
                connected=self._peers_up,
            )

            def open_channel(label: bytes, root: bytes) -> Channel:
                channel = make_channel(party, self.transport, label, root)
                self._channels[label] = channel
                labels.append(label)
                channel.deliver_early(self._early.release(label))
                return channel

            result = await run_session(party, terms, hosted, open_channel)
            self._save(session, result)
            self._sessions += 1
            return result
        except ProtocolFault as fault:
            if fault.evidence is None:
                raise
            kept = f"{fault.reason} (evidence for tacita judge: {self._keep_evidence(session, fault.evidence)})"
            raise type(fault)(fault.culprit, kept, fault.evidence) from fault
        finally:
            self._running.discard(session)
            self._cost.pop(session, None)
            for label in labels:
                self._channels.pop(label, None)

    async def make_key(self, request: tacita_pb2.KeyRequest, report: Callable[[Event], None]) -> KeyCertificate:
        """Take part in a key ceremony or a refresh; the node uses the new key from then on."""
        if self._running:
            raise CallerMistake(f"{self.name} is busy with {min(self._running)}; wait until that has ended")
        check_name(request.name, "ceremony name")
        self._running.add("a key ceremony")
        self._making = making = Making(tacita_pb2.KeyRequest.Kind.Name(request.kind).lower(), report)
        work = KeyWork(self.loaded, self.transport, self.journal, self._channels, self._early)
        try:
            if request.kind == tacita_pb2.KeyRequest.RESHARE:
                # The new files are put in place when all nodes are done; this process never uses them.
                return (await work.reshare(making.note))[0]
            if request.kind == tacita_pb2.KeyRequest.REFRESH:
                certificate, share = await work.refresh(making.note)
            else:
                certificate, share = await work.ceremony(request.name, request.bits, making.note)
        except ProtocolFault as fault:
            work.keep_evidence(fault)
            raise
        finally:
            self._running.discard("a key ceremony")
            self._making = None
        check_held(self.loaded.roster, self.name, certificate.key, share)
        self.loaded = replace(self.loaded, held=(certificate.key, share), key_id=certificate.identifier)
        return certificate

    def _inbox(self, session: str) -> tuple[Terms, list[Hosted]]:
        inbox = self.loaded.folder.inbox(session)
        terms = complete_terms(files.read_json(inbox / "terms.json", "terms"))
        if terms.session.name != session:
            raise CallerMistake(f"the terms in the inbox are of session '{terms.session.name}', not '{session}'")
        policy = POLICIES[terms.policy]
        texts = {"inputs": files.read_text(inbox / "inputs.csv", "inputs")}
        for name in policy.files:
            if (inbox / f"{name}.csv").exists():
                texts[name] = files.read_text(inbox / f"{name}.csv", f"{name} file")
        entropy = SystemEntropy()
        return terms, [
            Hosted(name, self.loaded.folder.participant(name, entropy), part.pattern, part.inputs)
            for name, part in policy.read_part(terms, texts).items()
        ]

    async def _peers_up(self) -> None:
        for name, link in self.transport.links.items():
            try:
                await asyncio.wait_for(link.up.wait(), CONNECT_SECONDS)
            except TimeoutError:
                raise Absent(name, "connection") from None

    async def _solve(self, job: Job, report: Callable[[int, int], None]) -> Solved:
        worker, self._spare = self._spare or Worker(), None
        self._engines[job.session] = worker
        key = self.loaded.identity.signing

        def relay(peer: int, data: bytes) -> None:
            self.transport.send_engine(job.nodes[peer], job.session, job.frame(peer, data).sign(key))

        try:
            for peer, data in self._early_engine.release(job.session):
                worker.feed(job.nodes.index(peer), data)
            return await worker.run(job, relay, report)
        finally:
            self._engines.pop(job.session, None)
            self._cost[str(job.terms["session"]["name"])] = worker.cost
            worker.close()
            if self._spare is None and self._server is not None:
                self._spare = Worker()

    def _save(self, session: str, result: Result) -> None:
        folder = self.loaded.folder.session(session)
        files.write(folder / "certificate.json", result.certificate)
        files.write_json(folder / "outcome.json", result.outcome)
        for name, receipt in result.receipts.items():
            files.write_canonical(files.private_folder(folder / "receipts") / f"{name}.json", receipt, files.PRIVATE)
        for name, outcome in result.private.items():
            files.write_json(files.private_folder(folder / "private") / f"{name}.json", outcome, files.PRIVATE)
        for evidence in result.evidence:
            log.warning("the evidence of a fault that changed nothing is in %s", self._keep_evidence(session, evidence))
        ledger = [astuple(entry) for entry in result.ledger]
        files.write_json(folder / "openings.json", ledger)
        files.write_json(folder / "cost.json", self._cost.pop(session, {}))

    def _keep_evidence(self, session: str, evidence: Evidence) -> str:
        """Save what convicts the culprit, beside the session; returns the path within this node's folder."""
        folder, number = self.loaded.folder.session(session), 1
        while (path := folder / ("evidence.json" if number == 1 else f"evidence-{number}.json")).exists():
            number += 1
        files.write(path, to_file(evidence, self.loaded.roster))
        return str(path.relative_to(self.loaded.folder.path))

    def keep_introduction(self, fault: ProtocolFault) -> str:
        """Save, once, what a peer signed under a name that is not its own; returns the path in this node's folder, or
        why it could not be saved: an error here would be told to the peer."""
        assert fault.evidence is not None
        path = self.loaded.folder.path / "refused" / f"{fault.culprit}.json"
        try:
            if not path.exists():
                files.write(path, to_file(fault.evidence, self.loaded.roster))
        except LocalFault as error:
            return str(error)
        return str(path.relative_to(self.loaded.folder.path))

    # ---- what the services need -------------------------------------------------------------------------------

    def is_operator(self, pem: bytes) -> bool:
        """True for the operator certificate pinned in this node's folder."""
        with contextlib.suppress(ValueError):
            return fingerprint(pem) == self._operator
        return False

    def _about(self) -> tacita_pb2.Probe:
        """What peers may know of this node."""
        epoch = self.loaded.key.epoch if self.loaded.held else 0
        return tacita_pb2.Probe(version=VERSION, key=self.loaded.key_id, epoch=epoch)

    async def status(self, probe: bool) -> tacita_pb2.StatusReply:
        """For `tacita node status` and `tacita doctor`."""
        answers = await self.probes.ask(self.transport.links, PROBE_SECONDS) if probe else {}
        held, about = self.loaded.held, self._about()
        return tacita_pb2.StatusReply(
            name=self.name,
            version=VERSION,
            peers=[self._peer(name, answers.get(name)) for name in self.transport.links],
            provenance=held[0].provenance if held else "",
            key_bits=held[0].encryption.bits if held else 0,
            sessions=self._sessions,
            process=os.getpid(),
            key=about.key,
            epoch=about.epoch,
            making=self._making.progress() if self._making else None,
        )

    def _peer(self, name: str, answer: Answer | None) -> tacita_pb2.PeerStatus:
        roster, connected = self.loaded.roster, self.transport.links[name].queue is not None
        where = roster.nodes[roster.index(name)].address
        answered = {"answered": True, **vars(answer)} if answer else {}
        return tacita_pb2.PeerStatus(name=name, address=where, connected=connected, **answered)

    def save_report(self, error: BaseException) -> Path:
        """Keep what our bug did: places without values, because an exception's text could quote a secret."""
        places = [f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        detail = str(error) if isinstance(error, EngineBug) else type(error).__name__
        path = self.loaded.folder.path / "reports" / f"report-{time.time_ns()}.txt"
        files.write(path, ("\n".join([VERSION, *places, detail]) + "\n").encode(), files.PRIVATE)
        return path
