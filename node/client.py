"""What an operator says to its own node: status, and run a session; used by the command line."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from tacita.node.config import Folder, address
from tacita.node.transport import OPTIONS
from tacita.proto import tacita_pb2, tacita_pb2_grpc
from tacita.protocols.faults import MachineFault


@dataclass(frozen=True)
class Finished:
    """A session's end at one node."""

    certificate: bytes
    outcome: str
    folder: str


@dataclass(frozen=True)
class NodeFailure:
    """Why a session failed at one node."""

    kind: str
    exit_code: int
    message: str


class Operator:
    """A connection from an operator to its node, authenticated by the pair in the node's folder."""

    def __init__(self, folder: Folder) -> None:
        self.name = folder.identity().name
        roster, tls = folder.roster(), folder.tls()
        self.address = address(roster, self.name)
        credentials = grpc.ssl_channel_credentials(tls.authority, tls.operator.key, tls.operator.certificate)
        options: list[tuple[str, Any]] = [*OPTIONS, ("grpc.ssl_target_name_override", self.name)]
        self._channel = grpc.aio.secure_channel(self.address, credentials, options=options)
        self._stub: Any = tacita_pb2_grpc.ControlStub(self._channel)

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    async def status(self, seconds: float = 2.0, probe: bool = False) -> tacita_pb2.StatusReply | None:
        """The node's status, or None if it does not answer; with `probe` it asks its peers first."""
        try:
            reply: tacita_pb2.StatusReply = await self._stub.Status(
                tacita_pb2.StatusRequest(probe=probe), timeout=seconds
            )
        except grpc.aio.AioRpcError:
            return None
        return reply

    async def run(self, session: str, report: Callable[[str, tacita_pb2.Progress], None]) -> Finished | NodeFailure:
        """Run the session in the node's inbox; `report(node, progress)` is called as it goes."""
        return await self._follow(self._stub.Run(tacita_pb2.RunRequest(session=session)), report)

    async def make_key(
        self, request: tacita_pb2.KeyRequest, report: Callable[[str, tacita_pb2.Progress], None]
    ) -> Finished | NodeFailure:
        """Take part in a key ceremony or refresh; the outcome is the key certificate."""
        return await self._follow(self._stub.MakeKey(request), report)

    async def _follow(self, events: Any, report: Callable[[str, tacita_pb2.Progress], None]) -> Finished | NodeFailure:
        parts: list[bytes] = []
        begun = False
        try:
            async for event in events:
                kind, begun = event.WhichOneof("body"), True
                if kind == "progress":
                    report(self.name, event.progress)
                elif kind == "certificate_part":
                    parts.append(event.certificate_part)
                elif kind == "failed":
                    return NodeFailure(event.failed.kind, event.failed.exit_code, event.failed.message)
                elif kind == "done":
                    return Finished(b"".join(parts), event.done.outcome, event.done.folder)
        except grpc.aio.AioRpcError:
            if begun:
                return NodeFailure("Gone", 4, f"{self.name} stopped in the middle of its work; look at its log")
            return NodeFailure("Gone", 4, self.silence())
        return NodeFailure("Gone", 4, f"{self.name} ended the session without a result; look at its log")

    def silence(self) -> str:
        """The sentence for a node that does not answer."""
        return f"{self.name} does not answer at {self.address}; start it with tacita node start"

    async def wait_ready(self, seconds: float) -> None:
        """Wait until the node answers; raises MachineFault."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            if await self.status(1.0) is not None:
                return
            await asyncio.sleep(0.05)
        raise MachineFault(f"{self.name} did not start within {seconds:.0f} seconds; look at its log")
