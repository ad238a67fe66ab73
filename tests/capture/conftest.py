"""A synthetic capture that nothing is wrong with, to be spoilt by the tests."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, look_at, pose_from, rotation_from_vector
from reloc.scenes import Frame, Scene
from reloc.synthetic import Conditions, bake, make_room, render, walk

CAMERA = Camera.pinhole(width=400, height=300, fx=328)

Photograph = Callable[[str, Sequence[np.ndarray]], Scene]


@pytest.fixture(scope="session")
def room():
    return bake(make_room(3), texel=0.012, lumel=0.2)


@pytest.fixture(scope="session")
def photograph(room, tmp_path_factory: pytest.TempPathFactory) -> Photograph:
    """Takes photos of a room from given poses."""

    def take(name: str, poses: Sequence[np.ndarray]) -> Scene:
        root = tmp_path_factory.mktemp(name)
        frames = []
        for number, pose in enumerate(poses):
            path = root / f"{number:02d}.jpg"
            rgb = render(room, CAMERA, pose, conditions=Conditions()).rgb
            assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[:, :, ::-1]))
            frames.append(Frame(path.name, path, CAMERA, pose))
        return Scene(name=name, root=root, layout="ace", mapping=tuple(frames), unit="metre")

    return take


@pytest.fixture(scope="session")
def capture(photograph: Photograph, room) -> Scene:
    """The dense beginning of a walk through a room; not to be written to."""
    return photograph("capture", walk(room.world, seed=0, count=200)[:16])


@pytest.fixture(scope="session")
def turning(photograph: Photograph, capture: Scene) -> Scene:
    """A camera that stands where the walk began and only turns."""
    first = capture.mapping[0].world_from_cam
    turns = [
        pose_from(rotation_from_vector((0, np.radians(7 * k), 0)), (0, 0, 0)) for k in range(9)
    ]
    return photograph("turning", [first @ turn for turn in turns])


@pytest.fixture(scope="session")
def ring() -> Callable[..., np.ndarray]:
    """(N, 4, 4) level cameras on a circle around the z axis, looking at its middle or away."""

    def cameras(count: int, *, radius: float = 2.0, inwards: bool = True) -> np.ndarray:
        angles = np.arange(count) * 2 * np.pi / count
        outwards = np.stack([np.cos(angles), np.sin(angles), np.zeros(count)], axis=1)
        to = radius + (-1 if inwards else 1)
        return np.array([look_at(radius * o, to * o) for o in outwards])

    return cameras
