"""A17, A33–A35, A37, A79, A80, A83: ticket, decryption and certificate."""

from dataclasses import replace
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.threshold import KeyShare, combine, partial_decrypt
from tacita.deploy.attack import certificates
from tacita.deploy.attack.behaviour import Behaviour, silence
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.deviations import BAD_TICKETS, PARTIALS, UNFAIR
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import (
    crashed,
    decision,
    ended,
    first_of,
    play_session,
    worthless_certificate,
    wrong_output,
)
from tacita.protocols import releasing
from tacita.protocols.channel import Channel
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.stages import commit, partials, release
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.setup import Setup
from tacita.protocols.verify import verify

DECRYPTION = Defence("tacita.crypto.proofs.decryption.verify")


@case(
    "A17",
    "key share of an earlier epoch",
    "I WrongRound",
    DECRYPTION,
    accepts="I BadPartialDecryption",
    culprit="node1",
)
def old_epoch(play: Play) -> Shown:
    """What a refresh does to a share: the polynomial changes and its value at 0 does not."""

    def old(scene: Scene) -> Behaviour:
        share = scene.shares[0]
        return Behaviour(settings={"share": KeyShare(share.index, share.secret - 12345 * scene.key.delta)})

    return play_session(play, old, first_of(crashed, wrong_output), liar="node1", deviated=lambda: True)


@case("A33", "wrong partial decryption", "I BadPartialDecryption, result produced", DECRYPTION,
      accepts="P by node1", variants=tuple(PARTIALS))  # fmt: skip
def wrong_partial(play: Play) -> Shown:
    def lying(scene: Scene) -> Behaviour:
        return Behaviour(lies={"partials": PARTIALS[play.variant](scene)})

    return play_session(play, lying, first_of(wrong_output, failed_release, crashed), liar="node1")


def failed_release(scene: Scene) -> str:
    """Nodes that hold the ticket and no result."""
    without = [n for n in scene.honest if scene.endings[n] not in ended(scene)]
    if "partials" in scene.rounds() and without:
        return f"no result at {', '.join(without)}: {scene.endings[without[0]]}"
    return ""


ASKED: list[Any] = []
"""The ciphertext that the attacker asks for; only the old rule listens."""


def on_request(honest: Any) -> Any:
    """Old rule: decrypt what a peer asks for."""

    def answer(setup: Setup, ticket: bytes, node: str, share: Any, outputs: Any, entropy: Any) -> Any:
        asked = [ASKED[-1]] * len(outputs) if ASKED and node != "node1" else outputs
        return honest(setup, ticket, node, share, asked, entropy)

    return answer


@case("A34", "decryption oracle", "I UnauthorisedDecryption",
      Defence("tacita.protocols.stages.release.decrypt_partially", on_request, prevents=True),
      accepts="P by node1", variants=("a bid", "a result times a bid", "twice"))  # fmt: skip
def oracle(play: Play) -> Shown:
    """node1 shows partial decryptions of bob's bid where those of the result are due, and hopes for company."""
    ASKED.clear()

    def asking(scene: Scene) -> Behaviour:
        def ask(mine: bytes) -> bytes:
            setup = scene.setup()
            public = commit.split_object(setup, "node2", "bob", scene.heard("node2", "open")[4:])[0]
            wanted = commit.verify_public(setup, "bob", public).fields[0]
            ASKED.append(wanted**2 % setup.key.encryption.square if "times" in play.variant else wanted)
            return mine

        def show(mine: bytes) -> bytes:
            setup, context = scene.setup(), release._context(bytes(32), "node1")
            outputs, source = [ASKED[-1]] * len(setup.outputs), SeededEntropy("asked")
            data = partials.decrypt_partially(setup, context, scene.shares[0], outputs, source)
            return data * (2 if play.variant == "twice" else 1)

        return Behaviour(lies={"ticket": ask, "partials": show})

    def read(scene: Scene) -> str:
        setup, needed = scene.setup(), scene.roster.threshold + 1
        width, points = setup.key.encryption.ciphertext_bytes, dict[int, Any]()
        for name in scene.honest:
            heard = [e.payload for s, r, e in scene.log if (s, r, e.round) == (name, "node1", "partials")]
            if heard:
                points[scene.names.index(name) + 1] = int.from_bytes(heard[0][:width], "big")
        if len(points) < needed - 1:
            return ""
        points[1] = partial_decrypt(setup.key, scene.shares[0], ASKED[-1])
        bob = setup.instance.fields.values(scene.inputs["bob"])[0]  # type: ignore[attr-defined]
        try:
            value = int(combine(setup.key, points))
        except Exception:  # noqa: BLE001 - these were not decryptions of what was asked
            return ""
        return f"secret read: the value of bob's bid, {value}" if value == bob else ""

    return play_session(play, asking, read, liar="node1")


def passes_nothing_on(honest: Any) -> Any:
    """Old rule: a node with all signatures decrypts and tells nobody."""

    async def post(self: Channel, round_name: str, payload: bytes) -> None:
        if round_name != releasing.SIGNED:
            await honest(self, round_name, payload)

    return post


@case("A35", "withholding after learning the result", "P",
      Defence("tacita.protocols.channel.Channel.post", passes_nothing_on, prevents=True),
      variants=(*UNFAIR, "no partial decryption"))  # fmt: skip
def withholding(play: Play) -> Shown:
    def unfair(scene: Scene) -> Behaviour:
        if play.variant == "no partial decryption":
            return Behaviour(rewrite=silence("partials"))
        return Behaviour(rewrite=UNFAIR[play.variant]("node2", scene))

    def alone(scene: Scene) -> str:
        shown = {s for s, r, e in scene.log if e.round == "partials" and r == scene.liar}
        missing = [n for n in scene.honest if scene.endings[n] not in ended(scene)]
        if len(shown) >= scene.roster.threshold and missing:
            return f"unfair: {scene.liar} can decrypt, {', '.join(missing)} cannot"
        return ""

    return play_session(play, unfair, alone)


@case("A37", "forged result", "R VerificationFailed", Defence("tacita.protocols.verify.verify_signature"),
      variants=("another opened value", "another price", "fewer partial decryptions"))  # fmt: skip
def forged_result(play: Play) -> Shown:
    """t nodes forge a certificate: what they cannot sign for others stays as it was."""
    scene = Scene(play.parties, play.name)
    scene.run()
    certificate = Certificate.decode(ended(scene)[0].certificate)
    needed = list(certificate.partials)
    if play.variant == "fewer partial decryptions":
        forged = replace(certificate, partials={n: certificate.partials[n] for n in needed[1:]})
    elif play.variant == "another price":
        forged = replace(certificate, root=bytes(32))
    else:
        label = next(iter(certificate.opened))
        values = certificate.opened[label]
        moved = {**certificate.opened, label: (values[0] + (1 << 24), *values[1:])}
        forged = replace(certificate, opened=moved)
        # All keys but the honest nodes' Ed25519 identities: their old ticket signatures stand.
        ticket = certificates.ticket_of(forged)
        from tacita.crypto.signature import aggregate

        multi = aggregate([scene.multi[name].sign(ticket) for name in scene.names])
        forged = certificates.decrypt_again(replace(forged, aggregate=multi), scene)
    data = forged.encode()
    right = decision(ended(scene)[0])
    try:
        got = verify(data, scene.roster, None, allow_insecure_key=True).outcome
    except VerificationFailed:
        return Shown("R VerificationFailed")
    changed = {k: v for k, v in got.items() if k in right and v != right[k]}
    return Shown("P", harm=f"forged result accepted: {sorted(changed)}" if changed else "")


def unmasked(honest: Any) -> Any:
    """Old rule: outputs are decrypted as they are, whoever they belong to."""

    def without_masks(setup: Setup, opened: Any, masks: Any, bids: Any) -> Any:
        bare = {name: replace(bid, masks=(1,) * len(bid.masks)) for name, bid in bids.items()}
        return honest(setup, opened, masks, bare)

    return without_masks


@case("A79", "reading others' private outputs at the release", "P",
      Defence("tacita.protocols.stages.release.output_ciphertexts", unmasked, prevents=True))  # fmt: skip
def others_outputs(play: Play) -> Shown:
    """node3 keeps to the protocol and unpacks everything that it helps to decrypt."""

    decrypted: dict[str, Any] = {}
    honest = releasing.decrypt

    async def noting(party: Any, setup: Setup, channel: Channel, ticket: bytes, outputs: Any, *rest: Any) -> Any:
        if party.name == "node3":
            decrypted.update(ticket=ticket, outputs=outputs)
        return await honest(party, setup, channel, ticket, outputs, *rest)

    play.patch.setattr(releasing, "decrypt", noting)

    def read(scene: Scene) -> str:
        setup, ticket, outputs = scene.setup(), decrypted["ticket"], decrypted["outputs"]
        shown = {n: scene.heard(n, "partials") for n in scene.honest[: scene.roster.threshold + 1]}
        verified = {n: release.verify_partials(setup, ticket, n, outputs, data) for n, data in shown.items()}
        for packed, plaintext in zip(setup.outputs, release.decrypt(setup, verified), strict=True):
            if packed.recipient in ("ann", "bob"):
                try:
                    values = release.unpack(packed, plaintext)
                except VerificationFailed:
                    continue
                return f"secret read: {values[0][0]} of {packed.recipient}, {values[0][2]} units"
        return ""

    return play_session(play, Behaviour(), read, release="private", two_worlds=False, deviated=lambda: True)


@case("A80", "signatures on two outcomes", "I Equivocation", Defence("tacita.protocols.releasing._checked",
      lambda honest: lambda setup, ticket, name, data: data), accepts="I ProtocolFault", culprit="node3",
      variants=("another outcome", "another outcome to one"))  # fmt: skip
def two_outcomes(play: Play) -> Shown:
    def signing(scene: Scene) -> Behaviour:
        def other(mine: bytes) -> bytes:
            return scene.identities["node3"].sign("ticket", bytes(32)) + mine[64:]

        if play.variant == "another outcome":
            return Behaviour(lies={"ticket": other}, rewrite=silence("signed"))
        from tacita.protocols.envelope import Envelope

        def rewrite(e: Envelope, receiver: str) -> Envelope | None:
            if e.round == "signed":
                return None
            return replace(e, payload=other(e.payload)) if e.round == "ticket" else e

        return Behaviour(rewrite=rewrite)

    return play_session(play, signing, worthless_certificate)


def signs_alone(honest: Any) -> Any:
    """Old rule: decrypt as soon as the own signature stands."""

    async def sign(party: Any, setup: Setup, channel: Channel, ticket: bytes, *rest: Any) -> Any:
        mine = party.identity.sign("ticket", ticket) + party.multi.sign(ticket)
        await channel.post(releasing.TICKET, mine)
        return releasing.Signed(dict.fromkeys(setup.roster.names, mine), bytes(96), ())

    return sign


@case("A83", "look first, sign later", "I ProtocolFault",
      Defence("tacita.protocols.releasing.sign_ticket", signs_alone), culprit="node3",
      variants={**dict.fromkeys(BAD_TICKETS, ""), **dict.fromkeys(("cut short", "more", "nothing"),
                "I InvalidEncoding"), "silence": "D Absent"})  # fmt: skip
def refuses_to_sign(play: Play) -> Shown:
    def early_look(scene: Scene) -> str:
        shown = {s for s, r, e in scene.log if e.round == "partials" and r == "node3" and s != "node3"}
        if len(shown) >= scene.roster.threshold:
            return f"secret read: node3 can decrypt with {', '.join(sorted(shown))}, and never signed"
        return ""

    lies = {} if play.variant == "silence" else {"ticket": BAD_TICKETS[play.variant]}
    gone = ("ticket", "signed", "partials", "abort") if play.variant == "silence" else ("signed", "partials")
    behaviour = Behaviour(lies=lies, rewrite=lambda e, r: None if e.round in gone else e)
    return play_session(play, behaviour, early_look)
