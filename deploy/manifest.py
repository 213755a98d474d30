"""The manifest: which nodes a cluster has and how each is run; every driver starts from it.

A cluster folder holds roster.json and nodes/<name>/, the data folders. The local driver runs each node as a process
of this machine, the container driver as a container; the arguments of `tacita`, the port and the data folder are
the same in both.
"""

from dataclasses import dataclass
from pathlib import Path

from tacita.node import files
from tacita.protocols.roster import Roster

CONTAINER_DATA = "/data"


@dataclass(frozen=True)
class NodeSpec:
    """How one node is run."""

    name: str
    address: str
    folder: Path

    @property
    def host(self) -> str:
        """The name or number under which other nodes reach it."""
        return self.address.rpartition(":")[0]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.address.rpartition(":")[2])

    def arguments(self, data: str) -> list[str]:
        """The arguments of `tacita` that run this node on the data folder as the driver sees it."""
        return ["node", "start", "--data", data]


@dataclass(frozen=True)
class Manifest:
    """A cluster on disk."""

    folder: Path
    nodes: tuple[NodeSpec, ...]

    @staticmethod
    def read(folder: Path) -> "Manifest":
        """From a cluster folder; raises CallerMistake."""
        roster = Roster.read(files.read_json(folder / "roster.json", "roster"))
        return Manifest(folder, tuple(NodeSpec(n.name, n.address, folder / "nodes" / n.name) for n in roster.nodes))
