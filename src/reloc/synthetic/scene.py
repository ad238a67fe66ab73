"""The synthetic scene on disk: a room, a walk to map it and another to localize in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.files import atomic_folder
from reloc.geometry import Camera
from reloc.images.files import write_image
from reloc.progress import Progress, silent
from reloc.scenes.scene import Depth, Frame, Scene
from reloc.synthetic.bake import bake
from reloc.synthetic.paths import walk
from reloc.synthetic.photo import any_conditions
from reloc.synthetic.render import Rendering, render
from reloc.synthetic.rooms import make_room
from reloc.synthetic.world import World

Array = NDArray[np.float64]
# The parts of a scene as its folders are called: for mapping, for queries.
PARTS = ("train", "test")


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
    camera = scene_camera(width, height)
    frames: dict[str, list[Frame]] = {part: [] for part in PARTS}
    with atomic_folder(folder) as temporary:
        world = make_room(seed)
        counts = dict(zip(PARTS, (mapping, queries), strict=True))
        walks = {
            part: walk(world, seed=number, count=counts[part]) for number, part in enumerate(PARTS)
        }
        rng = np.random.default_rng([seed, 0x5CE2])
        for photo in photographed(world, camera, walks, rng=rng, device=device):
            frames[photo.part].append(photo.write(temporary, folder, depth=depth))
            progress("rendering", sum(map(len, frames.values())), mapping + queries)
    return scene_of_frames(folder, frames)


def scene_camera(width: int, height: int) -> Camera:
    """The camera of all synthetic scenes. Raises CameraError for an impossible size."""
    return Camera.pinhole(width=width, height=height, fx=0.82 * max(width, height))


def scene_of_frames(folder: Path, frames: Mapping[str, Sequence[Frame]]) -> Scene:
    """A scene of frames by part."""
    return Scene(
        name=folder.name,
        root=folder,
        layout="ace",
        mapping=tuple(frames["train"]),
        queries=tuple(frames["test"]),
        unit="metre",
    )


@dataclass(frozen=True)
class Photo:
    """A picture taken in a world, to be written.

    Attributes:
        part: ``train`` or ``test``.
        name: without a suffix.
        camera: what took it.
        world_from_cam: (4, 4), of the scene.
        view: what it shows.
    """

    part: str
    name: str
    camera: Camera
    world_from_cam: Array
    view: Rendering

    def write(self, temporary: Path, folder: Path, *, depth: bool) -> Frame:
        """Writes the files of the frame, with its depth or without.

        Args:
            temporary: where they are written.
            folder: where they will be when the frame is used.
            depth: whether to write the depth.
        """
        paths = {
            kind: Path(self.part, kind, self.name + suffix)
            for kind, suffix in (
                ("rgb", ".jpg"), ("depth", ".png"), ("poses", ".txt"), ("calibration", ".txt")
            )
        }  # fmt: skip
        _write(temporary / paths["rgb"], self.view.rgb)
        if depth:
            millimetres = np.clip(np.rint(self.view.depth * 1000), 0, 65534).astype(np.uint16)
            _write(temporary / paths["depth"], millimetres)
        for kind, matrix in (("poses", self.world_from_cam), ("calibration", self.camera.matrix())):
            path = temporary / paths[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [" ".join(repr(float(x)) for x in row) for row in matrix]
            path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        measured = Depth(folder / paths["depth"], self.camera) if depth else None
        name = paths["rgb"].as_posix()
        return Frame(name, folder / name, self.camera, self.world_from_cam, measured)


def photographed(
    world: World,
    camera: Camera,
    walks: Mapping[str, Sequence[Array]],
    *,
    rng: np.random.Generator,
    device: str | torch.device,
    prefix: str = "",
    scene_from_world: Array | None = None,
) -> Iterator[Photo]:
    """Pictures along walks through one world, rendered one by one as they are asked for.

    Args:
        world: a room.
        camera: what takes them.
        walks: by part, poses in the room.
        rng: of light, exposure, blur and noise.
        device: where to render.
        prefix: of the names, before the number.
        scene_from_world: (4, 4), where the room stands in the scene; by default it is the scene.
    """
    # Paintings as fine as the pixels of a picture taken from about two metres.
    texel = float(np.clip(2.4 / max(camera.width, camera.height), 0.003, 0.02))
    baked = bake(world, texel=texel, device=device)
    for part, poses in walks.items():
        for number, pose in enumerate(poses):
            view = render(baked, camera, pose, conditions=any_conditions(rng, strength=0.5))
            placed = pose if scene_from_world is None else scene_from_world @ pose
            yield Photo(part, f"{prefix}{number:05d}", camera, placed, view)


def _write(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, pixels)
