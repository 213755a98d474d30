"""A13, A21, A22, A63, A67, A78, A84, A87: what dealers and nodes share is not what they published."""

from typing import Any

from tacita.crypto.security import CHALLENGE_BITS
from tacita.crypto.transcript import Transcript
from tacita.deploy.attack.behaviour import Behaviour, first_bit, to
from tacita.deploy.attack.bids import CHEAT, cheat
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.dealing import Shares, bidder, node, shifted
from tacita.deploy.attack.deviations import BAD_DEALS, MASKS
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import crashed, ended, first_of, honest_blamed, play_session, wrong_output
from tacita.protocols import attempt, reading

BINDING = Defence("tacita.protocols.attempt.check_dealings")
UNIT = 1 << 32


@case("A13", "bad share to one node, and a false complaint", "I BadKeyShare / FalseComplaint",
      Defence("tacita.protocols.reading.Reading.shares_held"), accepts="I BadKeyShare", culprit=CHEAT,
      variants={**dict.fromkeys(BAD_DEALS, ""), "a false complaint": "I FalseComplaint by node3"})  # fmt: skip
def bad_share(play: Play) -> Shown:
    return complaint(play)


@case("A84", "bad share in an envelope, and a false complaint", "I BadKeyShare / FalseComplaint",
      Defence("tacita.protocols.reading.Reading.shares_held"), accepts="I BadKeyShare", culprit=CHEAT,
      variants={"another share than hashed": "", "a false complaint": "I FalseComplaint by node3"})  # fmt: skip
def bad_envelope(play: Play) -> Shown:
    return complaint(play)


def complaint(play: Play) -> Shown:
    """Either a dealer lies to node1, or node3 says that ann did."""
    if play.variant == "a false complaint":
        keys = keys_of(play, "node3")

        def wrongly(scene: Scene) -> Behaviour:
            return Behaviour(lies={"shares": lambda _: reading.complaint("ann", keys["ann"])})

        return play_session(play, wrongly, honest_blamed)
    cheated = cheat(play.patch, BAD_DEALS[play.variant])
    return play_session(play, Behaviour(), first_of(crashed, stuck), deviated=lambda: cheated)


def keys_of(play: Play, name: str) -> dict[str, Any]:
    """What opens the liar's own envelopes, by participant, as soon as it has opened them."""
    keys, open_envelopes = dict[str, Any](), attempt.open_envelopes

    def noted(party: Any, reading: Any, envelope_keys: Any) -> Any:
        if party.name == name:
            keys.update(envelope_keys)
        return open_envelopes(party, reading, envelope_keys)

    play.patch.setattr(attempt, "open_envelopes", noted)
    return keys


def stuck(scene: Scene) -> str:
    """Honest nodes that go on although one of them has no shares."""
    return "the session goes on without node1's shares" if "masks" in scene.rounds() else ""


@case("A21", "shares of another value than was encrypted", "I ConversionMismatch", BINDING, culprit=CHEAT,
      variants=("value", "slope", "blind", "wrapped"))  # fmt: skip
def other_value(play: Play) -> Shown:
    number, by = {"value": (0, 6 * UNIT // 16), "slope": (1, 3), "blind": (-1, 3), "wrapped": (0, -UNIT)}[play.variant]
    scene = Scene(play.parties)
    fields = scene.setup().instance.field_count(CHEAT)
    with bidder(shifted(number % (fields + 1), by)):
        return play_session(play, Behaviour(), wrong_output, deviated=lambda: True)


@case("A22", "shares of other masks than were posted", "I ConversionMismatch", BINDING, culprit="node3",
      variants=("first", "second", "two exchanged"))  # fmt: skip
def other_masks(play: Play) -> Shown:
    held: list[Shares] = []

    def exchanged(number: int, shares: Shares, prime: int) -> Shares:
        """The second value gets the shares of the first, and the first ones of another number."""
        held.append(shares)
        return held[0] if number == 1 else [(s + (1 << 24)) % prime for s in shares] if number == 0 else shares

    wrong = {"first": shifted(0, 1 << 24), "second": shifted(1, 1 << 24), "two exchanged": exchanged}[play.variant]
    with node(wrong):
        return play_session(play, Behaviour(), wrong_output, deviated=lambda: True)


@case("A63", "mask that cancels the others'", "I InvalidProof", Defence("tacita.crypto.proofs.quadratic.verify"),
      culprit="node3", variants=tuple(MASKS))  # fmt: skip
def unproven_mask(play: Play) -> Shown:
    """(Enc(r1)·Enc(r2))⁻¹·Enc(x): the decryption in the binding check would show a combination of honest masks."""

    def lying(scene: Scene) -> Behaviour:
        return Behaviour(lies={"masks": MASKS[play.variant](scene)}, rushes=True)

    def opened(scene: Scene) -> str:
        if "bind all partials" not in scene.rounds():
            return ""
        return "secret opened: all nodes decrypt a sum from which the honest masks are gone"

    return play_session(play, lying, opened)


def known_coin(honest: Any) -> Any:
    """Old rule: the coefficients are public beforehand."""

    def predictable(setup: Any, session: bytes, coins: Any, everybody: Any) -> Any:
        return honest(setup, bytes(32), dict.fromkeys(setup.roster.names, bytes(32)), everybody)

    return predictable


@case("A67", "errors that cancel under known coefficients", "I ConversionMismatch",
      Defence("tacita.protocols.stages.bind.combinations", known_coin, prevents=True), culprit=CHEAT)  # fmt: skip
def cancelling_errors(play: Play) -> Shown:
    """Errors e in field 0 and −e·ρ₀ in the blind, for the ρ of the old rule."""
    scene = Scene(play.parties)
    setup = scene.setup()
    transcript, rho = Transcript("bind").absorb("session", bytes(32)), list[int]()
    for name in setup.roster.names:
        transcript.absorb("node", name).absorb("coin", bytes(32))
    for e in setup.enrolled:
        count = setup.instance.field_count(e.name)
        rho = transcript.absorb("dealer", e.name).challenges("rho", count, CHALLENGE_BITS)
    # What the value gains, the blind loses: its coefficient is 1, and nothing is computed with it.
    value = 6 * UNIT // 16

    def wrong(number: int, shares: Shares, prime: int) -> Shares:
        error = {0: value, len(rho): -value * rho[0]}.get(number, 0)
        return [(s + error) % prime for s in shares]

    with bidder(wrong):
        return play_session(play, Behaviour(), wrong_output, deviated=lambda: True)


def framing(honest: Any) -> Any:
    """Old rule: whoever's combination disagrees is the culprit, whether or not the shares fit together."""

    def blame(setup: Any, shares: Any) -> Any:
        from tacita.crypto.shamir import reconstruct

        needed = setup.roster.threshold + 1
        points = {setup.roster.index(n) + 1: share for n, share in shares.items()}
        return reconstruct({i: points[i] for i in sorted(points)[-needed:]}, setup.demand.prime)

    return blame


@case("A78", "framing a dealer in the binding check", "D InconsistentOpening",
      Defence("tacita.protocols.stages.bind.opened", framing, notices=lambda value: value is None))  # fmt: skip
def frames_a_dealer(play: Play) -> Shown:
    """node3 says another share of the combination: without the degree check the first dealer looks guilty."""

    def plus_one(payload: bytes) -> bytes:
        return (int.from_bytes(payload, "big") ^ 1).to_bytes(len(payload), "big")

    def first_dealer(payload: bytes) -> bytes:
        width = len(payload) // (3 + play.parties)
        return (int.from_bytes(payload[:width], "big") ^ 1).to_bytes(width, "big") + payload[width:]

    return play_session(play, Behaviour(lies={"bind all": plus_one, "bind each": first_dealer}), honest_blamed)


@case("A87", "different engine keys inside a subset", "I ProtocolFault",
      Defence("tacita.protocols.stages.share._commitment", lambda honest: lambda *_: bytes(32), prevents=True),
      culprit="node3", variants={"to one node": "", "wrong confirmation": "D SuspectFault"})  # fmt: skip
def other_keys(play: Play) -> Shown:
    def unnamed(scene: Scene) -> str:
        ends = [scene.endings[n] for n in scene.honest]
        if ended(scene) or any(getattr(end, "culprit", "") for end in ends):
            return ""
        return f"nobody is named: {ends[0]}"

    if play.variant == "to one node":
        return play_session(play, Behaviour(rewrite=to("keys", first_bit, ["node1"])), unnamed)
    return play_session(play, Behaviour(lies={"confirm keys": lambda p: p[:-1] + bytes([p[-1] ^ 1])}), lambda _: "")
