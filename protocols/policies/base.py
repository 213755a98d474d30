"""What a policy must offer to the stages: they know nothing else about it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tacita.crypto.proofs.range import Relations
from tacita.protocols.mpc.demand import Demand
from tacita.protocols.mpc.engine import Engine

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
