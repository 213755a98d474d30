"""A32, A36, A81, A85, A86, A90, A91: freeze, coins, and an auction that is tried again: after its end and inside."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.behaviour import Behaviour, Sent, first_bit, first_time, silence
from tacita.deploy.attack.bids import second_thoughts
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.deviations import grind, other_freeze
from tacita.deploy.attack.instance import SCENE_LINES, a1
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import (
    decision,
    ended,
    judge_scene,
    play_session,
    worthless_certificate,
    wrong_output,
)
from tacita.protocols import judge
from tacita.protocols.envelope import EVERYONE, Envelope, sign
from tacita.protocols.evidence import from_file
from tacita.protocols.stages import certify
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.verify import verify

TRIES = 10


@case("A36", "failing again and again", "R CallerMistake",
      Defence("tacita.protocols.session._Session._freeze_once"),
      variants=("after the coins", "in the binding check"))  # fmt: skip
def failing(play: Play) -> Shown:
    """node3 lets a session fail late and hopes to see the next attempt of the same auction, ten times."""
    silent = {"after the coins": "keys", "in the binding check": "bind all partials"}[play.variant]
    scene = Scene(play.parties, play.name, behaviour=Behaviour(rewrite=silence(silent)))
    scene.run()
    failures = 0
    for attempt in range(TRIES):
        scene.differing = {n: {"entropy": SeededEntropy(f"{attempt}/{n}")} for n in scene.names}
        scene.run()
        failures += silent in scene.rounds()
    if not scene.told:
        scene.run()
    shown = judge_scene(scene, lambda _: f"{failures} further sessions ran until node3 let them fail" * bool(failures))
    shown.deviated = True
    return shown


def second_session(play: Play, lines: str, silent: str) -> Shown:
    """One session, then another of the same name with `lines`."""
    rewrite = silence(silent) if silent else Behaviour().rewrite
    scene = Scene(play.parties, play.name, behaviour=Behaviour(rewrite=rewrite))
    first = scene.run()
    before = decision(ended(scene)[0]) if ended(scene) else {}
    scene.behaviour = Behaviour()
    scene.terms, scene.inputs = a1(scene.release, scene.name, lines)
    scene.differing = {n: {"entropy": SeededEntropy(f"again/{n}")} for n in scene.names}
    scene.run()
    assert first is not None

    def twice(scene: Scene) -> str:
        after = decision(ended(scene)[0]) if ended(scene) else {}
        if not after:
            return ""
        was = f" after {_allocation(before)}" if before else " after the order was known"
        return f"decided again: {_allocation(after)}{was}"

    shown = judge_scene(scene, twice)
    shown.deviated = True
    return shown


def _allocation(outcome: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {values[0]:.4g}" for name, values in outcome["allocation"].items())


CHANGED = """bidder,slot,value,slope,min,max
ann,1,10.01734,1.00573,0,6.11939
bob,1,8.03217,2.01151,0,3.05371
cat,1,11.5,0.5,0,2.07193"""


@case("A85", "another bid after an abort", "R CallerMistake", Defence("tacita.protocols.session._Session._freeze_once"),
      variants={"after the coins": "", "after the masks": "", "in the second attempt": "P"})  # fmt: skip
def other_bid_after_abort(play: Play) -> Shown:
    if play.variant == "in the second attempt":
        return play_session(play, lambda scene: changing_its_mind(scene, play), wrong_output, attempts=2)
    return second_session(play, CHANGED, {"after the coins": "keys", "after the masks": "mask shares"}[play.variant])


def changing_its_mind(scene: Scene, play: Play) -> Behaviour:
    """node3 lets the first attempt fail, and at the beginning of the second one it opens another bid of cat's."""
    another = second_thoughts(play.patch)["open"]
    leaves = first_time("mask shares")
    labels: dict[str, bytes] = {}

    def rewrite(envelope: Envelope, receiver: str) -> Sent:
        if envelope.round == "open":
            labels["gathering"] = envelope.session
        if envelope.round != "keys" or labels.setdefault("first", envelope.session) == envelope.session:
            return leaves(envelope, receiver)
        bid = replace(envelope, round="open", receiver=EVERYONE, payload=another(b""))
        words = (envelope, bid, replace(bid, session=labels["gathering"]))
        return [sign(word, scene.identities[scene.liar]) for word in words]

    return Behaviour(rewrite=rewrite)


@case("A91", "binary search by repeated queries", "R CallerMistake",
      Defence("tacita.protocols.session._Session._freeze_once"))  # fmt: skip
def second_query(play: Play) -> Shown:
    """The second query has one more participant of node3's: another auction id, the same name."""
    return second_session(play, CHANGED + "\ndan,1,5,1,0,1", "")


SIGNED = Defence("tacita.protocols.messages.check_signed")


@case("A86", "another set of bids at the freeze", "I ProtocolFault", SIGNED, culprit="node3",
      variants={"nothing frozen": "", "closing early": "D Absent"})  # fmt: skip
def other_set(play: Play) -> Shown:
    if play.variant == "closing early":
        return play_session(play, Behaviour(rewrite=silence("freeze")), worthless_certificate)
    return play_session(
        play, lambda scene: Behaviour(lies={"freeze": other_freeze(scene)}), worthless_certificate, later=True
    )


WITHOUT_BOB = "\n".join(line for line in SCENE_LINES.splitlines() if not line.startswith("bob"))


@case("A81", "a bidder's commitment is dropped", "I, by a receipt",
      Defence("tacita.protocols.judge.omissions", lambda honest: lambda *_: [], notices=bool),
      accepts="I Equivocation by node3")  # fmt: skip
def dropped(play: Play) -> Shown:
    """All nodes freeze bob's bid, give him their receipt, and then decide the auction of this name without him."""
    first, second = Scene(play.parties, play.name), Scene(play.parties, f"{play.name}/again")
    first.run()
    receipts = [result.receipts["bob"] for result in first.endings.values() if "bob" in result.receipts]  # type: ignore[union-attr]
    second.terms, second.inputs = a1(second.release, second.name, WITHOUT_BOB)
    second.run()
    data = ended(second)[0].certificate
    outcome = verify(data, second.roster, None, allow_insecure_key=True).outcome
    found = [
        from_file(evidence, second.roster)
        for evidence in judge.omissions(receipts[0], Certificate.decode(data), second.roster)
    ]
    mine = [evidence for evidence in found if judge.proven(evidence, second.roster).culprit == "node3"]
    if not mine:
        return Shown("P", harm=f"decided without bob: {_allocation(outcome)}, and nobody is convicted")
    return Shown("I Equivocation", "node3", evidence=mine, roster=second.roster)


@case("A90", "choosing the order with the last coin", "I ProtocolFault",
      Defence("tacita.protocols.stages.certify.coin_commitment", lambda honest: lambda coin, nonce, owner: bytes(32),
              prevents=True), culprit="node3",
      variants={"chosen last": "", "another coin": "", "in the second attempt": "P"})  # fmt: skip
def chosen_order(play: Play) -> Shown:
    """node3 knows the order of ties first and chooses its coin, or lets an attempt fail to have it drawn again."""
    if play.variant == "in the second attempt":
        orders: list[Sequence[str]] = []

        def job(job: Any) -> Any:
            orders.append(job.order)
            return job

        def redrawn(scene: Scene) -> str:
            if len(orders) < 2:
                return "the second attempt did not come as far as the computation"
            return "" if len(set(map(tuple, orders))) == 1 else f"the order was drawn again: {orders}"

        leaving = Behaviour(rewrite=first_time("openings"), job=job)
        return play_session(play, leaving, redrawn, attempts=2, two_worlds=False)

    def rushing(scene: Scene) -> Behaviour:
        change = grind(scene) if play.variant == "chosen last" else first_bit
        return Behaviour(lies={"coins": change}, rushes=True)

    def order(scene: Scene) -> str:
        for result in ended(scene):
            certificate = Certificate.decode(result.certificate)
            coins = {name: part.coin for name, part in certificate.nodes.items()}
            auction = scene.setup().auction_id
            ranks = certify.auction_order(auction, coins, ("ann", "bob", "cat"))
            return f"the order is {', '.join(ranks)}, as node3 chose" if ranks[0] == "cat" else ""
        return ""

    return play_session(play, rushing, order)


@case("A32", "regression over repeated sessions", "R CallerMistake",
      Defence("tacita.protocols.session._Session._freeze_once"))  # fmt: skip
def regression(play: Play) -> Shown:
    """Another bid of cat's each time: what it gets as a function of its bid is the others' supply curve."""
    scene = Scene(play.parties, play.name)
    answers: list[float] = []
    for n, value in enumerate((6.02311, 8.5, 10.5, 12.5)):
        lines = scene.lines.replace("cat,1,6.02311", f"cat,1,{value}")
        scene.terms, scene.inputs = a1(scene.release, scene.name, lines)
        # Another participant makes another auction id of it.
        if n:
            scene.terms, scene.inputs = a1(scene.release, scene.name, lines + f"\ndan{n},1,5,1,0,1")
        scene.differing = {name: {"entropy": SeededEntropy(f"{n}/{name}")} for name in scene.names}
        scene.run()
        answers += [result.outcome["allocation"]["cat"][0] for result in ended(scene)[:1]]
    told = ", ".join(f"{x:.4g}" for x in answers)
    shown = judge_scene(scene, lambda _: f"decided {len(answers)} times: cat gets {told}" if len(answers) > 1 else "")
    shown.deviated = True
    return shown
