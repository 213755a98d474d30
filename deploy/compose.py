"""The container driver: a Compose file from the manifest."""

import ipaddress
import json
from collections import Counter
from typing import Any

from tacita.deploy.manifest import CONTAINER_DATA, Manifest
from tacita.protocols.faults import CallerMistake

IMAGE = "tacita"


def compose(manifest: Manifest) -> dict[str, Any]:
    """One service per node: same arguments, port and data folder as the local driver; raises CallerMistake."""
    check_hosts(manifest)
    services = {}
    for node in manifest.nodes:
        owner = node.folder.stat()
        services[node.name] = {
            "image": IMAGE,
            "build": {"context": "..", "dockerfile": "deploy/Dockerfile"},
            "hostname": node.host,
            "networks": {"default": {"aliases": [node.host]}},
            # A node refuses key files that are not its own user's.
            "user": f"{owner.st_uid}:{owner.st_gid}",
            "command": node.arguments(CONTAINER_DATA),
            "ports": [f"{node.port}:{node.port}"],
            "volumes": [f"./nodes/{node.name}:{CONTAINER_DATA}"],
            "restart": "unless-stopped",
            "read_only": True,
            "tmpfs": ["/tmp"],  # noqa: S108 - a path inside the container
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
        }
    return {"services": services}


def check_hosts(manifest: Manifest) -> None:
    """Containers find one another by host name: refuse addresses that lead elsewhere."""
    shared = Counter(node.host for node in manifest.nodes)
    for node in manifest.nodes:
        if node.host == "localhost" or _is_number(node.host) or shared[node.host] > 1:
            raise CallerMistake(
                f"{node.name}'s address {node.address} does not lead to a container of its own; enrol the nodes with "
                f"addresses like {node.name}:{node.port}"
            )
        if not node.folder.is_dir():
            raise CallerMistake(f"{node.folder} is missing; put the data folder of {node.name} there")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def render(manifest: Manifest) -> str:
    """The Compose file: JSON, which is YAML."""
    return json.dumps(compose(manifest), indent=2) + "\n"
