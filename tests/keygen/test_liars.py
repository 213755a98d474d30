"""A party that deviates in one step is named by all others, with evidence that convicts it before strangers."""

import pytest

from tacita.deploy.attack.liars import Lies, all_made, assert_all_blame, zero_units
from tacita.deploy.attack.ring import Ring
from tacita.protocols.faults import (
    BadKeyShare,
    BadModulus,
    BadPartialDecryption,
    Equivocation,
    InvalidEncodingFault,
    ProtocolFault,
)
from tacita.protocols.keygen.memory import Winner
from tacita.protocols.keygen.parameters import Parameters


def flip(payload: bytes) -> bytes:
    """Another payload of the same length; the low bit of its last byte differs."""
    return payload[:-1] + bytes([payload[-1] ^ 1])


def flip_first_entry(width: int):
    return lambda payload: payload[: width - 1] + bytes([payload[width - 1] ^ 1]) + payload[width:]


def shift_share(dealt) -> None:
    dealt[0][0] = dealt[0][0] - 1 if dealt[0][0] else dealt[0][0] + 1


def off_the_lattice(values) -> None:
    values[0] += 8


def flip_to(receiver: int, at: int):
    def change(j: int, payload: bytes) -> bytes:
        return payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :] if j == receiver else payload

    return change


def flip_share(receiver: int, shares: int):
    """The low bit of the first of so many integer shares, which stays within its bound; a salt of 32 bytes follows."""

    def change(j: int, payload: bytes) -> bytes:
        return flip_to(receiver, (len(payload) - 32) // shares - 1)(j, payload) if payload else payload

    return change


SURE = {
    "shares x = 0": (Lies(liar=1, draws=zero_units), BadKeyShare),
    "a wrong sieve share, announced": (Lies(liar=2, deals={0: shift_share}), BadKeyShare),
    "a sieve share that was not announced": (Lies(liar=2, tells={"S1/private": flip_to(1, 40)}), BadKeyShare),
    "another seed of the shared tree": (Lies(liar=2, tells={"S1/private": flip_to(3, 0)}), BadKeyShare),
    "a private message that is too short": (
        Lies(liar=3, tells={"S2/private": lambda j, data: data[:-1]}), InvalidEncodingFault,
    ),
    "a wrong share of p, announced": (Lies(liar=3, deals={1: shift_share}), BadKeyShare),
    "residues off": (Lies(liar=2, values=off_the_lattice), BadKeyShare),
    "a wrong opening, committed": (Lies(liar=3, opens={"S4": flip}), BadModulus),
    "a rushing forger of N": (Lies(liar=3, reopens={"S4": flip}), Equivocation),
    "a witness that does not divide": (
        Lies(liar=1, says={"S5": lambda _: b"\0\0\0\1" + bytes(4) + b"\0\0\0\0\0\0\0\3"}), InvalidEncodingFault,
    ),
    "a rushing forger of v": (Lies(liar=3, reopens={"S7": flip}), Equivocation),
    "v = 0": (Lies(liar=3, opens={"S7": lambda data: bytes(len(data))}), BadModulus),
    "another outcome": (Lies(liar=2, says={"S7b": flip}), ProtocolFault),
    "another seed in the audit": (Lies(liar=2, says={"S9": flip}), BadKeyShare),
    "another part of the coin": (Lies(liar=2, says={"S8 coin": flip}), BadModulus),
    "another winner": (Lies(liar=2, says={"S8": flip_first_entry(44)}), InvalidEncodingFault),
    "a wrong v in the last test": (Lies(liar=2, opens={"S8 open": flip}), BadModulus),
    "a rushing forger of the last test": (Lies(liar=2, reopens={"S8 open": flip}), Equivocation),
    "a share of phi that was not announced": (Lies(liar=2, tells={"K1/private": flip_to(1, 60)}), BadKeyShare),
    "a wrong share of phi, announced": (Lies(liar=2, shares={"K1": flip_share(1, 2)}), BadKeyShare),
    "a share above its public bound": (
        Lies(liar=2, shares={"K1": lambda j, data: b"\x7f" + data[1:]}), InvalidEncodingFault,
    ),
    "a wrong theta share": (Lies(liar=3, opens={"K2 open": flip}), BadKeyShare),
    "a rushing forger of theta": (Lies(liar=3, reopens={"K2 open": flip}), Equivocation),
    "a wrong share of the exponent": (Lies(liar=1, shares={"K3": flip_share(2, 1)}), BadKeyShare),
    "a wrong verification key": (Lies(liar=2, opens={"K4 open": lambda data: flip(data)}), BadKeyShare),
    "a rushing forger of the verification key": (Lies(liar=2, reopens={"K4 open": flip}), Equivocation),
    "a wrong test decryption": (Lies(liar=2, says={"K5": flip_first_entry(64)}), BadPartialDecryption),
    "a wrong signature on the key": (Lies(liar=2, says={"K6": flip}), ProtocolFault),
}  # fmt: skip


@pytest.mark.parametrize("name", SURE)
def test_a_lie_is_blamed_on_the_liar_at_every_node(name, seed, monkeypatch) -> None:
    lies, kind = SURE[name]
    for again in range(3):
        lies.told = 0
        ring = Ring(seed=seed + "/again" * again)
        lies.install(ring, monkeypatch)
        outcomes = ring.run()
        monkeypatch.undo()
        assert lies.told
        if not (all_made(outcomes) and winners(ring) == {0}):
            break
    assert_all_blame(ring, outcomes, lies.liar, kind)


def winners(ring: Ring) -> set[int]:
    """Candidates that became a key. What is dealt for one is never audited, because it stays secret: a lie about it
    makes another random candidate, which has to pass every test of the key."""
    facts = [fact for store in ring.stores.values() for fact in {**store.forgotten, **store.facts}.items()]
    return {Winner.decode(value).index for (kind, _), value in facts if kind == "keygen/winner"}


def test_control_the_same_parties_without_a_lie_make_a_key(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    Lies().install(ring, monkeypatch)
    assert all_made(ring.run())


PLANTED = [f"planted-1024-{k}" for k in (2, 40, 108, 112, 139, 153, 305, 342, 343, 458)]
"""Seeds of rings of 1024 bits whose first batch of 64 holds a winner."""


def planted_ring(seed: str) -> Ring:
    return Ring(seed=seed, parameters=Parameters.standard(1024, 3, 64, allow_test_bits=True), deadline=60)


def blame_at_1024_bits(name: str, seed: str, monkeypatch) -> None:
    lies, kind = SURE_1024[name] if name in SURE_1024 else SURE[name]
    lies.told = 0
    ring = planted_ring(seed)
    lies.install(ring, monkeypatch)
    outcomes = ring.run()
    assert lies.told
    assert_all_blame(ring, outcomes, lies.liar, kind)


SURE_1024 = {
    # The positions of N, of the winner and of a partial decryption depend on the sizes.
    "a wrong test decryption": (Lies(liar=2, says={"K5": flip_first_entry(256)}), BadPartialDecryption),
}


@pytest.mark.parametrize("name", SURE)
def test_a_lie_at_1024_bits_is_blamed_on_the_liar(name, monkeypatch) -> None:
    blame_at_1024_bits(name, PLANTED[0], monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed_1024", PLANTED)
@pytest.mark.parametrize("name", SURE)
def test_every_lie_at_1024_bits_is_blamed_on_the_liar(name, seed_1024, monkeypatch) -> None:
    blame_at_1024_bits(name, seed_1024, monkeypatch)
