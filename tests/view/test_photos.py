"""Small photos as a pinhole sees them."""

from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from reloc.geometry import Camera
from reloc.images.metadata import tells_position
from reloc.view.exhibit import ShownFrame
from reloc.view.photos import photos_of, rectified


def test_rectified_photos_are_what_a_pinhole_sees() -> None:
    """A dot is drawn where the lens puts it and found where a pinhole would."""
    camera = Camera("SIMPLE_RADIAL", 640, 480, (500.0, 320.0, 240.0, -0.2))
    ray = np.array([[0.35, -0.2]])
    photo = np.zeros((480, 640, 3), np.uint8)
    x, y = camera.pixels(ray)[0]
    cv2.circle(photo, (round(x), round(y)), 8, (255, 255, 255), -1)
    small = rectified(photo, camera, side=320)
    assert small.shape == (240, 320, 3)
    rows, columns = np.nonzero(small[..., 0] > 128)
    expected = (ray[0] * 500 + (320, 240)) / 2
    np.testing.assert_allclose((columns.mean() + 0.5, rows.mean() + 0.5), expected, atol=0.6)
    pinhole = Camera.pinhole(width=640, height=480, fx=500)
    assert rectified(photo, pinhole, side=1000).shape == (480, 640, 3)


def test_photos_on_a_page_do_not_tell_where_they_were_taken(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(path, exif=tags)
    assert tells_position(path)
    camera = Camera.pinhole(width=64, height=48, fx=60)
    shown = photos_of([ShownFrame("a.jpg", False, camera, np.eye(4), image=path)], 1)
    (tmp_path / "b.jpg").write_bytes(shown["a.jpg"])
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (64, 48) and not image.getexif()
