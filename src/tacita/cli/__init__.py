"""The front door: `tacita …`. Commands parse arguments, call one function, print; errors become exit codes here."""

from tacita.cli.main import main

__all__ = ["main"]
