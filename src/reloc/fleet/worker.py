"""What a worker does: one job after another with one backbone. It knows nothing of Ray."""

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from reloc.backbone import load_backbone
from reloc.errors import MapError, RelocError
from reloc.files import check_writable
from reloc.fleet.manifest import MapJob
from reloc.fleet.places import local_scene, parted
from reloc.library.store import open_store
from reloc.localize import Localizer
from reloc.mapping import map_scene
from reloc.maps import SceneMap
from reloc.scenes import open_scene
from reloc.view.sketch import sketched

# Where a map says which job it is of.
MARK = "job"


@dataclass(frozen=True)
class Outcome:
    """How a job ended: ``done``, ``refused`` for what its scene or options are to blame for, or
    ``crashed``, with the reason."""

    state: Literal["done", "refused", "crashed"]
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Activity:
    """What a worker is at: its process, and the stage of its job with how much of it is done."""

    pid: int
    stage: str = ""
    done: int = 0
    total: int = 0


class Worker:
    """Makes maps one by one.

    Args:
        backbone: weights; None for the shipped ones.
        device: where to compute.
        threads: of PyTorch in this process; None leaves them as they are. With other threads the
            last digits of a map may be others.

    Raises:
        MapError: the backbone cannot be loaded.
    """

    def __init__(self, backbone: Path | None, *, device: str, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._backbone = load_backbone(backbone)
        self._device = device
        self._activity = Activity(os.getpid())

    def activity(self) -> Activity:
        """What it does at the moment; may be asked from another thread."""
        return self._activity

    def make(self, job: MapJob) -> Outcome:
        """Makes a map and puts it in its place, unless it is there already. Never raises."""
        began = time.monotonic()
        try:
            if not self._made(job):
                self._make(job)
        except RelocError as error:
            return Outcome("refused", str(error))
        except Exception as error:  # memory, disks, drivers: another try may do
            text = (str(error).splitlines() or [""])[0]
            return Outcome("crashed", f"{job.scene}: {type(error).__name__}: {text}")
        return Outcome("done", seconds=time.monotonic() - began)

    def _made(self, job: MapJob) -> bool:
        """Whether the job's map is in its place: readable, and of this very job."""
        folder, name = parted(job.out)
        store = open_store(folder)
        if not store.exists(name):
            return False
        try:
            info = SceneMap.load(store.local(name)).info
        except MapError:
            return False
        return info.get(MARK) == job.fingerprint(self._backbone.fingerprint)

    def _make(self, job: MapJob) -> None:
        self._tell("reading", 0, 0)
        folder, name = parted(job.out)
        if "://" not in folder:
            check_writable(Path(job.out))
        with local_scene(job.scene) as root, tempfile.TemporaryDirectory(prefix="reloc-") as rest:
            scene = open_scene(root, query=_beside(root, job.query), poses=_beside(root, job.poses))
            made = map_scene(
                scene,
                self._backbone,
                options=job.options,
                device=self._device,
                progress=self._tell,
            ).scene_map
            localizer = Localizer(made, self._backbone, device=self._device)
            drawn = sketched(localizer, scene.mapping, progress=self._tell)
            mark = {MARK: job.fingerprint(self._backbone.fingerprint)}
            path = Path(rest) / name
            replace(drawn, info={**drawn.info, **mark}).save(path)
            self._tell("writing", 0, 0)
            open_store(folder).put(path, name)

    def _tell(self, stage: str, done: int, total: int, **_: float) -> None:
        self._activity = Activity(os.getpid(), stage, done, total)


def _beside(root: Path, name: str | None) -> Path | None:
    return None if name is None else root / name
