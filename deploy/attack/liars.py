"""Parties that deviate: everything they say is consistent and signed, but one thing is not what the protocol says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tacita.deploy.attack.patching import Patch
from tacita.deploy.attack.ring import Result, Ring
from tacita.protocols.faults import ProtocolFault
from tacita.protocols.judge import proven
from tacita.protocols.keygen import ceremony as module
from tacita.protocols.keygen import epoch
from tacita.protocols.keygen.batch import Batch
from tacita.protocols.keygen.ceremony import Made
from tacita.protocols.keygen.final import Final
from tacita.protocols.keygen.seeds import Draws
from tacita.protocols.keygen.talk import NONCE_BYTES, Talk

Change = Callable[[bytes], bytes]


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Lies:
    """What party `liar` does differently; each entry changes one thing."""

    liar: int = 3
    opens: Mapping[str, Change] = field(default_factory=dict)
    """Opens this under a commitment to the same: a lie that was fixed beforehand."""
    reopens: Mapping[str, Change] = field(default_factory=dict)
    """Opens something else than it committed to."""
    says: Mapping[str, Change] = field(default_factory=dict)
    tells: Mapping[str, Callable[[int, bytes], bytes]] = field(default_factory=dict)
    """Changes a private message after it was announced: (receiver, payload) → payload."""
    deals: Mapping[int, Callable[[list[Any]], None]] = field(default_factory=dict)
    """Changes the shares of a private message before it is announced."""
    draws: Callable[[Draws], None] | None = None
    values: Callable[[list[Any]], None] | None = None
    shares: Mapping[str, Callable[[int, bytes], bytes]] = field(default_factory=dict)
    """Changes a private message of the derivation before it is announced."""
    dies_before: str = ""
    dies_after: str = ""
    told: int = 0

    def install(self, ring: Ring, patch: Patch) -> None:
        lies = self

        class LyingTalk(Talk):
            def _die(self, when: str, step: str) -> None:
                if when == step:
                    lies.told += 1
                    ring.kill(self.channel.me)
                    raise Killed

            async def say(self, step: str, payload: bytes) -> dict[int, bytes]:
                self._die(lies.dies_before, step)
                if step in lies.says:
                    lies.told += 1
                    payload = lies.says[step](payload)
                result = await super().say(step, payload)
                self._die(lies.dies_after, step)
                return result

            async def tell(self, step: str, payloads: Mapping[int, bytes]) -> dict[int, bytes]:
                self._die(lies.dies_before, step)
                if step in lies.tells:
                    lies.told += 1
                    payloads = {j: lies.tells[step](j, data) for j, data in payloads.items()}
                result = await super().tell(step, payloads)
                self._die(lies.dies_after, step)
                return result

            async def open(self, commit: str, step: str, payload: bytes) -> dict[int, bytes]:
                if step in lies.opens:
                    lies.told += 1
                    payload = lies.opens[step](payload)
                if step not in lies.reopens:
                    return await super().open(commit, step, payload)
                lies.told += 1
                nonce = self._entropy.token(NONCE_BYTES)
                await self.say(commit, self.place.commitment(step, self.me, nonce, payload))
                await self.say(step, nonce + lies.reopens[step](payload))
                return {}

        class LyingBatch(Batch):
            async def _announce(self, draws: Draws, depth: int) -> Any:
                if lies.draws is not None:
                    lies.told += 1
                    lies.draws(draws)
                return await super()._announce(draws, depth)

            def _rows(self, step: int, draws: Draws, dealt: list[Any]) -> Any:
                if step in lies.deals:
                    lies.told += 1
                    lies.deals[step](dealt)
                return super()._rows(step, draws, dealt)

            async def _sieve(self, *arguments: Any) -> list[Any]:
                values = await super()._sieve(*arguments)
                if lies.values is not None:
                    lies.told += 1
                    lies.values(values)
                return values

        class LyingFinal(Final):
            async def _tell(self, step: str, message: Callable[[int], bytes]) -> Any:
                if step in lies.shares:
                    lies.told += 1
                    change = lies.shares[step]
                    return await super()._tell(step, lambda j: change(j, message(j)))
                return await super()._tell(step, message)

        def talk(channel: Any, *arguments: Any) -> Talk:
            lying = channel.me == ring.names[lies.liar - 1]
            return (LyingTalk if lying else Talk)(channel, *arguments)

        patch.setattr(epoch, "Talk", talk)
        patch.setattr(module, "Batch", lambda p, t, *a: (LyingBatch if t.me == lies.liar else Batch)(p, t, *a))
        patch.setattr(module, "Final", lambda p, t, *a: (LyingFinal if t.me == lies.liar else Final)(p, t, *a))


def zero_units(draws: Draws) -> None:
    """x = 0 (attack A74): the party knows p and q modulo M."""
    draws.units[:] = [0 * x for x in draws.units]


def honest(ring: Ring, outcomes: Mapping[str, Result], liar: int) -> dict[str, Result]:
    """What the other nodes ended with."""
    return {name: result for name, result in outcomes.items() if name != ring.names[liar - 1]}


def assert_all_blame(ring: Ring, outcomes: Mapping[str, Result], liar: int, kind: type[ProtocolFault]) -> None:
    """Every honest node names the liar with the same class, and a stranger who sees the evidence does, too."""
    culprit = ring.names[liar - 1]
    for name, result in honest(ring, outcomes, liar).items():
        assert type(result) is kind, (name, repr(result))
        assert result.culprit == culprit
        assert result.evidence is not None
        found = proven(result.evidence, ring.roster)
        assert type(found) is kind, (name, found)
        assert (found.culprit, found.reason) == (culprit, result.reason)


def all_made(outcomes: Mapping[str, Result]) -> bool:
    return all(isinstance(result, Made) for result in outcomes.values())
