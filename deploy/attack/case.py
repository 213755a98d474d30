"""One attack of the catalogue: what is sent, what must come of it, and which check its control lacks.

A case is a function that plays the attack once and tells what it showed. It is played twice with the same seed: with
the product as it is (`attack`), and with exactly one named defence replaced (`control`). The function does not know
which of the two it is in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tacita.deploy.attack.patching import Defence, Patches, Seen, watched, without
from tacita.protocols.faults import Evidence
from tacita.protocols.roster import Roster


@dataclass
class Shown:
    """What one play of an attack showed."""

    verdict: str
    """A letter of the catalogue and the leaf of the error tree, such as `I Equivocation`; `P`: nothing came of it."""
    culprit: str = ""
    deviated: bool = True
    """Bytes that differ from an honest node's were sent."""
    harm: str = ""
    """What the attacker gained, measured; empty if nothing."""
    measure: Callable[[], str] | None = None
    """Measures the harm later, when the product is whole again."""
    problems: Sequence[str] = ()
    """Which of the five assertions do not hold."""
    evidence: Sequence[Evidence] = field(default=(), repr=False)
    """What the honest nodes took away for the judge, at least one piece per node that names somebody."""
    roster: Roster | None = field(default=None, repr=False)
    """Who signed it."""
    judged: bool | None = None
    """Set where a judge of its own decides, as in key ceremonies."""


@dataclass
class Play:
    """One play: parameters, and patches by which parties deviate; they are undone afterwards."""

    parties: int
    seed: int
    variant: str = ""
    first: bool = True
    """Whether this is the row's first variant; what is the same for all is looked at there only."""
    patch: Patches = field(default_factory=Patches)

    @property
    def name(self) -> str:
        """A seed for everything random in this play."""
        return f"{self.seed}/{self.variant}"


@dataclass(frozen=True)
class Case:
    """One row of the catalogue."""

    id: str
    title: str
    expected: str
    """What the catalogue demands: docs/attacks.md."""
    play: Callable[[Play], Shown] | None = None
    defence: Defence | None = None
    variants: Mapping[str, str] = field(default_factory=dict)
    """{variant: verdict that satisfies the row}; the control of the first one is shown. `I Leaf by name` and `P by
    name` say who must be named; after `I Leaf` alone it is `culprit`."""
    culprit: str = ""
    deviation: str = ""
    """Why this version answers otherwise than the catalogue; printed with the row, whose verdict still counts."""
    not_applicable: str = ""
    """Why this version cannot be attacked like that."""


CASES: dict[str, Case] = {}
"""All rows, by id; filled by the modules of the groups."""


def case(
    id: str,
    title: str,
    expected: str,
    defence: Defence,
    *,
    accepts: str = "",
    culprit: str = "",
    deviation: str = "",
    variants: Mapping[str, str] | Iterable[str] = ("",),
) -> Callable[[Callable[[Play], Shown]], Callable[[Play], Shown]]:
    """Enter a function as the play of a row; `accepts` is what this version calls the expected verdict."""
    accepted = dict.fromkeys(variants, accepts or expected)
    if isinstance(variants, Mapping):
        accepted = {variant: verdict or accepts or expected for variant, verdict in variants.items()}

    def enter(play: Callable[[Play], Shown]) -> Callable[[Play], Shown]:
        if id in CASES:
            raise ValueError(f"{id} is there twice")
        CASES[id] = Case(id, title, expected, play, defence, accepted, culprit, deviation)
        return play

    return enter


def skip(id: str, title: str, expected: str, why: str) -> None:
    """Enter a row that does not apply to this version."""
    CASES[id] = Case(id, title, expected, not_applicable=why)


@dataclass(frozen=True)
class Row:
    """The result of one case."""

    case: str
    expected: str
    verdict: str
    culprit_named: str | None
    evidence_checked: bool | None
    control_succeeded: bool | None
    ok: bool
    harm: str
    """What the attacker gains without the defence."""
    reasons: tuple[str, ...]
    """Why the row is not ok, does not apply, or is answered otherwise."""

    def tree(self) -> dict[str, object]:
        """As in JSON."""
        names = ("case", "expected", "verdict", "culprit_named", "evidence_checked", "control_succeeded", "ok")
        return {name: getattr(self, name) for name in names}


Judge = Callable[[Shown, str, bool], bool | None]
"""Judges the evidence of a play against the culprit; for the first variant in a process of its own."""


def run_case(chosen: Case, parties: int, seed: int, judge: Judge) -> Row:
    """Play all variants of an attack, and the control of the first one."""
    if chosen.play is None or chosen.defence is None:
        why = (chosen.not_applicable,)
        return Row(chosen.id, chosen.expected, "not applicable", None, None, None, True, "", why)
    problems: list[str] = []
    verdicts: dict[str, None] = {}
    culprits: dict[str, None] = {}
    judged: list[bool] = []
    first = next(iter(chosen.variants))
    for variant, accepted in chosen.variants.items():
        shown, seen = _play(chosen, watched, parties, seed, variant)
        verdicts[shown.verdict] = None
        wanted, _, named = accepted.partition(" by ")
        culprit = named or (chosen.culprit if wanted.startswith("I ") else "")
        wrong = _refused(shown, wanted, culprit)
        if variant == first:
            wrong += _fired(chosen.defence, seen)
        if shown.culprit:
            culprits[shown.culprit] = None
        proven = shown.judged if shown.judged is not None else judge(shown, culprit, variant == first)
        if proven is not None:
            judged.append(proven)
            wrong += [] if proven else [f"no evidence that a stranger can check names {culprit}"]
        problems += [f"{variant}: {problem}" if variant else problem for problem in wrong]
    control, seen = _play(chosen, without, parties, seed, first)
    harmed = control.deviated and seen.calls > 0 and bool(control.harm)
    if not harmed:
        problems.append(f"control: nothing was gained without {chosen.defence.name} (it ended with {control.verdict})")
    return Row(
        chosen.id,
        chosen.expected,
        ", ".join(verdicts),
        ", ".join(culprits) or None,
        all(judged) if judged else None,
        harmed,
        not problems,
        control.harm,
        (*problems, *([f"otherwise than the catalogue: {chosen.deviation}"] if chosen.deviation else [])),
    )


def _play(chosen: Case, how: Any, parties: int, seed: int, variant: str) -> tuple[Shown, Seen]:
    assert chosen.play is not None
    with how(chosen.defence) as seen, Patches() as patch:
        shown = chosen.play(Play(parties, seed, variant, variant == next(iter(chosen.variants)), patch))
    if shown.measure is not None and not shown.harm:
        shown.harm = shown.measure()
    return shown, seen


def _refused(shown: Shown, accepted: str, culprit: str) -> list[str]:
    """What is wrong with an attack that had to come to nothing."""
    problems = list(shown.problems)
    if shown.harm:
        problems.append(f"the attack succeeded: {shown.harm}")
    if shown.verdict != accepted:
        problems.append(f"the verdict is {shown.verdict}, not {accepted}")
    if culprit and shown.culprit != culprit:
        problems.append(f"named is {shown.culprit or 'nobody'}, not {culprit}")
    if not shown.deviated:
        problems.append("nothing that deviates was sent")
    return problems


def _fired(defence: Defence, seen: Seen) -> list[str]:
    if seen.calls == 0:
        return [f"{defence.name} was never asked"]
    return [] if seen.refusals or defence.prevents else [f"{defence.name} refused nothing"]
