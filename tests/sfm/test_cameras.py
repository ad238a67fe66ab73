"""One camera where it is one, with what EXIF tells."""

from dataclasses import replace

import pytest

from reloc.images.lens import Lens
from reloc.sfm.cameras import guessed_cameras


def test_images_of_a_size_and_lens_share_a_camera():
    phone = Lens("A", "Phone", equivalent_mm=26.0, turn=1)
    zoomed = replace(phone, equivalent_mm=52.0)
    sizes = [(400, 300), (400, 300), (400, 300), (300, 400)]
    cameras = guessed_cameras(sizes, [phone, replace(phone, turn=0), zoomed, phone])
    assert [shared.images for shared in cameras] == [(0, 1), (2,), (3,)]
    assert all(shared.known for shared in cameras)
    assert cameras[1].camera.focal == pytest.approx(2 * cameras[0].camera.focal)


def test_without_exif_the_focal_length_is_usual():
    [shared] = guessed_cameras([(480, 640)] * 3, [Lens()] * 3)
    assert not shared.known
    assert shared.camera.focal == pytest.approx(1.2 * 640)
    assert (shared.camera.cx, shared.camera.cy) == (240, 320)
