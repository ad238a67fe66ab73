"""Tasks of COLMAP in a process that can be ended at any time."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from reloc.errors import SceneError
from reloc.progress import Progress


def run_task(task: str, *, stage: str, total: int, progress: Progress, **arguments: Any) -> None:
    """Runs a task of ``reloc.sfm.worker`` and waits for it; whatever ends the wait ends it, too.

    Args:
        task: its name.
        stage: what the progress calls it.
        total: how much there is to do.
        progress: told of what is done.
        **arguments: of the task; plain values of JSON.

    Raises:
        SceneError: it ended by itself, as COLMAP does where it finds a fault of its own.
    """
    progress(stage, 0, total)
    with tempfile.TemporaryFile() as complaints:
        worker = subprocess.Popen(
            [sys.executable, "-m", "reloc.sfm.worker", json.dumps({"task": task, **arguments})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            # Ctrl-C reaches all processes of a terminal: this one is ended by its parent.
            start_new_session=True,
            env=_environment(),
        )
        try:
            for line in worker.stdout or ():
                if line.strip().isdecimal():
                    progress(stage, min(int(line), total), total)
            status = worker.wait()
        finally:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()
        if status:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").strip().splitlines()
            raise SceneError(
                f"COLMAP ended by itself while {stage} (status {status}: "
                f"{lines[-1].strip()[:200] if lines else 'it said nothing'}); run the same command "
                "again, and remove its folder of poses if that ends so, too"
            )
    progress(stage, total, total)


def _environment() -> dict[str, str]:
    """Of this process, with this package importable however it was found."""
    package = Path(__file__).absolute().parents[2]
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), str(package)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
