"""What is drawn on: the stored pixels, with the camera that the estimate is for."""

from typing import Any

import numpy as np
from PIL import ExifTags, Image

from reloc.cli.overlays import Overlays
from reloc.geometry import Camera
from reloc.images.sources import NamedImage
from reloc.localize import Estimate


class Recorder:
    def __init__(self):
        self.asked = []

    def drawn(self, photo, camera, estimate):
        self.asked.append((photo.shape, camera))
        return photo


def test_pictures_stored_on_their_side_are_drawn_on_as_they_are_stored(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    camera = Camera.pinhole(width=40, height=30, fx=35)
    recorder: Any = Recorder()
    overlays = Overlays(tmp_path / "out", recorder)
    for estimate in (
        Estimate("a", True, np.eye(4), camera=camera, camera_source="map"),
        Estimate("a", False, None, reason="no camera at hand"),
    ):
        overlays.expect(NamedImage("a.jpg", tmp_path / "a.jpg"))
        overlays.draw(estimate)
    assert recorder.asked[0] == ((30, 40, 3), camera)
    assert (recorder.asked[1][1].width, recorder.asked[1][1].height) == (40, 30)
    assert len(list((tmp_path / "out").iterdir())) == 2
