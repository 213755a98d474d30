"""`tacita node start`: run one node until it is told to stop."""

import asyncio
import logging
import os
import resource
import signal
import sys
from pathlib import Path

from tacita.node.server import Node


def start(folder: Path, stop_with_stdin: bool) -> None:
    """Run until SIGTERM or SIGINT, or until standard input closes if `stop_with_stdin`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.basicConfig(
        filename=folder / "node.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    asyncio.run(_serve(Node(folder), stop_with_stdin))


async def _serve(node: Node, stop_with_stdin: bool) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await node.start()
        if stop_with_stdin:
            loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 64) else stopped.set())
        sys.stdout.write(f"{node.name} is ready\n")
        sys.stdout.flush()
        await stopped.wait()
    finally:
        await node.stop()
