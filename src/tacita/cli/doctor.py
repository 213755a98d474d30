"""`tacita doctor`: test a node or a local cluster, and say what to do."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tacita.cli.options import Format
from tacita.protocols.faults import CallerMistake


def doctor(
    data: Annotated[Path | None, typer.Option(help="a node's data folder")] = None,
    cluster: Annotated[Path | None, typer.Option(help="cluster folder; nodes that do not run are started")] = None,
    format: Format = "text",
) -> int:
    """Test disk, permissions, certificates, key, links, clock and versions of a node or a local cluster.

    One line per check: ok, warning or failed, with what to do. Exit code 0 if nothing failed, else that of the first
    failure: 2 the caller's mistake, 3 a peer differs, 4 network or machine.
    """
    from tacita.deploy import doctor as work
    from tacita.deploy.manifest import Manifest

    if (data is None) == (cluster is None):
        raise CallerMistake("give either --data with a node's folder or --cluster with a cluster folder")
    if data is not None:
        checks = asyncio.run(work.examine_node(data))
    else:
        assert cluster is not None
        checks = asyncio.run(work.examine_cluster(Manifest.read(cluster)))
    code = work.exit_code(checks)
    if format == "json":
        sys.stdout.write(json.dumps({"exit_code": code, "checks": [vars(line) for line in checks]}) + "\n")
        return code
    nodes, names = (max(len(getattr(line, field)) for line in checks) for field in ("node", "name"))
    for line in checks:
        sys.stdout.write(f"{line.state:7}  {line.node:{nodes}}  {line.name:{names}}  {line.says}\n")
    return code
