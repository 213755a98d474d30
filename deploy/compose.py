"""The container driver: a Compose file from the manifest."""

import json
from typing import Any

from tacita.deploy.manifest import CONTAINER_DATA, Manifest

IMAGE = "tacita"


def compose(manifest: Manifest) -> dict[str, Any]:
    """One service per node: same arguments, port and data folder as the local driver."""
    services = {}
    for node in manifest.nodes:
        services[node.name] = {
            "image": IMAGE,
            "build": {"context": "..", "dockerfile": "deploy/Dockerfile"},
            "hostname": node.address.rpartition(":")[0],
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


def render(manifest: Manifest) -> str:
    """The Compose file: JSON, which is YAML."""
    return json.dumps(compose(manifest), indent=2) + "\n"
