"""A30, A89: programs that must end with the right result, whatever is claimed and bid."""

import asyncio
from typing import Any

from tacita.deploy.attack.behaviour import Behaviour, silence
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.instance import SCENE_LINES, TERMS, auction
from tacita.deploy.attack.patching import Defence, Patches
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import ended, judge_scene
from tacita.deploy.simulate import node as node_module
from tacita.protocols.admm.plain import gap, solve_plain
from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.policies.auction.terms import AuctionTerms
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.terms import Terms

CLAIMED: list[int] = []
"""What the attacker says about its convergence; only the old rule listens."""


def believed(honest: Any) -> Any:
    """Old rule: the solver stops when a node says that it has converged."""
    return lambda self, class_name: CLAIMED[-1] if CLAIMED else honest(self, class_name)


ADMM = {**TERMS["public"], "solver": {"method": "admm", "gap": 1e-2}}


@case("A30", "lies about convergence", "P or R SessionAborted",
      Defence("tacita.protocols.policies.auction.terms.AuctionTerms.iterations_for", believed, prevents=True),
      accepts="R RefusedFrame")  # fmt: skip
def converged(play: Play) -> Shown:
    """node3 says that two iterations are enough, and computes no more; the others go on and wait for it in vain."""
    terms, inputs = auction(ADMM, SCENE_LINES)
    plain = solve_plain(AuctionTerms.read(terms.tree), inputs)
    CLAIMED.clear()
    scene = Scene(play.parties, play.name, behaviour=Behaviour(rewrite=silence("abort")))
    scene.terms, scene.inputs = terms, inputs
    prepare: Any = vars(node_module)["prepare"]

    def early(job: Any, runtime: Any, kind: Any) -> Any:
        """The liar's engine is everybody's, its program is made for two iterations."""
        engine, program = prepare(job, runtime, kind)
        if job.index != 2:
            return engine, program
        with Patches() as patch:
            patch.setattr(AuctionTerms, "iterations_for", lambda self, name: 2)
            policy = POLICIES[terms.policy].instance(Terms(job.terms), job.patterns)
            return engine, policy.program(job.order)

    play.patch.setattr(node_module, "prepare", early)
    CLAIMED.append(2)
    scene.run()

    def far(scene: Scene) -> str:
        for result in ended(scene):
            off = {what: by for what, by in gap(plain, result.outcome).items() if abs(by) > 0.05}
            if off:
                return "wrong output: " + ", ".join(f"{what} is off by {by:.2g}" for what, by in off.items())
        return ""

    shown = judge_scene(scene, far)
    shown.deviated = True
    return shown


def strictly(honest: Any) -> Any:
    """Old rule: every pair is compared strictly, so that of two equal points neither comes first."""

    async def compare(self: Any, grid: Any, public_grid: Any) -> None:
        await honest(self, grid, public_grid)

        def precedes(a: Any, b: Any) -> Any:
            return grid.engine.public((grid.payload[a] < grid.payload[b]).astype(int).astype(object), 0)

        self.precedes = precedes

    return compare


TIES = {
    "equal bids": "ann,1,6,1,0,3\nbob,1,6,1,0,3\ncat,1,6,1,0,3",
    "value equals cost": "ann,1,1,1,0,3\nbob,1,6,1,0,3\ncat,1,1,1,0,3",
    "zero quantity": "ann,1,6,1,0,0\nbob,1,6,1,0,3\ncat,1,6,1,0,0",
}


@case("A89", "ties and zero divisors", "P",
      Defence("tacita.protocols.admm.table._Order.compare", strictly, prevents=True), variants=tuple(TIES))  # fmt: skip
def ties(play: Play) -> Shown:
    """Bids that meet at every price; the program runs on plain integers, the oracle on floating-point numbers."""
    terms, inputs = auction(TERMS["public"], "bidder,slot,value,slope,min,max\n" + TIES[play.variant])
    scene = Scene(play.parties, play.name)
    scene.terms, scene.inputs = terms, inputs
    instance: Any = scene.setup().instance
    blocks = {block.label: [0] * block.size for block in scene.setup().demand.inputs}
    for name, bid in inputs.items():
        values = POLICIES["auction"].private_values(instance, name, bid)
        for place, value in zip(instance.places(name), values, strict=True):
            blocks[place.label][place.position] = value
    engine = ClearEngine(blocks, play.parties, (play.parties - 1) // 2, play.seed)
    try:
        asyncio.run(instance.program(sorted(inputs))(engine, lambda k, total: None))
    except AssertionError as error:
        return Shown("P", harm=f"crash: {error}"[:120])
    right, outcome = solve_plain(AuctionTerms.read(terms.tree), inputs), instance.outcome(engine.outputs)
    wrong = {what: by for what, by in gap(right, outcome).items() if abs(by) > 1e-5}
    return Shown("P", harm="wrong output: " + ", ".join(f"{k} by {v:.2g}" for k, v in wrong.items()) if wrong else "")
