"""Commands and exit codes: 0 done, 1 verification failed, 2 the caller's mistake, 3 a peer's fault, 4 network or
machine, 5 verified but signed by unknown keys, 70 our bug (a report is saved)."""

import sys
import tempfile
import time
import traceback
from pathlib import Path

import typer
from typer.exceptions import TyperException

from tacita.cli import auction, bench, node, verify
from tacita.deploy.local import BugInNode
from tacita.protocols.faults import TacitaError

BUG = 70

app = typer.Typer(
    name="tacita",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Private auctions: sealed bids stay sealed, and the result comes with a certificate that anyone can check.",
)
app.command("run")(auction.run)
app.command("demo")(auction.demo)
app.command("verify")(verify.verify)
app.command("bench")(bench.bench)
app.add_typer(node.app, name="node")


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; every failure is one sentence on standard error."""
    if not __debug__:
        sys.stderr.write("tacita: do not run Python with -O: it removes checks\n")
        sys.exit(2)
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        return int(app(args=arguments, standalone_mode=False) or 0)
    except TacitaError as error:
        _say(str(error))
        return error.exit_code
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        form = getattr(error, "format_message", None)
        message = str(form() if form else error)
        _say(f"{message.rstrip('.')}; see tacita --help")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        _say("stopped; nothing was released")
        return 130
    except BugInNode as error:
        _say(str(error))
        return BUG
    except Exception as error:  # noqa: BLE001 - whatever is left is our bug: save a report, show no traceback
        _say(f"this is a bug of ours ({type(error).__name__}); please send us the report {_save_report(error)}")
        return BUG


def _say(sentence: str) -> None:
    sys.stderr.write(f"tacita: {sentence}\n")


def _save_report(error: BaseException) -> Path:
    """Places without values: the text of an arbitrary exception could quote an input."""
    places = [f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    path = Path(tempfile.gettempdir()) / f"tacita-report-{time.time_ns()}.txt"
    path.write_text("\n".join([type(error).__name__, *places]) + "\n")
    path.chmod(0o600)
    return path


if __name__ == "__main__":
    main()
