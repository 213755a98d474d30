"""The evidence of every correction computes its numbers, and they show the difference."""

import re

from tacita.protocols.policies.prediction.corrections import CORRECTIONS


def test_every_evidence_shows_the_difference() -> None:
    said = {c.id: c.evidence() for c in CORRECTIONS}
    assert all(c.printed != c.corrected for c in CORRECTIONS)
    assert "must be (24, 5): z_1·a_2⁺ has shape (24, 1), z_1·a_0⁺ has (24, 5)" in said["prediction.pseudo_inverse"]
    printed, corrected = map(float, re.findall(r"(0\.\d{3}) (?:right|corrected)", said["prediction.hidden_step"]))
    assert corrected > printed + 0.03, said
    printed, corrected = map(float, re.findall(r"(\d\.\d{4}) (?:as printed|corrected)", said["prediction.last_step"]))
    assert corrected < printed / 1.5, said
