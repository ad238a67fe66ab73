"""A short walk through a rendered room: photos, a video of them, and what found poses of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.images.files import write_image
from reloc.synthetic import bake, make_room, render, walk

SIZE = (320, 240)
FRAMES = 12


@pytest.fixture(scope="session")
def walked(made_once: Callable[..., Path]) -> Path:
    """A folder of photos of a walk, with the true poses beside it; not to be written to."""

    def make(to: Path) -> None:
        world = make_room(3)
        baked = bake(world, texel=0.008, lumel=0.2)
        camera = Camera.pinhole(width=SIZE[0], height=SIZE[1], fx=262.0)
        poses = walk(world, seed=1, count=110)[20 : 20 + FRAMES]
        (to / "photos").mkdir(parents=True)
        for number, pose in enumerate(poses):
            view = render(baked, camera, pose)
            write_image(to / "photos" / f"photo {number:02d}.jpg", view.rgb)
        np.save(to / "poses.npy", np.array(poses))

    return made_once("walked", make)
