"""The gRPC services of a node: peers dial in, its operator steers it. Both are known by their TLS certificates."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from tacita.node.config import Tls
from tacita.node.transport import INTRODUCTION
from tacita.proto import tacita_pb2, tacita_pb2_grpc
from tacita.protocols.faults import PeerRefused, ProtocolFault, TacitaError
from tacita.protocols.introduction import introduced
from tacita.protocols.party import Event, Result

if TYPE_CHECKING:
    from tacita.node.server import Node

log = logging.getLogger("tacita.node")
CERTIFICATE_PART = 1 << 19


def credentials(tls: Tls) -> grpc.ServerCredentials:
    """Mutual TLS: who has no certificate of the cluster's authority does not get past the handshake."""
    pair = [(tls.own.key, tls.own.certificate)]
    return grpc.ssl_server_credentials(pair, tls.authority, require_client_auth=True)


def peer_name(context: Any) -> str:
    """The name in the peer's certificate."""
    names = context.auth_context().get("x509_subject_alternative_name", [])
    return names[0].decode() if len(names) == 1 else ""


class PeerService(tacita_pb2_grpc.PeerServicer):
    def __init__(self, node: "Node") -> None:
        self._node = node

    async def Connect(self, request_iterator: Any, context: Any) -> AsyncIterator[tacita_pb2.Frame]:
        node, certified, why = self._node, peer_name(context), ""
        given = dict(context.invocation_metadata()).get(INTRODUCTION, b"")
        try:
            name = introduced(given if isinstance(given, bytes) else given.encode(), certified, node.loaded.roster)
            why = "" if node.transport.accepts(name) else "a stream that is not expected"
        except ProtocolFault as fault:
            why = f"its certificate has another name than its introduction ({node.keep_introduction(fault)})"
        except PeerRefused:
            why = "it does not introduce itself by the name in its certificate"
        if why:
            node.transport.refusals.note(certified, why)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this stream is not accepted")
        await context.send_initial_metadata((("node", node.name),))
        async for frame in node.transport.serve(name, request_iterator):
            yield frame


class ControlService(tacita_pb2_grpc.ControlServicer):
    def __init__(self, node: "Node") -> None:
        self._node = node

    async def _authorise(self, context: Any) -> None:
        pems = context.auth_context().get("x509_pem_cert", [])
        if len(pems) != 1 or not self._node.is_operator(pems[0]):
            self._node.transport.refusals.note(peer_name(context), "only this node's operator may do this")
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only this node's operator may do this")

    async def Status(self, request: Any, context: Any) -> tacita_pb2.StatusReply:
        await self._authorise(context)
        return await self._node.status(request.probe)

    async def Run(self, request: Any, context: Any) -> AsyncIterator[tacita_pb2.RunEvent]:
        await self._authorise(context)
        events = _Events()
        work = asyncio.ensure_future(self._node.run(request.session, events.report))
        async for event in events.until(work):
            yield event
        async for last in self._finish(request.session, work):
            yield last

    async def MakeKey(self, request: Any, context: Any) -> AsyncIterator[tacita_pb2.RunEvent]:
        await self._authorise(context)
        events = _Events()
        work = asyncio.ensure_future(self._node.make_key(request, events.report))
        async for event in events.until(work):
            yield event
        failed = self._failure("the key ceremony", work)
        if failed is not None:
            yield tacita_pb2.RunEvent(failed=failed)
            return
        done = tacita_pb2.Done(outcome=work.result().encode().decode(), folder=str(self._node.loaded.folder.path))
        yield tacita_pb2.RunEvent(done=done)

    async def _finish(self, session: str, work: "asyncio.Future[Result]") -> AsyncIterator[tacita_pb2.RunEvent]:
        failed = self._failure(f"session {session}", work)
        if failed is not None:
            yield tacita_pb2.RunEvent(failed=failed)
            return
        result = work.result()
        data = result.certificate
        for start in range(0, len(data), CERTIFICATE_PART):
            yield tacita_pb2.RunEvent(certificate_part=data[start : start + CERTIFICATE_PART])
        folder = str(self._node.loaded.folder.session(session))
        outcome = json.dumps(result.outcome)
        yield tacita_pb2.RunEvent(done=tacita_pb2.Done(outcome=outcome, folder=folder))

    def _failure(self, what: str, work: "asyncio.Future[Any]") -> tacita_pb2.Failed | None:
        """Why the work failed, if it did."""
        try:
            work.result()
        except TacitaError as error:
            log.warning("%s failed: %s", what, type(error).__name__)
            return tacita_pb2.Failed(kind=type(error).__name__, exit_code=error.exit_code, message=str(error))
        except Exception as error:  # noqa: BLE001 - our bug: saved as a report, told to the operator, never hidden
            path = self._node.save_report(error)
            log.error("%s failed by a bug; see %s", what, path)
            message = f"{self._node.name} failed by a bug of ours; please send us the report {path}"
            return tacita_pb2.Failed(kind="bug", exit_code=70, message=message)
        return None


class _Events:
    """Progress of some work, as a stream for the operator."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._queue: asyncio.Queue[tacita_pb2.RunEvent | None] = asyncio.Queue()

    def report(self, event: Event) -> None:
        seconds = time.monotonic() - self._begun
        progress = tacita_pb2.Progress(stage=event.stage, step=event.step, steps=event.steps, seconds=seconds)
        self._queue.put_nowait(tacita_pb2.RunEvent(progress=progress))

    async def until(self, work: "asyncio.Future[Any]") -> AsyncIterator[tacita_pb2.RunEvent]:
        """All events until the work is done; the work ends when nobody listens any more."""
        work.add_done_callback(lambda _: self._queue.put_nowait(None))
        try:
            while (event := await self._queue.get()) is not None:
                yield event
        finally:
            work.cancel()
