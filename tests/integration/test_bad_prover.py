"""A node that hosts a bidder sends something else than a well-formed, proven bid object: everybody else says who."""

from pathlib import Path

import pytest

from tacita.node.client import NodeFailure
from tests.integration import samples
from tests.integration.injection import changed_node
from tests.integration.running import Running, tacita

pytestmark = pytest.mark.cluster

COMMIT = "tacita.protocols.stages.commit"
RANDOM_OBJECT = """
import secrets
module.BidObject.encode = lambda self, setup, participant: secrets.token_bytes(4096)
"""
ANOTHER_OBJECT = """
import secrets
honest = module.BidObject.public_bytes
def public_bytes(self, setup, participant):
    return secrets.token_bytes(len(honest(self, setup, participant)))
module.BidObject.public_bytes = public_bytes
"""
RANDOM_PROOF = """
import hashlib
honest = module.BidObject.public_bytes
def public_bytes(self, setup, participant):
    data = honest(self, setup, participant)
    return hashlib.shake_256(data).digest(len(data))
module.BidObject.public_bytes = public_bytes
"""
BODIES = {
    "no object at all": RANDOM_OBJECT,
    "not the committed object": ANOTHER_OBJECT,
    "committed random bytes": RANDOM_PROOF,
}


@pytest.mark.parametrize("what", BODIES)
def test_random_bytes_in_place_of_a_bid_are_refused_by_every_other_node(what: str, idle: Path, tmp_path: Path) -> None:
    session = what.replace(" ", "-")
    with changed_node(idle, "node2", tmp_path / "patch", COMMIT, BODIES[what]) as cluster:
        ended = cluster.join(samples.TINY, session)
    sentences = set()
    for name in ("node1", "node3"):
        failure = ended[name]
        assert isinstance(failure, NodeFailure) and failure.exit_code == 3
        (evidence,) = cluster.result(name, session).iterdir()
        assert evidence.name == "evidence.json", "nothing else is left of the session"
        sentences.add(failure.message)
        judged = tacita("judge", evidence, "--roster", cluster.data(name) / "roster.json")
        assert judged.code == 0 and judged.out.startswith("convicted ("), judged.err
    (sentence,) = sentences
    assert sentence.endswith(f"(evidence for tacita judge: sessions/{session}/evidence.json)")
    culprit, _, reason = sentence.partition(" broke the protocol: ")
    assert culprit in ("bob", "node2") and len(reason) > 20 and "\n" not in sentence


def test_the_command_line_passes_the_verdict_on_with_exit_code_3(idle: Path, tmp_path: Path) -> None:
    with changed_node(idle, "node2", tmp_path / "patch", COMMIT, RANDOM_PROOF) as cluster:
        ran = run(cluster, tmp_path)
    assert ran.startswith("bob broke the protocol: its bid object is refused")


def test_an_engine_that_sends_wrong_shares_is_noticed_and_nothing_is_released(idle: Path, tmp_path: Path) -> None:
    body = """
honest = module.SharedEngine.open
async def open(self, a, entry):
    return await honest(self, (a + 1) % self.prime if entry.kind == module.OUTPUT else a, entry)
module.SharedEngine.open = open
"""
    with changed_node(idle, "node3", tmp_path / "patch", "tacita.protocols.mpc.shared", body) as cluster:
        assert "do not fit together" in run(cluster, tmp_path)


def run(cluster: Running, folder: Path) -> str:
    """The sentence of `tacita run`, which must blame a peer and leave nothing in its folder."""
    sentence = cluster.run(samples.TINY.write(folder), folder / "out").refused(3)
    assert not list((folder / "out").iterdir())
    return sentence


def test_a_wrong_decryption_leaves_the_result_and_evidence_beside_it(idle: Path, tmp_path: Path) -> None:
    body = """
honest = module.decrypt_partially
def decrypt_partially(*arguments):
    data = honest(*arguments)
    return data[:-1] + bytes([data[-1] ^ 1])
module.decrypt_partially = decrypt_partially
"""
    with changed_node(idle, "node1", tmp_path / "patch", "tacita.protocols.stages.release", body) as cluster:
        ended = cluster.join(samples.TINY, "wrong-decryption")
    for name in ("node2", "node3"):
        assert not isinstance(ended[name], NodeFailure), ended[name]
        folder = cluster.result(name, "wrong-decryption")
        assert (folder / "outcome.json").exists()
        judged = tacita("judge", folder / "evidence.json", "--roster", cluster.data(name) / "roster.json")
        assert judged.code == 0 and "BadPartialDecryption" in judged.out and "node1" in judged.out, judged.err
