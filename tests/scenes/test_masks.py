"""What masks leave out of a mapping, wherever they come from."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.images.image_cache import read_gray
from reloc.landmarks.building import LandmarkOptions, build_landmarks
from reloc.mapping.views import prepare_view
from reloc.scenes import open_scene
from reloc.scenes.masks import kept
from reloc.scenes.scene import Mask
from tests.scenes.layouts import phones, programs
from tests.scenes.layouts.walks import write


def mask(path, *, width=96, height=72, black=slice(0, 36)):
    """A mask whose upper half is black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((height, width), 255, np.uint8)
    values[black] = 0
    path.write_bytes(cv2.imencode(".png", values)[1].tobytes())
    return path


def test_black_pixels_and_borders_do_not_count(tmp_path):
    pixels = np.array([[10.5, 35.9], [10.5, 36.1], [2.0, 50], [93.5, 50], [50, 70], [np.nan, 50]])
    size = {"width": 96, "height": 72}
    path = mask(tmp_path / "1.png")
    assert kept(Mask(path), pixels, **size).tolist() == [False, True, True, True, True, False]
    bordered = Mask(path, border=3)
    assert kept(bordered, pixels, **size).tolist() == [False, True, False, False, False, False]
    half = mask(tmp_path / "2.png", width=48, height=36, black=slice(0, 18))
    assert kept(Mask(half), pixels, **size).tolist() == [False, True, True, True, True, False]


@pytest.mark.slow
def test_cells_and_keypoints_under_a_mask_are_not_mapped(wall_frames, tmp_path):
    path = mask(tmp_path / "m.png", width=320, height=240, black=slice(0, 120))
    masked = [replace(frame, mask=Mask(path)) for frame in wall_frames]
    plain = prepare_view(wall_frames[4], 4, kind="plain", short_side=240, stride=8)
    view = prepare_view(masked[4], 4, kind="plain", short_side=240, stride=8)
    assert plain.usable.all()
    np.testing.assert_array_equal(view.usable, view.pixels[:, 1] > 120)
    options = LandmarkOptions(count=200)
    made, _ = build_landmarks(masked, depth=3.0, options=options, read=read_gray)
    whole, _ = build_landmarks(wall_frames, depth=3.0, options=options, read=read_gray)
    # The wall is z = 3 and cameras are level: what the upper half shows has a smaller y.
    assert len(made) > 50
    assert made.points[:, 1].min() > -0.25 > whole.points[:, 1].min()


def test_masks_of_colmap_and_nerfstudio(walk, tmp_path):
    from reloc.scenes.writers import write_scene

    source = open_scene(write(tmp_path / "kapture", programs.kapture(walk)))
    write_scene(source, tmp_path / "colmap", to="colmap")
    (first, *others) = sorted(
        path.relative_to(tmp_path / "colmap/images")
        for path in (tmp_path / "colmap/images").rglob("*.jpg")
    )
    mask(tmp_path / "colmap/masks" / f"{first}.png")
    mask(tmp_path / "colmap/masks" / others[0].with_suffix(".png"))
    scene = open_scene(tmp_path / "colmap")
    assert [frame.mask is not None for frame in scene.mapping] == [True] * 2 + [False] * 6
    assert scene.notes == ("2 of 8 frames have a mask; what is black in it is not mapped",)

    written = write_scene(scene, tmp_path / "copy", to="transforms")
    assert any(note.startswith("left out the masks of 2 frames") for note in written.notes)

    root = write(tmp_path / "nerf", phones.nerfcapture(walk))
    top = json.loads((root / "transforms.json").read_text())
    for number, entry in enumerate(top["frames"]):
        entry["mask_path"] = f"masks/{number}.png"
        mask(root / "masks" / f"{number}.png")
    top["frames"][0]["mask_path"] = "../masks/0.png"
    (root / "transforms.json").write_text(json.dumps(top))
    frames = open_scene(root).mapping
    assert [frame.mask and frame.mask.path.name for frame in frames[:3]] == [None, "1.png", "2.png"]


def test_a_folder_of_masks_for_any_layout(walk, tmp_path):
    root = write(tmp_path / "walk", phones.stray(walk, as_images=True))
    for number in range(4):
        mask(tmp_path / "people" / f"{number:06d}.png")
    mask(tmp_path / "people/000001.png", width=50, height=50)
    (tmp_path / "people/000002.png").write_bytes(b"damaged")
    scene = open_scene(root, masks=tmp_path / "people")
    assert [frame.mask is not None for frame in scene.mapping[:4]] == [True, False, False, True]
    assert any(note.startswith("2 frames: mask left out") for note in scene.notes)
    with pytest.raises(SceneError, match="no such folder"):
        open_scene(root, masks="nowhere")


def test_black_borders_of_polycam(walk, tmp_path):
    root = write(tmp_path, phones.polycam(walk))
    assert {frame.mask for frame in open_scene(root).mapping} == {Mask(border=15)}
