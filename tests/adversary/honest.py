"""The instance that is attacked: A1, three bidders on three nodes, with a key of 1024 bits."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.deploy.attack.instance import BIDDERS, HOSTS, LINES, TERMS, a1, auction, tree
from tacita.protocols.party import Party, Result
from tacita.protocols.session import run_session
from tacita.protocols.stages.setup import Enrolled, Setup
from tacita.protocols.terms import Terms
from tests.cluster_in_memory import Cluster, insecure_key

__all__ = ["BIDDERS", "HOSTS", "LINES", "TERMS", "A1Cluster", "a1", "auction", "run_honest", "tree"]


class A1Cluster(Cluster):
    """A cluster whose whole key material a test may use."""

    @property
    def key(self) -> ThresholdKey:
        return insecure_key(self.parties)[0]

    @property
    def shares(self) -> tuple[KeyShare, ...]:
        return insecure_key(self.parties)[1]

    def bidder(self, name: str) -> SigningKey:
        """A participant's signing key, as `hosted` derives it."""
        return SigningKey(SeededEntropy(f"{self.seed}/bidder/{name}").token(32))

    def setup(self, terms: Terms | None = None, patterns: Mapping[str, tuple[int, ...]] | None = None) -> Setup:
        """What all nodes compute in stage 0."""
        terms = terms or a1()[0]
        patterns = patterns or dict.fromkeys(BIDDERS, (0,))
        enrolled = [Enrolled.sign(self.bidder(n), n, p, HOSTS[n], terms) for n, p in patterns.items()]
        return Setup.make(terms, self.roster, self.key, enrolled)

    async def outcomes(
        self, terms: Terms, inputs: Mapping[str, Any], differing: Mapping[str, Mapping[str, Any]] | None = None
    ) -> dict[str, Result | BaseException]:
        """Run a session at all nodes; {node: result or error}. `differing` changes fields of single parties."""
        differing = differing or {}
        parties = [self.party(name, **self.settings(name, differing)) for name in self.names]
        work = [self.one(party, self.terms_of(party, terms, differing), inputs) for party in parties]
        results = await asyncio.gather(*work, return_exceptions=True)
        self.channels.clear()
        self.early.clear()
        return dict(zip(self.names, results, strict=True))

    def settings(self, name: str, differing: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {k: v for k, v in differing.get(name, {}).items() if k != "terms"}

    def terms_of(self, party: Party, terms: Terms, differing: Mapping[str, Mapping[str, Any]]) -> Terms:
        found: Terms = differing.get(party.name, {}).get("terms", terms)
        return found

    async def one(self, party: Party, terms: Terms, inputs: Mapping[str, Any]) -> Result:
        return await run_session(party, terms, self.hosted(party, inputs), self.opener(party))


def run_honest(terms_tree: Mapping[str, Any], parties: int = 3) -> tuple[A1Cluster, Result]:
    """One honest session; all nodes end with the same certificate."""
    cluster = A1Cluster(parties)
    results = asyncio.run(cluster.run(*auction(terms_tree, LINES)))
    assert len({r.certificate for r in results.values()}) == 1
    return cluster, results["node1"]
