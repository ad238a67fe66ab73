"""What a worker does: one job after another with one backbone. It knows nothing of Ray."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from reloc.backbone import load_backbone
from reloc.errors import MapError, RelocError
from reloc.files import check_writable
from reloc.fleet.manifest import MapJob
from reloc.fleet.places import local_scene, parted
from reloc.landmarks import LandmarkOptions
from reloc.library.store import open_store
from reloc.mapping.result import MappingResult
from reloc.maps import SceneMap
from reloc.maps.edit import joined
from reloc.methods.completion import completed
from reloc.methods.dispatch import map_scene
from reloc.methods.mapping_plan import plan_mapping
from reloc.scenes import open_scene
from reloc.scenes.scene import Scene
from reloc.temporary import temporary_folder

# Where a map says which job it is of.
MARK = "job"


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: ``done``, ``refused`` for what its scene or options are to blame for, or ``crashed``.
        reason: why there is no map.
        seconds: how long it took.
    """

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
            # A head that its map has already need not be made again.
            if not self._made(replace(job, head=None)) and not self._made(job):
                self._make(job)
            _forget(job.heads())
        except RelocError as error:
            return Outcome("refused", str(error))
        except Exception as error:  # memory, disks, drivers: another try may do
            text = (str(error).splitlines() or [""])[0]
            return Outcome("crashed", f"{job.scene}: {type(error).__name__}: {text}")
        return Outcome("done", seconds=time.monotonic() - began)

    def _made(self, job: MapJob) -> bool:
        """Whether the job's map is in its place: readable, and of this very job."""
        folder, name = parted(job.file)
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
        folder, name = parted(job.file)
        if "://" not in folder:
            check_writable(Path(job.file))
        with local_scene(job.scene) as root, temporary_folder() as rest:
            scene = open_scene(root, query=_beside(root, job.query), poses=_beside(root, job.poses))
            make = self._joined if job.parallel_heads else self._mapped
            made = make(job, scene)
            mark = {MARK: job.fingerprint(self._backbone.fingerprint)}
            path = rest / name
            replace(made, info={**made.info, **mark}).save(path)
            self._tell("writing", 0, 0)
            open_store(folder).put(path, name)

    def _mapped(self, job: MapJob, scene: Scene) -> SceneMap:
        return map_scene(
            scene,
            self._backbone,
            options=job.options,
            landmarks=None if job.head is not None else LandmarkOptions(count=job.landmarks),
            head=job.head,
            device=self._device,
            progress=self._tell,
        ).scene_map

    def _joined(self, job: MapJob, scene: Scene) -> SceneMap:
        """The map of the heads that were made for it. Raises MapError if one is missing."""
        missing = [str(head.head) for head in job.heads() if not self._made(head)]
        if missing:
            raise MapError(
                f"{job.scene}: heads that could not be made are missing: {', '.join(missing)}"
            )
        folder, _ = parted(job.heads()[0].file)
        store = open_store(folder)
        names = (parted(head.file)[1] for head in job.heads())
        made = MappingResult(joined([SceneMap.load(store.local(name)) for name in names]))
        plan = plan_mapping(scene, job.options, LandmarkOptions(count=job.landmarks))
        return completed(
            made, self._backbone, plan, device=self._device, progress=self._tell
        ).scene_map

    def _tell(self, stage: str, done: int, total: int, **_: float) -> None:
        self._activity = Activity(os.getpid(), stage, done, total)


def _forget(heads: Sequence[MapJob]) -> None:
    """Removes heads that have been joined, and their folder."""
    for head in heads:
        folder, name = parted(head.file)
        open_store(folder).remove(name)
    if heads and "://" not in folder:
        with suppress(OSError):
            Path(folder).rmdir()


def _beside(root: Path, name: str | None) -> Path | None:
    return None if name is None else root / name
