"""Changes the code of single processes from outside: a `sitecustomize` that patches one module after its import."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.running import Running

HOOK = '''"""Written by a test: patches {module} in processes that have this folder in PYTHONPATH."""
import importlib.abc, importlib.util, sys

BODY = {body!r}

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != {module!r}:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            exec(BODY, {{"module": module}})
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
'''


def inject(folder: Path, module: str, body: str) -> dict[str, str]:
    """The environment in which `body` runs right after `module` was imported; it finds it as `module`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK.format(module=module, body=body))
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


@contextmanager
def changed_node(cluster: Path, name: str, folder: Path, module: str, body: str) -> Iterator[Running]:
    """A running cluster in which one node's processes were changed."""
    running = Running(cluster, {name: inject(folder, module, body)})
    try:
        running.start()
        yield running
    finally:
        running.stop()


RECORD = """
read = module.Transport._read
async def _read(self, name, frames):
    async def recorded():
        async for frame in frames:
            with open({path!r}, "ab") as file:
                file.write(frame.SerializeToString())
            yield frame
    return await read(self, name, recorded())
module.Transport._read = _read
"""
"""For tacita.node.transport: appends every frame that the node receives to a file."""
