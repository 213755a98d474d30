"""`tacita judge`: convict or acquit offline. Imports nothing of a node."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tacita.cli.options import Format
from tacita.cli.verify import read_file, read_json_file
from tacita.crypto.errors import CryptoError
from tacita.protocols import judge as check
from tacita.protocols.faults import CallerMistake
from tacita.protocols.judge import Verdict, omissions
from tacita.protocols.roster import Roster
from tacita.protocols.stages.certify import Certificate

ACQUITTED = 1
RESTS_ON = {"signature": "its signature alone", "majority": "fewer than half of the nodes being corrupt"}


def judge(
    evidence: Annotated[Path, typer.Argument(help="evidence that a node saved: of a session, or of a key ceremony")],
    roster: Annotated[Path, typer.Option(help="roster.json of the cluster whose nodes you know")],
    certificate: Annotated[
        Path | None, typer.Option(help="judge a participant's receipt instead, against this certificate.json")
    ] = None,
    format: Format = "text",
) -> int:
    """Say whom the evidence convicts, without network and without trusting who shows it.

    Exit code 0: it convicts somebody. 1: it convicts nobody.
    """
    known = Roster.read(read_json_file(roster, "roster"))
    if certificate is None:
        verdicts = [check.judge(read_file(evidence, "evidence"), known)]
    else:
        verdicts = _against(read_json_file(evidence, "receipt"), read_file(certificate, "certificate"), known)
    convicted = [verdict for verdict in verdicts if verdict.convicts]
    if format == "json":
        shown = [vars(verdict) for verdict in convicted or verdicts[:1]]
        sys.stdout.write(json.dumps({"convicted": bool(convicted), "verdicts": shown}) + "\n")
    else:
        for verdict in convicted:
            sys.stdout.write(f"convicted ({verdict.fault}): {verdict.sentence}\n")
            sys.stdout.write(f"  its key is {verdict.identity}; the proof rests on {RESTS_ON[verdict.rests_on]}\n")
        if not convicted:
            sys.stdout.write(f"acquitted: {verdicts[0].sentence}\n")
    return 0 if convicted else ACQUITTED


def _against(receipt: object, certificate: bytes, roster: Roster) -> list[Verdict]:
    """A participant's receipt against a certificate that should list its bid."""
    try:
        verdicts = [check.judge(data, roster) for data in omissions(receipt, Certificate.decode(certificate), roster)]
    except CryptoError as error:
        raise CallerMistake(f"{error}; give a receipt that a node saved for its participant") from None
    return verdicts or [Verdict("", "", "the certificate is not of this roster")]
