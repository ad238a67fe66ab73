"""A few steps through a rendered room: photos, a video of them, and the poses that were found."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, look_at
from reloc.images.files import read_image, write_image
from reloc.sfm import posing
from reloc.sfm.captures import Capture, capture_without_poses
from reloc.synthetic import Conditions, bake, make_room, render

FOCAL = 262.0
FRAMES = 12


@pytest.fixture(scope="session")
def walked(made_once: Callable[..., Path]) -> Path:
    """``photos`` of some steps, and their true ``poses.npy``; not to be written to."""

    def make(to: Path) -> None:
        world = make_room(3)
        baked = bake(world, texel=0.01, lumel=0.2)
        camera = Camera.pinhole(width=320, height=240, fx=FOCAL)
        (to / "photos").mkdir(parents=True)
        poses = []
        for number, share in enumerate(np.linspace(0, 1, FRAMES)):
            turn = 1.2 * share
            step = 0.7 * np.array([np.cos(turn), np.sin(turn), 0.15 * np.sin(3 * share)])
            eye = np.array([*(world.size[:2] / 2), 1.5]) + step
            poses.append(look_at(eye, np.array([0.6 + share, 0.6, 1.0])))
            view = render(baked, camera, poses[-1], conditions=Conditions())
            write_image(to / "photos" / f"photo {number:02d}.jpg", view.rgb)
        np.save(to / "poses.npy", np.array(poses))

    return made_once("walked", make)


@pytest.fixture(scope="session")
def photos(walked: Path) -> Capture:
    """The capture of these photos."""
    found = capture_without_poses(walked / "photos")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def film(walked: Path, made_once: Callable[..., Path]) -> Path:
    """The photos as a video, each shown twice."""

    def make(to: Path) -> None:
        writer = cv2.VideoWriter(str(to), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (320, 240))
        for path in sorted((walked / "photos").iterdir()):
            for _ in range(2):
                writer.write(np.ascontiguousarray(read_image(path)[:, :, ::-1]))
        writer.release()

    return made_once("walked.mp4", make)


@pytest.fixture(scope="session")
def matched(photos: Capture, made_once: Callable[..., Path]) -> Path:
    """A folder of poses, interrupted when all images are matched; not to be written to."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def make(to: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(posing._Posing, "_reconstruct", interrupted)
            with pytest.raises(KeyboardInterrupt):
                posing.pose_capture(photos, to, device="cpu")

    return made_once("matched.poses", make)


@pytest.fixture(scope="session")
def posed(matched: Path, photos: Capture, made_once: Callable[..., Path]) -> Path:
    """The folder of their poses; not to be written to."""

    def make(to: Path) -> None:
        shutil.copytree(matched, to, symlinks=True)
        posing.pose_capture(photos, to, device="cpu")

    return made_once("walked.poses", make)
