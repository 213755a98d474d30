"""Clients that dial a node with the wrong certificate, name, or manners, and tell how they were received."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tacita.node.config import Tls
from tacita.node.identity import Pair, issue
from tacita.node.transport import INTRODUCTION
from tacita.proto import tacita_pb2, tacita_pb2_grpc

ACCEPTED = "accepted"
SECONDS = 20.0


@dataclass(frozen=True)
class Caller:
    """Whom a client claims to be: a certificate, if any, and what it introduces itself with."""

    authority: bytes
    """Whom the client trusts; never what is under test."""
    pair: Pair | None
    introduction: bytes | None

    def channel(self, address: str, target: str) -> grpc.aio.Channel:
        """A connection to the node `target`."""
        key, certificate = (self.pair.key, self.pair.certificate) if self.pair else (None, None)
        credentials = grpc.ssl_channel_credentials(self.authority, key, certificate)
        options = [("grpc.ssl_target_name_override", target), ("grpc.max_send_message_length", 1 << 28)]
        return grpc.aio.secure_channel(address, credentials, options=options)

    @property
    def metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The headers of its streams."""
        return () if self.introduction is None else ((INTRODUCTION, self.introduction),)


Raw = bytes
"""A frame as it stands on the wire."""


def connect(channel: grpc.aio.Channel) -> Any:
    """Peer.Connect on raw bytes, so that a test can send what no encoder makes."""
    return channel.stream_stream("/tacita.Peer/Connect", request_serializer=None, response_deserializer=None)


async def knock(channel: grpc.aio.Channel, metadata: Any, seconds: float = SECONDS) -> str:
    """How the node answers a stream: ACCEPTED, or the name of the status."""
    call = connect(channel)(metadata=metadata, timeout=seconds)
    try:
        answer = dict(await call.initial_metadata() or ())
        if "node" in answer:
            return ACCEPTED
        return (await call.code()).name  # type: ignore[no-any-return]
    except grpc.aio.AioRpcError as error:
        return error.code().name
    finally:
        call.cancel()


async def pour(channel: grpc.aio.Channel, metadata: Any, frames: Iterable[Raw], seconds: float = SECONDS) -> str:
    """Send frames on an accepted stream until the node ends it; the name of its status."""

    async def requests() -> AsyncIterator[Raw]:
        for frame in frames:
            yield frame
        await asyncio.sleep(seconds)

    call = connect(channel)(requests(), metadata=metadata, timeout=seconds)
    try:
        async for _ in call:
            pass
        return (await call.code()).name  # type: ignore[no-any-return]
    except grpc.aio.AioRpcError as error:
        return error.code().name
    finally:
        call.cancel()


def with_channel(caller: Caller, address: str, target: str, work: Callable[[grpc.aio.Channel], Awaitable[Any]]) -> Any:
    """Run `work` on a fresh connection."""

    async def go() -> Any:
        async with caller.channel(address, target) as channel:
            return await work(channel)

    return asyncio.run(go())


def control(caller: Caller, address: str, target: str, method: str) -> str:
    """Ask a node to do what only its operator may ask for; ACCEPTED, or the name of the status."""

    async def go() -> str:
        async with caller.channel(address, target) as channel:
            stub: Any = tacita_pb2_grpc.ControlStub(channel)
            try:
                if method == "Status":
                    await stub.Status(tacita_pb2.StatusRequest(), timeout=SECONDS)
                else:
                    async for _ in stub.Run(tacita_pb2.RunRequest(session="none"), timeout=SECONDS):
                        pass
            except grpc.aio.AioRpcError as error:
                return error.code().name
        return ACCEPTED

    return asyncio.run(go())


def dated(authority: Pair, name: str, begins: int, ends: int) -> Pair:
    """A certificate that is valid from `begins` to `ends` days from now."""
    signer: Any = serialization.load_pem_private_key(authority.key, None)
    good = issue(authority, name)
    template, now = x509.load_pem_x509_certificate(good.certificate), datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(template.issuer)
        .public_key(template.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=ends))
    )
    for extension in template.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return Pair(builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), good.key)


class Impostor:
    """A server on a node's address that counts who starts a stream with it."""

    def __init__(self, address: str, tls: Tls, refuse: bool = False) -> None:
        self.address, self._tls, self._refuse, self.calls = address, tls, refuse, 0

    async def __aenter__(self) -> "Impostor":
        impostor = self

        class Service(tacita_pb2_grpc.PeerServicer):
            async def Connect(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
                impostor.calls += 1
                if impostor._refuse:
                    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
                await context.send_initial_metadata((("node", "somebody else"),))
                async for _ in request_iterator:
                    yield tacita_pb2.Frame()

        pair = self._tls.own
        credentials = grpc.ssl_server_credentials(
            [(pair.key, pair.certificate)], self._tls.authority, require_client_auth=True
        )
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        tacita_pb2_grpc.add_PeerServicer_to_server(Service(), self._server)
        assert self._server.add_secure_port(self.address, credentials)
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)
