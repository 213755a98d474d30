"""What a policy must offer to the stages, the nodes and the command line: they know nothing else about it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from tacita.crypto.proofs.range import Relations
from tacita.protocols.mpc.demand import Demand
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.terms import Terms

Report = Callable[[int, int], None]
EVERYBODY = "*"


@dataclass(frozen=True)
class InputPlace:
    """Where a committed integer of a participant goes in the engine: block label and position in the block."""

    label: str
    position: int


class Instance(Protocol):
    """A policy with completed terms and the public pattern of who takes part: everything public is fixed."""

    @property
    def participants(self) -> tuple[str, ...]:
        """Names in alphabetical order."""
        ...

    def field_count(self, participant: str) -> int:
        """How many integers the participant commits to."""
        ...

    def places(self, participant: str) -> Sequence[InputPlace]:
        """Engine position of every committed integer, in commitment order."""
        ...

    def relations(self, participant: str) -> Relations:
        """What the participant's proof must show; witness i is committed integer i."""
        ...

    def program(self, order: Sequence[str]) -> Callable[[Engine, Report], Awaitable[None]]:
        """The secure computation; `order` lists participants by the auction coin."""
        ...

    def demand(self, parties: int, threshold: int, security: str) -> Demand:
        """The dry run of the program; raises CallerMistake for terms that cannot be computed."""
        ...

    def recipients(self, label: str) -> Sequence[str]:
        """Who learns each element of an output block: EVERYBODY or a participant."""
        ...

    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """The public part of outcome.json from the decrypted public outputs."""
        ...

    def private_outcome(
        self, participant: str, outputs: Mapping[str, Sequence[int]], public: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        """What the participant learns beyond the public part."""
        ...


@runtime_checkable
class Claiming(Protocol):
    """An instance that says of itself what no verifier can repeat; outcome and `tacita verify` show it."""

    def claims(self) -> Mapping[str, bool]:
        """{name: whether it holds}, from public facts."""
        ...


@dataclass(frozen=True)
class Part:
    """One participant's share of the input files: the public pattern, and what stays private."""

    pattern: tuple[int, ...]
    inputs: Any = field(repr=False)


class Policy(Protocol):
    """How to complete terms, read inputs, and make an instance."""

    @property
    def owner(self) -> str:
        """The column of every input file that names the participant, for example bidder."""
        ...

    @property
    def files(self) -> Sequence[str]:
        """Input files beside inputs.csv that may be there: "budget" stands for budget.csv."""
        ...

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check the policy's sections and return them with every key; raises CallerMistake."""
        ...

    def read(self, tree: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Mapping[str, Any], dict[str, Part]]:
        """All participants' parts from the texts of the input files ("inputs", "budget", …), and the policy's
        sections of the terms completed by what the files tell. Raises CallerMistake with file and line."""
        ...

    def read_part(self, terms: Terms, files: Mapping[str, str]) -> dict[str, Part]:
        """The same for one node's part of the files under completed terms; nobody may be there."""
        ...

    def filled(self, tree: Mapping[str, Any], certified: Terms) -> Mapping[str, Any]:
        """The policy's sections of a terms file with what `read` adds to them, as it stands in certified terms."""
        ...

    def instance(self, terms: Terms, patterns: Mapping[str, Sequence[int]]) -> Instance:
        """Bind completed terms to the public pattern of participants; raises CallerMistake for impossible ones."""
        ...

    def check_pattern(self, terms: Terms, participant: str, pattern: Sequence[int]) -> None:
        """Refuse a pattern that no participant can have under these terms; raises CallerMistake."""
        ...

    def private_values(self, instance: Instance, participant: str, inputs: Any) -> list[int]:
        """The integers that the participant commits to; refuses inputs that break the public bounds."""
        ...
