"""Checkpoints of every training, resumed for the few steps that are left."""

import io
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.errors import SceneError
from reloc.geometry import Camera, look_at
from reloc.heads import MlpHead
from reloc.maps.scene_map import Region, SceneMap
from reloc.methods.ace import MappingOptions, map_scene
from reloc.methods.dsacstar import DsacStarOptions, map_scene_dsacstar
from reloc.methods.refine import RefineMapOptions, refine_map
from reloc.progress import Progress
from reloc.restoring import fitting
from reloc.scenes.scene import Frame, Scene
from reloc.training import OneCycleTrainer
from tests.fuzz.map_targets import backbone
from tests.fuzz.mutation import Files
from tests.fuzz.target import Target

_CAMERA = Camera.pinhole(width=64, height=48, fx=50)
_MAPPING = MappingOptions(
    heads=1, views=6, steps=4, batch=32, width=16, blocks=1, short_side=64, cells_per_view=16,
    buffer_gb=0.01,
)  # fmt: skip
_REFINING = RefineMapOptions(steps=4, views=4, cells=48, batch=2, hypotheses=4)
_DSACSTAR = DsacStarOptions(
    steps=4, end_to_end=0.5, hypotheses=4, width=16, blocks=0, short_side=48
)
_IDENTITY = {"options": {"seed": 0}, "frames": ["a", "b"]}
_FILE = "state.ckpt"

Train = Callable[..., Any]


@cache
def _scene() -> Scene:
    """Five photos of noise, in a folder that lasts as long as the process."""
    _scene.folder = tempfile.TemporaryDirectory(prefix="fuzz-scene-")  # type: ignore[attr-defined]
    folder = Path(_scene.folder.name)  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    frames = []
    for number in range(5):
        path = folder / f"{number}.png"
        path.write_bytes(
            cv2.imencode(".png", rng.integers(0, 255, (48, 64), np.uint8))[1].tobytes()
        )
        frames.append(
            Frame(path.name, path, _CAMERA, look_at((number, 3, 1), (0, 0.2 * number, 0)))
        )
    return Scene("place", folder, "made", tuple(frames))


def _mapped(**options: Any) -> None:
    map_scene(_scene(), backbone(), options=_MAPPING, device="cpu", **options)


def _refined(**options: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = MlpHead(channels=8, width=16, blocks=1, scale=3.0)
    rough = SceneMap(
        regions=(Region(head, np.zeros(3)),),
        backbone=backbone().fingerprint,
        short_side=48,
        extent=4.0,
        unit="metre",
        cameras=(),
    )
    refine_map(rough, _scene(), backbone(), options=_REFINING, device="cpu", **options)


def _dsacstar(**options: Any) -> None:
    map_scene_dsacstar(_scene(), backbone(), options=_DSACSTAR, device="cpu", **options)


def _stopped_at(stage: str) -> Progress:
    wanted = stage

    def stop(stage: str, done: int, total: int, **metrics: float) -> None:
        if stage == wanted and done >= 1:
            raise KeyboardInterrupt

    return stop


def _interrupted(train: Train, stage: str) -> Callable[[int], Files]:
    def seeds(number: int) -> Files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _FILE
            try:
                train(checkpoint=path, progress=_stopped_at(stage))
            except KeyboardInterrupt:
                return {_FILE: path.read_bytes()}
        raise AssertionError("the training was not interrupted")

    return seeds


def _resuming(train: Train) -> Callable[[Path], None]:
    def resume(folder: Path) -> None:
        try:
            train(checkpoint=folder / _FILE, resume=True)
        except SceneError:
            # From numbers that are far off a training may diverge, which it says of the scene.
            return

    return resume


def _trainer() -> OneCycleTrainer:
    """That of meta-training and pretraining, after its first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Linear(4, 3)
    trainer = OneCycleTrainer(
        network,
        parts={"network": network},
        learning_rate=0.1,
        weight_decay=0.01,
        steps=10,
        warmup=0.3,
    )
    _stepped(trainer)
    return trainer


def _state(number: int) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        save_checkpoint(path, _IDENTITY, _trainer().state_dict())
        return {_FILE: path.read_bytes()}


def _restored(folder: Path) -> OneCycleTrainer:
    trainer, path = _trainer(), folder / _FILE
    stored = load_checkpoint(path, _IDENTITY)
    assert stored is not None
    with damage_named(path, diverged="diverged"), fitting():
        trainer.load_state_dict(stored)
    return trainer


def _stepped(trainer: OneCycleTrainer) -> None:
    trainer.trained(torch.ones(1, 4)).sum().backward()
    trainer.advance()
    torch.save(trainer.state_dict(), io.BytesIO())


TARGETS: tuple[Target, ...] = (
    Target("checkpoint", _state, 1, _restored, _stepped),
    Target("map-resume", _interrupted(_mapped, "training"), 1, _resuming(_mapped), share=0.5),
    Target("refine-resume", _interrupted(_refined, "refining"), 1, _resuming(_refined), share=0.5),
    Target(
        "dsacstar-resume", _interrupted(_dsacstar, "training"), 1, _resuming(_dsacstar), share=0.5
    ),
)
