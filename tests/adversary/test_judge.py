"""Evidence of every kind convicts its culprit before a stranger, offline, and the same at every honest node."""

import pytest

from tacita.protocols import judge
from tests.adversary.indictments import KINDS, indict


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_evidence_convicts_its_culprit(kind: str) -> None:
    culprit, fault, _ = KINDS[kind]
    for held in indict(kind):
        verdict = judge.judge(held.file, held.cluster.roster)
        assert (verdict.culprit, verdict.fault) == (culprit, fault), verdict
        assert verdict.rests_on == ("majority" if fault in ("ParamMismatch", "ConversionMismatch") else "signature")
        key = held.cluster.bidder(culprit) if culprit == "cat" else held.cluster.identities[culprit]
        assert verdict.identity == key.public.hex()
