"""Maps as they are put together."""

from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image

from reloc.geometry import Camera, pose_from
from reloc.heads import MlpHead
from reloc.images.lens import Lens
from reloc.mapping.mapping_frames import MappingFrames
from reloc.mapping.result import finished
from reloc.maps.scene_map import MAX_CAMERAS, Region
from reloc.scenes import Frame, Skipped

CAMERA = Camera.pinhole(width=40, height=30, fx=35)


def test_a_map_remembers_a_sample_of_its_frames_and_tells_how_it_was_made():
    frames = [
        Frame(f"{i}.png", Path(f"{i}.png"), CAMERA, pose_from(np.eye(3), np.array([i, 0.0, 0.0])))
        for i in range(MAX_CAMERAS + 200)
    ]
    extent = float(len(frames) - 1)
    used = MappingFrames("walk", Path("walk"), "metre", extent, tuple(frames))
    head = MlpHead(channels=4, width=8, blocks=1, scale=1.0)
    lost = [Skipped("x.png", "is no picture")]
    result = finished(
        used,
        [Region(head, np.zeros(3))],
        backbone="abc",
        short_side=480,
        device=torch.device("cpu"),
        skipped=lost,
        seconds={"training": 1.23456},
        info={"method": "mine"},
    )
    made = result.scene_map
    names = [camera.name for camera in made.cameras]
    assert len(set(names)) == MAX_CAMERAS
    assert (names[0], names[-1]) == ("0.png", frames[-1].name)
    assert made.cameras[-1].world_from_cam[0, 3] == len(frames) - 1
    assert made.info["frames"] == len(frames)
    assert (made.info["skipped"], made.info["seconds"]) == (1, {"training": 1.23})
    assert (made.info["method"], made.unit, made.extent) == ("mine", "metre", extent)
    assert result.skipped == tuple(lost)


def test_a_map_remembers_the_lenses_of_its_photos(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Phone"
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (40, 30)).save(tmp_path / "b.jpg")
    frames = [
        Frame(name, tmp_path / name, CAMERA, np.eye(4)) for name in ("a.jpg", "b.jpg", "gone")
    ]
    made = finished(
        MappingFrames("walk", tmp_path, "unknown", 1.0, tuple(frames)),
        [Region(MlpHead(channels=4, width=8, blocks=1, scale=1.0), np.zeros(3))],
        backbone="abc",
        short_side=480,
        device=torch.device("cpu"),
        skipped=(),
        seconds={},
        info={},
    ).scene_map
    assert [camera.lens for camera in made.cameras] == [Lens(model="Phone"), Lens(), Lens()]
