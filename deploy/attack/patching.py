"""Named attributes that are replaced in this process for a while: how a node deviates, and how a control lacks a check.

This is the only place that switches anything off. It needs the running program's own memory: no file, environment
variable, message or argument of a command reaches it.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, wraps
from importlib import import_module
from typing import Any, Protocol


class Patch(Protocol):
    """What replaces attributes; pytest's MonkeyPatch does, too."""

    def setattr(self, target: Any, name: str, value: Any, /) -> None:
        """Replace until the patch is undone."""
        ...


_INHERITED = object()


class Patches:
    """Replaced attributes and what they were; `undo` puts all back, the last one first."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def setattr(self, target: Any, name: str, value: Any, /) -> None:
        """See Patch."""
        inspect.getattr_static(target, name)  # replaces what is there, never adds
        self._before.append((target, name, vars(target).get(name, _INHERITED)))
        setattr(target, name, value)

    def undo(self) -> None:
        """Put everything back."""
        while self._before:
            target, name, value = self._before.pop()
            if value is _INHERITED:
                delattr(target, name)
            else:
                setattr(target, name, value)

    def __enter__(self) -> "Patches":
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()


Replacement = Callable[[Any], Any]
"""original → what stands in its place in a control."""


def nothing(original: Any) -> Any:
    """A check that looks at nothing."""
    if inspect.iscoroutinefunction(original):

        async def pause(*_: Any, **__: Any) -> None: ...

        return pause
    return lambda *_, **__: None


@dataclass(frozen=True)
class Defence:
    """One named function of the product, and what a control puts in its place."""

    name: str
    """module.function or module.Class.method, as imported where it is called."""
    off: Replacement = field(default=nothing, repr=False)
    notices: Callable[[Any], bool] = field(default=lambda result: False, repr=False)
    """True for results by which the function refuses; raising is always a refusal."""
    prevents: bool = False
    """The attack finds nothing to take: the function refuses nobody, it only has to run."""

    def place(self) -> tuple[Any, str]:
        """Where the attribute is: (module or class, name)."""
        parts = self.name.split(".")
        for count in range(len(parts) - 1, 0, -1):
            try:
                owner: Any = import_module(".".join(parts[:count]))
            except ModuleNotFoundError:
                continue
            for part in parts[count:-1]:
                owner = getattr(owner, part)
            inspect.getattr_static(owner, parts[-1])
            return owner, parts[-1]
        raise ValueError(f"there is no {self.name}")


@dataclass
class Seen:
    """What a watched defence did: how often it was asked, and how often it refused."""

    calls: int = 0
    refusals: int = 0


@contextmanager
def watched(defence: Defence) -> Iterator[Seen]:
    """The defence as it is; counts."""
    seen = Seen()
    with _replaced(defence, lambda original: original, seen):
        yield seen


@contextmanager
def without(defence: Defence) -> Iterator[Seen]:
    """The defence replaced by what its control says; counts how often the replacement was asked."""
    seen = Seen()
    with _replaced(defence, defence.off, seen):
        yield seen


@contextmanager
def _replaced(defence: Defence, replacement: Replacement, seen: Seen) -> Iterator[None]:
    owner, name = defence.place()
    static = inspect.getattr_static(owner, name)
    if isinstance(static, cached_property):
        value: Any = cached_property(_counting(replacement(static.func), seen, defence))
        value.__set_name__(owner, name)
    elif isinstance(static, property | staticmethod | classmethod) or not callable(static):
        inner = static.fget if isinstance(static, property) else getattr(static, "__func__", static)
        if not callable(inner):
            seen.calls = 1  # a constant is not called
        wrapped = _counting(replacement(inner), seen, defence) if callable(inner) else replacement(inner)
        kind = type(static) if isinstance(static, property | staticmethod | classmethod) else (lambda f: f)
        value = kind(wrapped)
    else:
        value = _counting(replacement(static), seen, defence)
    with Patches() as patches:
        patches.setattr(owner, name, value)
        yield


def _counting(function: Any, seen: Seen, defence: Defence) -> Any:
    def note(result: Any) -> Any:
        seen.refusals += bool(defence.notices(result))
        return result

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def later(*arguments: Any, **named: Any) -> Any:
            seen.calls += 1
            try:
                return note(await function(*arguments, **named))
            except Exception:
                seen.refusals += 1
                raise

        return later

    @wraps(function)
    def now(*arguments: Any, **named: Any) -> Any:
        seen.calls += 1
        try:
            return note(function(*arguments, **named))
        except Exception:
            seen.refusals += 1
            raise

    return now
