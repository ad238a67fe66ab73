"""The synthetic scene on disk: a room, a walk to map it and another to localize in it."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reloc.files import atomic_folder
from reloc.geometry import Camera
from reloc.progress import Progress, silent
from reloc.scenes.scene import Depth, Frame, Scene
from reloc.synthetic.bake import Baked, bake
from reloc.synthetic.paths import walk
from reloc.synthetic.photo import any_conditions
from reloc.synthetic.render import render
from reloc.synthetic.rooms import make_room

Array = NDArray[np.float64]


def write_synthetic_scene(
    folder: Path,
    *,
    seed: int = 0,
    mapping: int = 120,
    queries: int = 30,
    width: int = 640,
    height: int = 480,
    depth: bool = True,
    device: str | torch.device = "cpu",
    progress: Progress = silent,
) -> Scene:
    """Makes a room from a seed, walks through it twice and writes what a camera sees.

    The layout is ACE's: ``{train,test}/{rgb,poses,calibration,depth}`` with one file per frame
    each. Depth is in millimetres. The folder appears at once, when everything is written.

    Args:
        folder: must not exist, or be empty.
        seed: of the room, the walks and the pictures.
        mapping: frames of the first walk.
        queries: frames of the second.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        depth: whether to write depth images.
        device: where to render.
        progress: told of every frame.

    Raises:
        OutputError: something is there already, or the folder cannot be written to.
    """
    folder = Path(folder)
    camera = Camera.pinhole(width=width, height=height, fx=0.82 * max(width, height))
    rng = np.random.default_rng([seed, 0x5CE2])
    frames: dict[str, list[Frame]] = {"train": [], "test": []}
    with atomic_folder(folder) as temporary:
        # Paintings as fine as the pixels of a picture taken from about two metres.
        texel = float(np.clip(2.4 / max(width, height), 0.003, 0.02))
        baked = bake(make_room(seed), texel=texel, device=device)
        walks = {
            "train": walk(baked.world, seed=0, count=mapping),
            "test": walk(baked.world, seed=1, count=queries),
        }
        for part, poses in walks.items():
            for number, pose in enumerate(poses):
                _write_frame(temporary / part, number, baked, camera, pose, rng, depth)
                frames[part].append(_frame(folder, part, number, camera, pose, depth))
                progress("rendering", sum(map(len, frames.values())), mapping + queries)
    return Scene(
        name=folder.name,
        root=folder,
        layout="ace",
        mapping=tuple(frames["train"]),
        queries=tuple(frames["test"]),
        unit="metre",
    )


def _write_frame(
    folder: Path,
    number: int,
    baked: Baked,
    camera: Camera,
    pose: Array,
    rng: np.random.Generator,
    depth: bool,
) -> None:
    view = render(baked, camera, pose, conditions=any_conditions(rng, strength=0.5))
    name = f"{number:05d}"
    rgb = np.ascontiguousarray(view.rgb[:, :, ::-1])
    _write(folder / "rgb" / f"{name}.jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 95])
    if depth:
        millimetres = np.clip(np.rint(view.depth * 1000), 0, 65534).astype(np.uint16)
        _write(folder / "depth" / f"{name}.png", millimetres, [])
    for kind, matrix in (("poses", pose), ("calibration", camera.matrix())):
        path = folder / kind / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [" ".join(repr(float(x)) for x in row) for row in matrix]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write(path: Path, pixels: NDArray[np.generic], options: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), pixels, options):
        raise OSError(f"{path.name} could not be written")


def _frame(folder: Path, part: str, number: int, camera: Camera, pose: Array, depth: bool) -> Frame:
    name = f"{part}/rgb/{number:05d}.jpg"
    measured = Depth(folder / part / "depth" / f"{number:05d}.png", camera) if depth else None
    return Frame(name, folder / name, camera, pose, measured)
