"""Commands and exit codes: 0 done, 1 verification failed, 2 the caller's mistake, 3 a peer's fault, 4 network or
machine, 5 verified but signed by unknown keys, 70 our bug (a report is saved), 130 and 141 stopped from outside.

A command's module is imported when the command is used: `verify` runs without anything of a node.
"""

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from tacita.protocols.faults import TacitaError

BUG, INTERRUPTED, BROKEN_PIPE = 70, 130, 141
STOPPED = "stopped; the nodes that this command had started were stopped too"
COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("tacita.cli.run", "run"),
    "demo": ("tacita.cli.run", "demo"),
    "verify": ("tacita.cli.verify", "verify"),
    "judge": ("tacita.cli.judge", "judge"),
    "train": ("tacita.cli.train", "app"),
    "simulate": ("tacita.cli.simulate", "simulate"),
    "attack": ("tacita.cli.attack", "app"),
    "model": ("tacita.cli.model", "app"),
    "bench": ("tacita.cli.bench", "bench"),
    "keygen": ("tacita.cli.keygen", "keygen"),
    "key": ("tacita.cli.keygen", "app"),
    "node": ("tacita.cli.node", "app"),
    "doctor": ("tacita.cli.doctor", "doctor"),
}
"""Name → module and function (or group of commands)."""
SETTINGS: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False}


class _Commands(TyperGroup):
    """Commands that are imported on first use."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if self.commands[cmd_name] is None:
            module, name = COMMANDS[cmd_name]
            target = getattr(import_module(module), name)
            if not isinstance(target, typer.Typer):
                function, target = target, typer.Typer(**SETTINGS)
                target.command(cmd_name)(function)
            self.commands[cmd_name] = get_command(target)
            self.commands[cmd_name].name = cmd_name
        return self.commands[cmd_name]


app = typer.Typer(name="tacita", cls=_Commands, no_args_is_help=True, **SETTINGS)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"tacita {version('tacita')}\n")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(version: Version = False) -> None:
    """Private auctions: sealed bids stay sealed, and the result comes with a certificate that anyone can check."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; every failure is one sentence on standard error."""
    if not __debug__:
        sys.stderr.write("tacita: do not run Python with -O: it removes checks\n")
        sys.exit(2)
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = int(app(args=arguments, prog_name="tacita", standalone_mode=False) or 0)
        sys.stdout.flush()
        if code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            _say(STOPPED)
        return code
    except TacitaError as error:
        _say(str(error))
        return error.exit_code
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        return _refuse(error)
    except (KeyboardInterrupt, typer.Abort):
        _say(STOPPED)
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Whoever read our output is gone, for example `head`: typer leaves with 1 then, which means something else
        # here. Python must not try to flush into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - whatever is left is our bug: save a report, show no traceback
        if getattr(error, "has_report", False):
            _say(str(error))
        else:
            _say(f"this is a bug of ours ({type(error).__name__}); please send us the report {_save_report(error)}")
        return BUG


def _refuse(error: TyperException) -> int:
    """Wrong arguments: what is wrong, and the help page of that very command."""
    form = getattr(error, "format_message", None)
    message = str(form() if form else error).rstrip(".")
    command = getattr(getattr(error, "ctx", None), "command_path", "tacita")
    if message:
        _say(f"{message} See {command} --help" if message.endswith("?") else f"{message}; see {command} --help")
    return 2


def _say(sentence: str) -> None:
    sys.stderr.write(f"tacita: {sentence}\n")


def _save_report(error: BaseException) -> Path:
    """Places without values: the text of an arbitrary exception could quote an input."""
    places = [f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    path = Path(tempfile.gettempdir()) / f"tacita-report-{time.time_ns()}.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join([type(error).__name__, *places]) + "\n")
    return path


if __name__ == "__main__":
    main()
