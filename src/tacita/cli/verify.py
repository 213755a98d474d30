"""`tacita verify`: check a certificate offline. Imports nothing of a node."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tacita.cli.options import Format
from tacita.crypto.encoding import FILE_VALUES, read_json
from tacita.protocols import verify as check
from tacita.protocols.faults import CallerMistake, VerificationFailed
from tacita.protocols.roster import Roster
from tacita.protocols.terms import read_toml

UNKNOWN_SIGNERS = 5
MAX_BYTES = 256 << 20


def verify(
    certificate: Annotated[Path, typer.Argument(help="certificate.json of a session")],
    roster: Annotated[Path | None, typer.Option(help="roster.json of the cluster you trust")] = None,
    terms: Annotated[Path | None, typer.Option(help="terms.toml that the session must have followed")] = None,
    format: Format = "text",
) -> int:
    """Re-check everything a certificate claims, without network and without trusting the nodes."""
    as_json = format == "json"
    data = read_file(certificate, "certificate")
    known = Roster.read(read_json_file(roster, "roster")) if roster else None
    tree = None
    if terms:
        try:
            tree = read_toml(read_file(terms, "terms").decode(), str(terms))
        except UnicodeDecodeError:
            raise CallerMistake(f"the terms file {terms} is not UTF-8 text; give the right file") from None

    def note(sentence: str) -> None:
        if not as_json:
            sys.stdout.write(f"  ok  {sentence}\n")

    try:
        result = check.verify(data, known, tree, note=note)
    except VerificationFailed as error:
        if as_json:
            sys.stdout.write(json.dumps({"valid": False, "reason": str(error)}) + "\n")
        raise
    claims = result.claims
    if as_json:
        shown = {
            "valid": True,
            "signers": "known" if result.known_signers else "unknown",
            "checks": result.checks,
            "digest": result.digest,
            "claims": claims,
            "outcome": result.outcome,
        }
        sys.stdout.write(json.dumps(shown) + "\n")
    else:
        bound = "yes" if claims["inputs_bound"] else "no"
        sys.stdout.write(
            f"inputs_bound: {bound}, security: {claims['security']}, provenance: {claims['provenance']}\n"
            f"certificate {result.digest[:16]} is valid\n"
        )
    if not result.known_signers:
        sys.stderr.write("tacita: signed by unknown keys: give --roster with the roster you trust\n")
        return UNKNOWN_SIGNERS
    return 0


def read_file(path: Path, what: str) -> bytes:
    """The bytes of a file, or CallerMistake."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CallerMistake(f"the {what} {path} cannot be read ({error.strerror}); give the right path") from None
    if len(data) > MAX_BYTES:
        raise CallerMistake(f"the {what} {path} is larger than {MAX_BYTES >> 20} MiB; give the right file")
    return data


def read_json_file(path: Path, what: str) -> object:
    """The JSON in a file, or CallerMistake."""
    try:
        tree: object = read_json(read_file(path, what), FILE_VALUES)
    except ValueError:
        raise CallerMistake(f"the {what} {path} is not valid JSON; give the right file") from None
    return tree
