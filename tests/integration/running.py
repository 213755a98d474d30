"""Runs `tacita` and whole clusters as real processes, and finds what they leave behind."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacita.deploy import local
from tacita.deploy.manifest import Manifest
from tacita.node.client import Finished, NodeFailure, Operator
from tacita.node.config import Folder
from tacita.proto import tacita_pb2
from tacita.protocols.mpc.demand import Demand, Opening
from tacita.protocols.policies.registry import POLICIES, complete_terms, complete_with_inputs
from tests.integration.samples import Sample, named

TACITA = (sys.executable, "-m", "tacita.cli")
MARK = "TACITA_TEST_MARK"
SECONDS = 180
"""A bound on every command; what a test asserts never depends on it."""


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str
    mark: str

    @property
    def sentence(self) -> str:
        """The one sentence of a failed command."""
        said = [line for line in self.err.splitlines() if line.startswith("tacita: ")]
        assert len(said) == 1, self.err
        assert "Traceback" not in self.err + self.out, self.err
        assert "\n" not in said[0].strip() and len(said[0]) > 20, said[0]
        return said[0].removeprefix("tacita: ")

    def refused(self, code: int) -> str:
        """The sentence of a command that had to end with this code and without a result."""
        assert self.code == code, (self.code, self.err)
        assert leftovers(self.mark) == [], "processes are left behind"
        return self.sentence


def environment(extra: Mapping[str, str] | None = None) -> tuple[dict[str, str], str]:
    """The environment of a command and the mark by which its processes, and theirs, are found."""
    mark = secrets.token_hex(8)
    return {**os.environ, MARK: mark, "COLUMNS": "120", **(extra or {})}, mark


def tacita(
    *arguments: object,
    env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    prepare: Callable[[], None] | None = None,
) -> Ran:
    """Run the command line to its end."""
    settings, mark = environment(env)
    command = [*TACITA, *map(str, arguments)]
    done = subprocess.run(
        command, env=settings, capture_output=True, text=True, timeout=seconds, preexec_fn=prepare, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr, mark)


def succeeded(ran: Ran) -> Ran:
    """The same, if its exit code is 0."""
    assert ran.code == 0, ran.err
    return ran


@contextlib.contextmanager
def background(*arguments: object, env: Mapping[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command that is still running, and its mark; it is ended at the latest when the test is."""
    settings, mark = environment(env)
    command = [*TACITA, *map(str, arguments)]
    process = subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process, mark
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finished(process: subprocess.Popen[str], mark: str, seen: str = "") -> Ran:
    """Wait for a background command; `seen` is the part of its standard error that was read already."""
    out, err = process.communicate(timeout=SECONDS)
    return Ran(process.returncode, out, seen + err, mark)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read standard error up to a line that holds the text."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"'{text}' was never said: {seen}")


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Poll; the bound only keeps a broken test from hanging."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


# ---- processes ----------------------------------------------------------------------------------------------------


def marked(mark: str) -> list[int]:
    """Processes that carry the mark in their environment."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return sorted(found)


def leftovers(mark: str, seconds: float = 10.0) -> list[int]:
    """Marked processes that do not end by themselves within a grace period."""
    end = time.monotonic() + seconds
    while (found := marked(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def command_line(process: int) -> str:
    """Its arguments."""
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def children(process: int) -> list[int]:
    """Direct children that still run."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return sorted(c for c in found if alive(c))


def alive(process: int) -> bool:
    """Whether it runs; a process that nobody has waited for yet does not."""
    return "Z (" not in _state(process)


def _state(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/status").read_text().split("State:")[1].split("\n")[0] + " ("
    return "Z ("


# ---- a cluster that keeps running ---------------------------------------------------------------------------------


@dataclass
class Running:
    """A cluster whose nodes were started one by one and stay up while sessions come and go."""

    folder: Path
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Extra environment of single nodes."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        return Manifest.read(self.folder)

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.manifest.nodes]

    def data(self, name: str) -> Path:
        """The node's data folder."""
        return self.folder / "nodes" / name

    def start(self, names: Sequence[str] | None = None) -> None:
        """Start nodes and wait until each says that it is ready."""
        for name in names or self.names:
            with (self.data(name) / "console.log").open("wb") as log:
                self.processes[name] = subprocess.Popen(
                    [*TACITA, "node", "start", "--data", str(self.data(name)), "--stop-with-stdin"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=environment(self.env.get(name))[0],
                )
        for name in names or self.names:
            wait_for(lambda name=name: "is ready" in self.said(name) or self.processes[name].poll() is not None)  # type: ignore[misc]
            assert "is ready" in self.said(name), self.said(name)

    def said(self, name: str) -> str:
        """What a node printed."""
        return (self.data(name) / "console.log").read_text()

    def stop(self, names: Sequence[str] | None = None) -> None:
        """Ask nodes to stop and wait for them."""
        chosen = [self.processes.pop(name) for name in names or list(self.processes)]
        for process in chosen:
            process.send_signal(signal.SIGTERM)
        for process in chosen:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdin is not None
            process.stdin.close()

    def run(self, arguments: Sequence[str], out: Path, *more: object) -> Ran:
        """`tacita run auction` on these nodes."""
        return tacita("run", "auction", *arguments, "--cluster", self.folder, "--out", out, *more)

    def status(self, name: str) -> dict[str, Any]:
        """`tacita node status`."""
        ran = succeeded(tacita("node", "status", "--data", self.data(name), "--format", "json"))
        return dict(json.loads(ran.out))

    def ask(self, name: str) -> tacita_pb2.StatusReply:
        """The same without a process of its own."""

        async def go() -> tacita_pb2.StatusReply | None:
            operator = Operator(Folder(self.data(name)))
            reply = await operator.status(10)
            await operator.close()
            return reply

        reply = asyncio.run(go())
        assert reply is not None, f"{name} does not answer"
        return reply

    def connected(self, name: str, peer: str) -> bool:
        """Whether a node says that it has a stream with a peer."""
        return {p.name: p.connected for p in self.ask(name).peers}[peer]

    def join(self, sample: Sample, session: str) -> dict[str, Finished | NodeFailure]:
        """Run a session as three operators would, and tell how it ended at every node."""
        chosen = named(sample, session)
        budgets = chosen.budget.splitlines() if chosen.budget else None
        terms, bidders = complete_with_inputs(tomllib.loads(chosen.terms), chosen.inputs.splitlines(), budgets)
        placed = local.assign(list(bidders), self.names, None, "bidder")
        texts = {"inputs": chosen.inputs} | ({"budget": chosen.budget} if chosen.budget else {})
        local.fill_inboxes(self.manifest, terms, texts, placed)

        async def go() -> list[Finished | NodeFailure]:
            operators = [Operator(Folder(self.data(name))) for name in self.names]
            results = await asyncio.gather(*(o.run(session, lambda _node, _progress: None) for o in operators))
            await asyncio.gather(*(o.close() for o in operators))
            return results

        return dict(zip(self.names, asyncio.run(go()), strict=True))

    def result(self, name: str, session: str) -> Path:
        """Where a node keeps the results of a session."""
        return Folder(self.data(name)).session(session)

    def openings(self, name: str, session: str) -> list[Opening]:
        """What a node's engine opened in a session."""
        entries = json.loads((self.result(name, session) / "openings.json").read_text())
        return [Opening(*entry) for entry in entries]

    def announced(self, session: str) -> Demand:
        """The dry run of a session from its terms and public patterns alone, as the certificate tells them."""
        tree = json.loads((self.result(self.names[0], session) / "certificate.json").read_text())
        terms = complete_terms(tree["terms"])
        instance = POLICIES[terms.policy].instance(terms, {e["name"]: tuple(e["pattern"]) for e in tree["enrolled"]})
        return instance.demand(len(self.names), (len(self.names) - 1) // 2, terms.session.security)


def outcome(out: Path) -> dict[str, Any]:
    """outcome.json of a finished session."""
    return dict(json.loads((out / "outcome.json").read_text()))


def tree_of(folder: Path) -> list[str]:
    """Everything in a folder; empty if it does not exist."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) if folder.exists() else []
