"""A link with a long round trip is still a link."""

import asyncio
import contextlib
from typing import Any

import pytest

from tacita.node import client, transport
from tacita.node.client import Operator
from tacita.node.config import Folder
from tests.integration.running import Running

pytestmark = pytest.mark.cluster
DELAY_SECONDS = 0.15
MIN_CONNECT = "grpc.min_reconnect_backoff_ms"


async def through_a_long_cable(
    cluster: Running, options: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether node1 answers its operator over a proxy that keeps every piece for DELAY_SECONDS."""
    folder = Folder(cluster.data("node1"))
    there = folder.roster().nodes[0].address.rsplit(":", 1)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await asyncio.sleep(DELAY_SECONDS)
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward = await asyncio.open_connection(there[0], int(there[1]))
        await asyncio.gather(carry(reader, onward), carry(onward_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(client, "OPTIONS", options)
    monkeypatch.setattr(client, "address", lambda *_: f"127.0.0.1:{port}")
    operator = Operator(folder)
    try:
        return await operator.status(8.0) is not None
    finally:
        await operator.close()
        server.close()


def test_a_node_answers_over_a_long_cable(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(through_a_long_cable(running, transport.OPTIONS, monkeypatch))


def test_the_old_limit_of_a_tenth_of_a_second_cut_such_links(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [(name, 100 if name == MIN_CONNECT else value) for name, value in transport.OPTIONS]
    assert not asyncio.run(through_a_long_cable(running, old, monkeypatch))
