"""A cluster in which one node deviates: it says something else to all, or something else to some.

`Liar` changes the payload of one round consistently: its own echo and root include the lie. `Rewriter` changes what
single receivers get, signed with the sender's true key. Both note what was sent, so that a test can show that the
deviating bytes reached the check.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.deploy.attack.behaviour import first_bit, last_bit, silence, to
from tacita.deploy.simulate.clock import run_virtual
from tacita.protocols import attempt, session
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope, open_signed, sign
from tacita.protocols.faults import Equivocation, ProtocolFault, SessionAborted, TacitaError
from tacita.protocols.party import Party, Result
from tests.adversary.honest import A1Cluster, a1

__all__ = ["first_bit", "last_bit", "silence", "to"]
Change = Callable[[bytes], bytes]


class LyingChannel(Channel):
    """Says other payloads in some rounds."""

    lies: Mapping[str, Change]
    told: list[str]
    rush: bool

    def _lie(self, round_name: str, payload: bytes) -> bytes:
        if round_name not in self.lies:
            return payload
        lie = self.lies[round_name](payload)
        if lie != payload:
            self.told.append(round_name)
        return lie

    async def broadcast(self, round_name: str, payload: bytes, longer: float = 0.0) -> dict[str, bytes]:
        if self.rush and round_name in self.lies:
            await self._arrived(round_name, self.peers, self._end())
        return await super().broadcast(round_name, self._lie(round_name, payload), longer)

    async def exchange(self, round_name: str, payloads: Mapping[str, bytes], longer: float = 0.0) -> dict[str, bytes]:
        changed = {peer: self._lie(round_name, payload) for peer, payload in payloads.items()}
        return await super().exchange(round_name, changed, longer)

    async def post(self, round_name: str, payload: bytes) -> None:
        await super().post(round_name, self._lie(round_name, payload))


@dataclass
class Deviant(A1Cluster):
    """`liar` tells `lies`; `rewrite(envelope, receiver)` changes, drops (None) or multiplies what `liar` sends."""

    liar: str = "node3"
    lies: dict[str, Change] = field(default_factory=dict)
    rewrite: Callable[[Envelope, str], Envelope | Sequence[bytes] | None] = lambda envelope, receiver: envelope
    rush: bool = False
    """Wait for everybody else's message before telling a lie."""
    told: list[str] = field(default_factory=list)
    sessions: dict[str, list[Any]] = field(default_factory=dict)
    envelope_keys: dict[str, Any] = field(default_factory=dict)
    """What opens the envelopes of `liar`, by participant."""
    log: list[tuple[str, str, Envelope]] = field(default_factory=list)
    """(sender, receiver, envelope) of everything that was delivered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tamper = self._tamper

    def open_channel(self, party: Party, label: bytes, root: bytes) -> Channel:
        channel = super().open_channel(party, label, root)
        if party.name == self.liar:
            channel.__class__ = LyingChannel
            channel.lies, channel.told, channel.rush = self.lies, self.told, self.rush
        return channel

    def watch_sessions(self, patch: pytest.MonkeyPatch) -> None:
        """Let the deviating node see its own session, with its secrets."""
        cluster, make, open_envelopes = self, session._Session.__init__, attempt.open_envelopes

        def noted(self: Any, party: Party, *rest: Any) -> None:
            make(self, party, *rest)
            cluster.sessions.setdefault(party.name, []).append(self)

        def noted_keys(party: Party, reading: Any, keys: Mapping[str, Any]) -> Any:
            if party.name == cluster.liar:
                cluster.envelope_keys.update(keys)
            return open_envelopes(party, reading, keys)

        patch.setattr(session._Session, "__init__", noted)
        patch.setattr(attempt, "open_envelopes", noted_keys)

    def _tamper(self, sender: str, receiver: str, data: bytes) -> bytes | None:
        envelope = Envelope.decode(data[SIGNATURE_BYTES:])
        if sender == self.liar:
            changed = self.rewrite(envelope, receiver)
            if changed is None:
                self.told.append(envelope.round)
                return None
            if not isinstance(changed, Envelope):
                self.told.append(envelope.round)
                for item in changed:
                    self.deliver(sender, receiver, item)
                return None
            if changed != envelope:
                self.told.append(envelope.round)
                data = sign(changed, self.identities[sender])
                envelope = changed
        self.log.append((sender, receiver, envelope))
        return data

    def deliver(self, transport_peer: str, receiver: str, data: bytes) -> None:
        """Hand bytes to a node as if they came over `transport_peer`'s connection."""
        label = data[SIGNATURE_BYTES : SIGNATURE_BYTES + 32]
        channel = self.channels.get((receiver, label))
        if channel is None:
            self.early.setdefault((receiver, label), []).append((transport_peer, data))
        else:
            channel.deliver(transport_peer, data)

    def rounds(self, sender: str | None = None) -> list[str]:
        """Rounds in which something was delivered, in order, once each."""
        return list(dict.fromkeys(e.round for s, _, e in self.log if sender in (None, s)))

    @property
    def honest(self) -> list[str]:
        return [name for name in self.names if name != self.liar]


def run(cluster: Deviant, release: str = "public", **differing: Mapping[str, Any]) -> dict[str, Result | BaseException]:
    """One session of A1 with a deviating node."""
    return run_virtual(cluster.outcomes(*a1(release), differing))


def errors(cluster: Deviant, outcomes: Mapping[str, Result | BaseException]) -> list[TacitaError]:
    """How the honest nodes ended; every one must have ended with an error of ours."""
    ended = [outcomes[name] for name in cluster.honest]
    assert all(isinstance(e, TacitaError) for e in ended), [repr(e)[:300] for e in ended]
    return [e for e in ended if isinstance(e, TacitaError)]


def assert_all_name(
    cluster: Deviant, outcomes: Mapping[str, Result | BaseException], leaf: type[TacitaError], culprit: str
) -> None:
    """Every honest node ends with the same leaf and names the culprit; the lie was told and nothing was decrypted."""
    assert cluster.told, "the deviation never happened"
    for error in errors(cluster, outcomes):
        assert type(error) is leaf, repr(error)
        assert getattr(error, "culprit", getattr(error, "peer", None)) == culprit, repr(error)
        assert not isinstance(error, ProtocolFault) or error.evidence is not None, "nothing for the judge"
    assert_nothing_decrypted(cluster)


def assert_nothing_decrypted(cluster: Deviant) -> None:
    assert not {"partials"} & {e.round for s, _, e in cluster.log if s in cluster.honest}


def assert_convicts(cluster: Deviant, outcomes: Mapping[str, Result | BaseException], culprit: str) -> None:
    """The evidence of every honest node holds for a stranger, and only against the culprit."""
    from tacita.protocols.envelope import convicted

    for error in errors(cluster, outcomes):
        assert isinstance(error, Equivocation)
        assert error.evidence is not None
        assert convicted(error.evidence, cluster.roster) == culprit
        one, other = (open_signed(data, cluster.roster)[0] for data in error.evidence.signed)
        assert (one.sender, one.round) == (other.sender, other.round) and one != other


def known(outcomes: Mapping[str, Result | BaseException], cluster: Deviant) -> list[TacitaError]:
    """Errors of those who know why; the others were only told to stop."""
    return [e for e in errors(cluster, outcomes) if not isinstance(e, SessionAborted)]


def finished(cluster: Deviant, outcomes: Mapping[str, Result | BaseException], same_file: bool = True) -> list[Result]:
    """Results of the honest nodes: all have finished with one decision and, unless told otherwise, one certificate."""
    results = [r for r in (outcomes[name] for name in cluster.honest) if isinstance(r, Result)]
    assert len(results) == len(cluster.honest), [repr(outcomes[name])[:200] for name in cluster.honest]
    decisions = [{k: v for k, v in r.outcome.items() if k != "certificate"} for r in results]
    assert all(d == decisions[0] for d in decisions)
    assert not same_file or len({r.certificate for r in results}) == 1
    return results


def drop(cluster: Deviant, sender: str, round_name: str, tamper: Any) -> Any:
    """The network loses what one honest node says in one round."""

    def dropping(s: str, r: str, data: bytes) -> bytes | None:
        lost = s == sender and Envelope.decode(data[64:]).round == round_name
        return None if lost else tamper(s, r, data)

    return dropping
