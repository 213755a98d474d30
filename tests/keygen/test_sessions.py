"""A key from a ceremony runs a whole auction: proofs, masks, ticket, decryption proofs, certificate, verification."""

import asyncio
import json

from tacita.crypto.threshold import DEALERLESS
from tacita.deploy.attack.liars import all_made
from tacita.deploy.attack.ring import Ring
from tacita.protocols import verify
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.party import Result
from tests.adversary.honest import A1Cluster, a1
from tests.keygen.test_key import PLANTED_1024


class CeremonyCluster(A1Cluster):
    """A1 on nodes that made their key themselves."""

    made: dict

    def party(self, name, *arguments, **changes):
        mine = self.made[name]
        return super().party(name, *arguments, key=mine.certificate.key, share=mine.share, **changes)


def test_an_auction_runs_on_a_dealerless_key() -> None:
    ring = Ring(seed=PLANTED_1024, parameters=Parameters.standard(1024, 3, 64, allow_test_bits=True), deadline=60)
    made = ring.run()
    assert all_made(made), made
    cluster = CeremonyCluster(3)
    cluster.made = made
    terms, inputs = a1()
    results = asyncio.run(cluster.run(terms, inputs))
    assert all(isinstance(result, Result) for result in results.values())
    outcome = results["node1"].outcome
    assert outcome["provenance"] == DEALERLESS
    certificate = results["node1"].certificate
    assert json.loads(certificate)["key"]["provenance"] == DEALERLESS
    verify.verify(certificate, cluster.roster, allow_insecure_key=True)
