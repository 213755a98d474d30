"""A training as a chain of sessions: every step's terms hold all weights so far and cite the last certificate.

Weights follow from the published sums exactly, so whoever has the certificates repeats the whole chain. What the sums
themselves come from is not shown by any certificate: see `training_proven`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacita.protocols.faults import CallerMistake, VerificationFailed
from tacita.protocols.policies.prediction.terms import PredictionTerms
from tacita.protocols.policies.registry import complete_terms
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.terms import Terms
from tacita.protocols.verify import Verified, verify


def first_step(tree: Mapping[str, Any], name: str, forecast: bool) -> dict[str, Any]:
    """The terms of the first session; raises CallerMistake for terms that are not those of a training's beginning."""
    if tree.get("policy") != "prediction":
        raise CallerMistake('the terms must say policy = "prediction" to train a network')
    prediction = PredictionTerms.read(tree)
    if prediction.network is None:
        raise CallerMistake('only [prediction] method = "network" is trained in steps; use tacita run for gram')
    if prediction.network.history:
        raise CallerMistake("[network] history must be empty where a training begins; remove it")
    return _tree(tree, prediction, name, "", forecast)


def next_step(terms: Terms, outcome: Mapping[str, Any], certificate: str, name: str, forecast: bool) -> dict[str, Any]:
    """The terms of the session after `terms`, from its outcome and the digest of its certificate."""
    prediction = PredictionTerms.read(terms.tree).after(np.array(outcome["weights"]))
    return _tree(terms.tree, prediction, name, certificate, forecast)


def _tree(
    tree: Mapping[str, Any], prediction: PredictionTerms, name: str, follows: str, forecast: bool
) -> dict[str, Any]:
    sections = prediction.canonical()
    sections["prediction"]["forecast"] = forecast
    return {**tree, **sections, "session": {**tree.get("session", {}), "name": name, "follows": follows}}


def verify_chain(
    certificates: Sequence[bytes], roster: Roster | None = None, allow_insecure_key: bool = False
) -> list[Verified]:
    """Check every certificate and that each continues the one before: same parties, same terms, its weights added.

    Raises VerificationFailed naming the step.
    """
    found: list[Verified] = []
    previous: Certificate | None = None
    for i, data in enumerate(certificates):
        try:
            result = verify(data, roster, allow_insecure_key=allow_insecure_key)
        except VerificationFailed as error:
            raise VerificationFailed(f"step {i + 1}: {error}") from error
        certificate = Certificate.decode(data)
        session = certificate.terms.session
        if result.outcome.get("method") != "network":
            raise VerificationFailed(f"step {i + 1} is not a step of a training")
        if previous is None:
            if result.outcome["step"] != 1:
                raise VerificationFailed("the first certificate is not that of the first step")
        else:
            forecast = PredictionTerms.read(certificate.terms.tree).forecast
            expected = next_step(previous.terms, found[-1].outcome, found[-1].digest, session.name, forecast)
            if complete_terms(expected).canonical() != certificate.terms.canonical():
                raise VerificationFailed(f"step {i + 1} does not continue step {i}: its terms are not the next ones")
            if _parties(certificate) != _parties(previous) or certificate.roster.digest != previous.roster.digest:
                raise VerificationFailed(f"step {i + 1} has other parties or other nodes than step {i}")
        found.append(result)
        previous = certificate
    if not found:
        raise VerificationFailed("there is no certificate of any step")
    return found


def _parties(certificate: Certificate) -> list[tuple[str, bytes, tuple[int, ...]]]:
    return [(e.name, e.identity, e.pattern) for e in certificate.enrolled]
