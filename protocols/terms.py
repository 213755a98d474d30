"""The terms: the public, signed description of a session, as an immutable tree of plain values.

A terms file is TOML. `Table` reads one section and insists that every key is known, so a typo is an error and not
a default. Completed terms hold every key explicitly; their canonical JSON is what is hashed, signed and published.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from tacita.crypto.security import MAX_ATTEMPTS
from tacita.crypto.transcript import digest
from tacita.protocols.faults import CallerMistake

DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
"""Names of nodes and participants."""

NUMBER = re.compile(r"-?[0-9]{1,40}(/[0-9]{1,40}|\.[0-9]{1,30})?")
"""Exact numbers spelled as text: a fraction, or a decimal."""

MAX_DOTS = 4096
"""In a terms file: six decimal numbers for each of 256 slots fit. Every dot in a key makes a table of one kilobyte."""

MAX_NESTED = 32
_TOML_TEXT = re.compile(
    r'''"""(?:\\.|[^\\])*?(?:"{3,5}|\Z)|\'{3}.*?(?:\'{3,5}|\Z)'''  # over lines; up to two quotes before the end
    r"""|"(?:\\.|[^"\\\n])*(?:["\n]|\Z)|\'[^\'\n]*(?:[\'\n]|\Z)|\#[^\n]*""",
    re.DOTALL,
)
"""Strings and comments, also ones that never end: there the parser stops."""

LARGEST_SHOWN = 10**300
"""A float holds no whole number of hundreds of digits."""

PLANS = ("shared",)


def check_name(name: str, what: str) -> str:
    """Return the name, or raise CallerMistake."""
    if not NAME.fullmatch(name):
        raise CallerMistake(
            f"{what} {name[:80]!r} must be 1 to 64 lower-case letters, digits, '_', '.' or '-' and start with a "
            "letter or digit; rename it"
        )
    return name


class Table:
    """One section of a terms file; `finish` refuses keys that nobody asked for."""

    def __init__(self, name: str, values: Any) -> None:
        if not isinstance(values, Mapping):
            raise CallerMistake(f"[{name}] must be a section with keys; check the terms file")
        self.name, self._values, self._asked = name, values, set[str]()

    def has(self, key: str) -> bool:
        """True if the key is there (and counts as known)."""
        self._asked.add(key)
        return key in self._values

    def get(self, key: str, default: Any = None) -> Any:
        """The raw value."""
        return self._values[key] if self.has(key) else default

    def text(self, key: str, default: str | None = None, choices: tuple[str, ...] = ()) -> str:
        """A string, one of `choices` if given."""
        value = self.get(key, default)
        if not isinstance(value, str) or (choices and value not in choices):
            allowed = " or ".join(f'"{c}"' for c in choices) or "text"
            raise CallerMistake(f"[{self.name}] {key} must be {allowed}; correct the terms")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise CallerMistake(f"[{self.name}] {key} must be true or false; correct the terms")
        return value

    def integer(self, key: str, default: int | None, lo: int, hi: int) -> int:
        """A whole number in [lo, hi]."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not lo <= value <= hi:
            raise CallerMistake(f"[{self.name}] {key} must be a whole number from {lo} to {hi}; correct the terms")
        return value

    def number(self, key: str, default: Any, lo: float, hi: float) -> Fraction:
        """A real number in [lo, hi], exactly as written."""
        return exact(self.get(key, default), f"[{self.name}] {key}", lo, hi)

    def numbers(self, key: str, default: Any, count: int, lo: float, hi: float) -> tuple[Fraction, ...]:
        """`count` real numbers; a single number stands for all of them."""
        value = self.get(key, default)
        items = value if isinstance(value, list) else [value] * count
        if len(items) != count:
            raise CallerMistake(f"[{self.name}] {key} has {len(items)} values where {count} are needed")
        return tuple(exact(item, f"[{self.name}] {key}", lo, hi) for item in items)

    def interval(self, key: str, default: Any, lo: float, hi: float) -> tuple[Fraction, Fraction]:
        """[smallest, largest]."""
        value = self.get(key, default)
        if not isinstance(value, list) or len(value) != 2:
            raise CallerMistake(f"[{self.name}] {key} must be [smallest, largest]; correct the terms")
        low, high = (exact(item, f"[{self.name}] {key}", lo, hi) for item in value)
        if low > high:
            raise CallerMistake(f"[{self.name}] {key} is reversed: {float(low)} is above {float(high)}")
        return low, high

    def finish(self) -> None:
        """Refuse unknown keys."""
        for key in self._values:
            if key not in self._asked:
                close = get_close_matches(key[:80], sorted(self._asked), 1)
                hint = f"; did you mean {close[0]}?" if close else f"; known keys: {', '.join(sorted(self._asked))}"
                raise CallerMistake(f"[{self.name}] has an unknown key {key[:80]!r}{hint}")


def exact(value: Any, what: str, lo: float, hi: float) -> Fraction:
    """The decimal number as written (floats by their shortest spelling), inside [lo, hi]."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise CallerMistake(f"{what} must be a number; correct the terms")
    # Fraction("1e999999999") would compute that power of ten.
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        raise CallerMistake(f"{what} is not a number of at most 40 digits; correct the terms")
    try:
        number = Fraction(repr(value) if isinstance(value, float) else value)
    except (ValueError, ZeroDivisionError):
        raise CallerMistake(f"{what} is not a finite number; correct the terms") from None
    if not lo <= number <= hi:
        shown = f"{float(number):g}" if abs(number) < LARGEST_SHOWN else "what is given"
        raise CallerMistake(f"{what} = {shown} lies outside [{lo:g}, {hi:g}]; correct the terms")
    return number


def plain(number: Fraction) -> int | float | str:
    """The canonical spelling of an exact number: a whole number, a float that is exact enough to read back, or text."""
    if number.denominator == 1:
        return int(number)
    as_float = float(number)
    return as_float if Fraction(repr(as_float)) == number else str(number)


@dataclass(frozen=True)
class SessionTerms:
    """How the session runs, whatever the policy."""

    security: str
    plan: str
    name: str
    """Makes two sessions with equal rules different; part of the auction id."""
    follows: str = ""
    """Digest of the certificate of an earlier session that this one builds on, or nothing."""
    max_attempts: int = 1
    """How often the nodes may compute on the frozen bids before the auction is given up."""

    @staticmethod
    def read(table: Table) -> "SessionTerms":
        """From [session]."""
        security = table.text("security", "abort", ("abort", "passive"))
        plan = table.text("plan", "shared", ("shared", "encrypted"))
        if plan not in PLANS:
            raise CallerMistake('[session] plan = "encrypted" is not available in this version; write plan = "shared"')
        attempts = table.integer("max_attempts", 1, 1, MAX_ATTEMPTS)
        terms = SessionTerms(security, plan, table.text("name", ""), table.text("follows", ""), attempts)
        if terms.name:
            check_name(terms.name, "[session] name")
        if terms.follows and not DIGEST.fullmatch(terms.follows):
            raise CallerMistake(
                "[session] follows must be the digest of a certificate, 64 hexadecimal digits; tacita verify prints it"
            )
        table.finish()
        return terms

    def canonical(self) -> dict[str, Any]:
        """All keys."""
        return dict(vars(self))


@dataclass(frozen=True)
class Terms:
    """Completed terms: canonical JSON bytes and the parsed tree they come from."""

    tree: Mapping[str, Any]

    @property
    def policy(self) -> str:
        """Which policy is computed."""
        return str(self.tree["policy"])

    @property
    def session(self) -> SessionTerms:
        """The [session] section."""
        return SessionTerms.read(Table("session", self.tree["session"]))

    def canonical(self) -> bytes:
        """Sorted keys, no spaces: the one encoding of these terms."""
        return canonical_json(self.tree)

    def digest(self) -> bytes:
        """What every node and participant signs."""
        return digest("terms", ("terms", self.canonical()))


def read_toml(text: str, name: str) -> dict[str, Any]:
    """The tree of a terms file; `name` is how messages call it. Raises CallerMistake."""
    try:
        if text.count(".") > MAX_DOTS:
            raise ValueError(f"it has more than {MAX_DOTS} dots")
        # Deep nesting would stop at Python's recursion limit, which py_ecc raises a hundredfold: minutes, not an error.
        depth = 0
        for bracket in re.findall(r"[][{}]", _TOML_TEXT.sub("", text)):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_NESTED:
                raise ValueError("too deeply nested")
        return tomllib.loads(text)
    except ValueError as error:  # also an integer of thousands of digits
        raise CallerMistake(f"the terms file {name} is not valid TOML ({str(error)[:200]}); correct it") from None


def canonical_json(tree: Any) -> bytes:
    """One encoding per tree of strings, integers, floats, booleans, lists and string-keyed mappings."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def read_terms(tree: Any, complete: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]) -> Terms:
    """Parse a terms tree; `complete` holds, per policy, the function that checks and completes its sections."""
    if not isinstance(tree, Mapping):
        raise CallerMistake("the terms must be a table; check the terms file")
    policy = tree.get("policy")
    if not isinstance(policy, str) or policy not in complete:
        known = ", ".join(sorted(complete))
        raise CallerMistake(f"the terms must name a policy out of: {known}")
    session = SessionTerms.read(Table("session", tree.get("session", {})))
    sections = complete[str(policy)](tree)
    unknown = set(tree) - {"policy", "session"} - set(sections)
    if unknown:
        raise CallerMistake(
            f"the terms have an unknown section {sorted(unknown)[0][:80]!r}; known: {', '.join(sorted(sections))}"
        )
    return Terms({"policy": str(policy), "session": session.canonical(), **sections})
