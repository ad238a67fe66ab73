"""Tasks of COLMAP in a process that can be ended at any time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from reloc.errors import SceneError
from reloc.progress import Progress
from reloc.temporary import temporary_folder

SECONDS_BETWEEN_LOOKS = 0.25


def run_task(
    task: str,
    *,
    stage: str,
    total: int,
    progress: Progress,
    count: Callable[[], int] | None = None,
    **arguments: Any,
) -> None:
    """Runs a task of ``reloc.sfm.worker`` and waits for it; whatever ends the wait ends it, too.

    Args:
        task: its name.
        stage: what the progress calls it.
        total: how much there is to do.
        progress: told of what is done.
        count: how much is done, where the task does not tell itself.
        **arguments: of the task; plain values of JSON.

    Raises:
        SceneError: it ended by itself, as COLMAP does where it finds a fault of its own.
    """
    progress(stage, 0, total)
    with temporary_folder() as folder, ExitStack() as files:
        told, complaints = folder / "told", folder / "complaints"
        worker = subprocess.Popen(
            [sys.executable, "-m", "reloc.sfm.worker", json.dumps({"task": task, **arguments})],
            stdin=subprocess.PIPE,
            stdout=files.enter_context(told.open("wb")),
            stderr=files.enter_context(complaints.open("wb")),
            # Ctrl-C reaches all processes of a terminal: this one is ended by its parent.
            start_new_session=True,
            env=_environment(),
        )
        try:
            done = 0
            while (status := worker.poll()) is None:
                with suppress(subprocess.TimeoutExpired):
                    worker.wait(SECONDS_BETWEEN_LOOKS)
                now = min(count() if count else _last_number(told), total)
                if now > done:
                    progress(stage, done := now, total)
        finally:
            worker.kill()
            worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()
        if status:
            lines = complaints.read_text(errors="replace").strip().splitlines()
            raise SceneError(
                f"COLMAP ended by itself while {stage} (status {status}: "
                f"{lines[-1].strip()[:200] if lines else 'it said nothing'}); run the same command "
                "again, and remove its folder of poses if that ends so, too"
            )
    progress(stage, total, total)


def _last_number(told: Path) -> int:
    """The last of the numbers in a file, which another process goes on writing."""
    lines = told.read_bytes().split(b"\n")[:-1]
    return int(lines[-1]) if lines and lines[-1].strip().isdigit() else 0


def _environment() -> dict[str, str]:
    """Of this process, with this package importable however it was found."""
    package = Path(__file__).absolute().parents[2]
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), str(package)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
