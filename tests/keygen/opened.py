"""Which files a process opens, told by the interpreter itself: an audit hook in every process with these variables."""

import os
from pathlib import Path

HOOK = """
import os, sys

out = os.open(os.environ["TACITA_TEST_OPENED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
events = {"open", "sqlite3.connect", "os.listdir", "os.scandir", "os.rename", "os.link", "os.symlink", "os.chmod",
          "os.truncate", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile", "shutil.copytree", "shutil.move"}

def hook(event, arguments):
    if event in events:
        for path in arguments[:2]:
            if isinstance(path, (str, bytes)):
                os.write(out, os.fsencode(os.path.realpath(path)) + b"\\n")

sys.addaudithook(hook)
"""


def audited(folder: Path, log: Path) -> dict[str, str]:
    """Environment of a process whose opened paths go to `log`; `folder` keeps the hook.

    The hook is written once: a process that starts while it is written again would read half of it, or nothing.
    """
    if not folder.exists():
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(HOOK)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path, "TACITA_TEST_OPENED": str(log)}


def under(log: Path, folder: Path) -> set[str]:
    """What was opened in a folder, relative to it; the folder itself is '.'."""
    inside = (Path(line) for line in log.read_text().splitlines())
    real = folder.resolve()
    return {str(path.relative_to(real)) for path in inside if path.is_relative_to(real)}
