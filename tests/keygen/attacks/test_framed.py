"""Node1 and node2 choose all of N such that honest node3's factor of the biprimality test is 1, whatever the base.

An honest node i ≥ 2 has e_i = p_i + q_i = 0 modulo F' = 3·5·…·47. N is a product of 24 primes r with (r − 1)/2 | F',
so g^{e_3/8} = ±1 for every g. The two see all that node3 will open before they commit to their own openings. A rule
that calls v = 1 a lie convicts node3 by its signature alone.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from gmpy2 import mpz

from tacita.deploy.attack.liars import Lies
from tacita.deploy.attack.ring import Ring
from tacita.protocols.faults import ProtocolFault
from tacita.protocols.judge import proven
from tacita.protocols.keygen import biprime, product
from tacita.protocols.keygen.parameters import Parameters

CHOSEN = mpz(
    "b7bfa88a1fc17ed89e4b6454e163afe81561982bd11196c986eadf6188460bf5bb84dd4306f771e1e91789153904e170bc41b98be2a7f2"
    "c99280ced6c9b6272ca0afbecb5179ac0568206df0435075208874b423fa9f2be799cdd3f487fdb7ae6aedba9f6242516851b5abb66d39"
    "3420d7e6ce0a353c5f0ada1d6ab327808f69",
    16,
)  # fmt: skip
PARAMETERS = Parameters.standard(1024, 3, 8, allow_test_bits=True)
WIDTH = PARAMETERS.modulus_width


def chooses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Node1 and node2 open N as they please; returns the candidates that they chose."""
    known: dict[int, tuple[Any, Any, Any]] = {}
    honest, chosen, field = product.opening, list[int](), PARAMETERS.field

    def opening(parameters: Parameters, party: int, received: Any, zeros: Any) -> Sequence[Any]:
        mine = honest(parameters, party, received, zeros)
        if party == 3 or len(known) == 2:  # node3 is honest, and so is the audit
            return mine
        known[party] = received, zeros, mine
        if len(known) < 2:
            return mine
        (one, zeros_1, _), (two, zeros_2, _) = known[1], known[2]
        shares = [[(2 * b - a) % field for a, b in zip(x, y, strict=True)] for x, y in zip(one, two, strict=True)]
        third = honest(parameters, 3, shares, [(-a - b) % field for a, b in zip(zeros_1, zeros_2, strict=True)])
        parts = [(2 * a - b) % field for a, b in zip(one[2], two[2], strict=True)]
        forged = list(mine)
        for c in range(parameters.batch):
            if (parts[2 * c] + parts[2 * c + 1]) % 16 == 0:
                forged[c] = (CHOSEN - third[c] - known[3 - party][2][c]) % field
                chosen.append(c)
        return forged

    monkeypatch.setattr(product, "opening", opening)
    return chosen


def never_one(payload: bytes) -> bytes:
    """Node2's own factors that would be 1, too."""
    rows = [payload[i : i + WIDTH] for i in range(0, len(payload), WIDTH)]
    return b"".join((2).to_bytes(WIDTH, "big") if int.from_bytes(row, "big") == 1 else row for row in rows)


@pytest.mark.parametrize("old_rule", [False, True], ids=["", "control: 1 < v"])
def test_nobody_honest_is_convicted_for_a_factor_of_one(old_rule: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if old_rule:
        honest = biprime.proper
        monkeypatch.setattr(biprime, "proper", lambda n, values: 1 not in values and honest(n, values))
    assert product.well_formed(PARAMETERS, CHOSEN)
    ring = Ring(seed="framed", parameters=PARAMETERS, deadline=120)
    Lies(liar=2, opens={"S7": never_one}).install(ring, monkeypatch)
    chosen = chooses(monkeypatch)
    fault = ring.run()["node3"]
    assert chosen
    assert isinstance(fault, ProtocolFault) and fault.evidence is not None, repr(fault)
    assert (proven(fault.evidence, ring.roster).culprit == "node3") == old_rule
