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
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.policies.chain import Link, check_chain
from tacita.protocols.roster import Roster
from tacita.protocols.terms import read_toml

UNKNOWN_SIGNERS = 5
MAX_BYTES = 256 << 20


def verify(
    certificate: Annotated[list[Path], typer.Argument(help="certificate.json; several, or a folder of them: a chain")],
    roster: Annotated[Path | None, typer.Option(help="roster.json of the cluster you trust")] = None,
    terms: Annotated[Path | None, typer.Option(help="terms.toml that the session must have followed")] = None,
    key: Annotated[Path | None, typer.Option(help="key.json of a node: checks where the key comes from")] = None,
    format: Format = "text",
) -> int:
    """Re-check every signature, proof and decryption of a certificate, without network and without trusting the nodes.

    That the engine computed correctly is not in it; the claims that are printed say what that rests on.
    Of several certificates, in the order given or of their paths in a folder, each must also continue the ones before.
    """
    as_json = format == "json"
    paths = _found(certificate)
    known = Roster.read(read_json_file(roster, "roster")) if roster else None
    if terms and len(paths) > 1:
        raise CallerMistake("--terms is for one certificate; check the sessions of a chain against terms one by one")
    tree = None
    if terms:
        try:
            tree = read_toml(read_file(terms, "terms").decode(), str(terms))
        except UnicodeDecodeError:
            raise CallerMistake(f"the terms file {terms} is not UTF-8 text; give the right file") from None

    def note(sentence: str) -> None:
        if not as_json:
            sys.stdout.write(f"  ok  {sentence}\n")

    results: list[check.Verified] = []
    try:
        origin = KeyCertificate.read(read_json_file(key, "key file")) if key else None
        for path in paths:
            if len(paths) > 1 and not as_json:
                sys.stdout.write(f"{path}\n")
            result = check.verify(read_file(path, "certificate"), known, tree, note=note, key=origin)
            results.append(result)
            if not as_json:
                said = (f"{name}: {_word(value)}" for name, value in result.claims.items())
                sys.stdout.write(f"{', '.join(said)}\ncertificate {result.digest} is valid\n")
        arrows = check_chain([Link(r.terms, r.outcome, r.digest) for r in results])
    except VerificationFailed as error:
        if as_json:
            sys.stdout.write(json.dumps({"valid": False, "reason": str(error)}) + "\n")
        raise
    for arrow in arrows:
        note(arrow)
    if as_json:
        shown = [_tree(result) for result in results]
        whole = {"valid": True, "chain": arrows, "sessions": shown}
        sys.stdout.write(json.dumps(whole if len(shown) > 1 else shown[0]) + "\n")
    if known is None:
        sys.stderr.write("tacita: signed by unknown keys: give --roster with the roster you trust\n")
        return UNKNOWN_SIGNERS
    return 0


def _found(given: list[Path]) -> list[Path]:
    """The certificates that are meant: files as given, and of a folder all below it in the order of their paths."""
    paths = []
    for path in given:
        below = sorted(path.rglob("certificate.json")) if path.is_dir() else [path]
        if not below:
            raise CallerMistake(f"the folder {path} holds no certificate.json; give the folder of results")
        paths += below
    return paths


def _tree(result: check.Verified) -> dict[str, object]:
    return {
        "valid": True,
        "signers": "known" if result.known_signers else "unknown",
        "checks": result.checks,
        "digest": result.digest,
        "claims": result.claims,
        "outcome": result.outcome,
    }


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


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
