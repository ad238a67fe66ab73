"""Filling the buffer: rays must be those of the very pixels that the cells look at."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.errors import ImageError, SceneError
from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.images.augment import cell_pixels
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.fill import BufferFiller, FillOptions, centred_cam_from_world, prepare_view
from reloc.scenes import Frame

# An off-centre, distorted camera with two focal lengths, landscape and portrait.
LANDSCAPE = Camera("OPENCV", 400, 300, (330, 350, 215, 140, -0.18, 0.05, 0.002, -0.001))
PORTRAIT = Camera("OPENCV", 300, 440, (350, 330, 140, 235, -0.12, 0.03, -0.001, 0.002))


class MeanBackbone:
    """A feature is the mean and the spread of a cell's brightness: quick and easy to check."""

    channels, stride, fingerprint = 2, 8, "mean"

    def __call__(self, images):
        mean = torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True)
        return torch.cat([mean, mean * 2], dim=1)


def dots_of(camera, pose):
    """World points (N, 3) that a camera sees spread over its image, at several depths."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(40, camera.width - 20, 45), np.arange(40, camera.height - 20, 45))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-4, 4, (x.size, 2))
    rays = camera.rays(pixels)
    cam = np.c_[rays, np.ones(len(rays))] * rng.uniform(1, 6, (len(rays), 1))
    return transformed(pose, cam)


def draw(camera, pose, points, path):
    """A dark photo in which every point is a soft bright dot."""
    image = np.full((camera.height, camera.width), 20.0)
    at_x, at_y = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
    for u, v in camera.project(transformed(inverted(pose), points)):
        image += 200 * np.outer(
            np.exp(-0.5 * ((at_y - v) / 2.5) ** 2), np.exp(-0.5 * ((at_x - u) / 2.5) ** 2)
        )
    assert cv2.imwrite(str(path), image.round().clip(0, 255).astype(np.uint8))
    return path


@pytest.fixture
def frame_of(tmp_path):
    def make(camera, number=0):
        pose = look_at((2 + 0.1 * number, 3, 1), (0, 0.2 * number, 0))
        path = draw(camera, pose, dots_of(camera, pose), tmp_path / f"{number}.png")
        return Frame(path.name, path, camera, pose)

    return make


@pytest.mark.parametrize("camera", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
@pytest.mark.parametrize(("plain", "seed"), [(True, 0), (False, 0), (False, 1), (False, 2)])
@pytest.mark.parametrize("short_side", [220, 300, 420])
def test_rays_of_cells_lead_to_the_points_that_the_view_shows(
    frame_of, camera, plain, seed, short_side
):
    frame = frame_of(camera)
    prepared = prepare_view(
        frame, 0, plain=plain, options=FillOptions(short_side=short_side), seed=seed, stride=8
    )
    height, width = prepared.view.image.shape
    rows, columns = -(-height // 8), -(-width // 8)
    assert prepared.rays.shape == (rows * columns, 2)
    rays = prepared.rays.reshape(rows, columns, 2)
    usable = prepared.usable.reshape(rows, columns)
    points = transformed(inverted(frame.world_from_cam), dots_of(camera, frame.world_from_cam))
    image = prepared.view.image.astype(float)
    reach = int(14 * prepared.view.scale)
    errors = []
    for ray in points[:, :2] / points[:, 2:]:
        # The cell whose ray is nearest to the point's, and from there the dot in the view.
        distance = np.where(usable, np.linalg.norm(rays - ray, axis=2), np.inf)
        i, j = np.unravel_index(np.argmin(distance), distance.shape)
        x, y = int(8 * j + 4), int(8 * i + 4)
        if not (reach + 8 <= x < width - reach - 8 and reach + 8 <= y < height - reach - 8):
            continue
        for _ in range(2):  # once more, around the dot itself
            patch = image[y - reach : y + reach + 1, x - reach : x + reach + 1]
            weight = (patch - np.median(patch)).clip(min=0)
            weight[weight < 0.15 * weight.max()] = 0
            ticks = np.arange(-reach, reach + 1) + 0.5
            dot = np.array([weight.sum(axis=0) @ ticks, weight.sum(axis=1) @ ticks])
            dot = dot / weight.sum() + (x, y)
            x, y = dot.astype(int)
        # The ray there, between the centres of cells.
        cell = (dot - 4) / 8
        (j, i), (u, v) = cell.astype(int), cell % 1
        top = (1 - u) * rays[i, j] + u * rays[i, j + 1]
        bottom = (1 - u) * rays[i + 1, j] + u * rays[i + 1, j + 1]
        errors.append(((1 - v) * top + v * bottom - ray) * prepared.focal)
    assert len(errors) >= 8
    # Half a pixel off is the usual mistake.
    assert np.abs(np.mean(errors, axis=0)).max() < 0.1
    assert np.linalg.norm(errors, axis=1).max() < 0.5


def test_cells_beyond_the_image_are_not_used(frame_of):
    prepared = prepare_view(
        frame_of(LANDSCAPE), 0, plain=False, options=FillOptions(short_side=300), seed=1, stride=8
    )
    original = prepared.view.original_pixels(cell_pixels(*prepared.view.image.shape, stride=8))
    outside = ((original < 0) | (original > (400, 300))).any(axis=1)
    assert outside.any(), "a turned view must show corners"
    assert not prepared.usable[outside].any()
    assert prepared.usable[~outside].all()
    assert np.isfinite(prepared.rays).all()


def test_a_view_depends_on_its_seed_and_frame_alone(frame_of):
    frame, options = frame_of(LANDSCAPE), FillOptions(short_side=200)

    def view(index, seed):
        return prepare_view(frame, index, plain=False, options=options, seed=seed, stride=8).view

    np.testing.assert_array_equal(view(1, 2).image, view(1, 2).image)
    assert not np.array_equal(view(1, 2).original_from_view, view(2, 2).original_from_view)
    assert not np.array_equal(view(1, 2).original_from_view, view(1, 3).original_from_view)


def test_an_image_of_another_size_than_its_camera_is_refused(frame_of):
    frame = replace(frame_of(LANDSCAPE), camera=PORTRAIT)
    with pytest.raises(ImageError, match=r"400x300.*300x440"):
        prepare_view(frame, 0, plain=True, options=FillOptions(), seed=0, stride=8)


def test_poses_keep_their_digits_far_from_the_origin(frame_of):
    far = np.array([4.5e6, -3.2e6, 7.7e5])
    frame = frame_of(LANDSCAPE)
    pose = frame.world_from_cam.copy()
    pose[:3, 3] += far
    before = pose.copy()
    cam_from_world = centred_cam_from_world([replace(frame, world_from_cam=pose)], far)
    expected = inverted(frame.world_from_cam)[:3]
    np.testing.assert_allclose(cam_from_world[0].numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(pose, before)


def filler_of(frames, **options):
    extractor = FeatureExtractor(MeanBackbone(), device=torch.device("cpu"))
    return BufferFiller(
        frames, extractor, FillOptions(**{"short_side": 160, "cells_per_view": 100, **options})
    )


def buffer_of(frames, capacity):
    poses = centred_cam_from_world(frames, np.zeros(3))
    return FeatureBuffer.empty(capacity, channels=2, cam_from_world=poses, dtype=torch.float32)


def test_the_buffer_is_filled_from_all_frames(frame_of):
    frames = [frame_of(LANDSCAPE if n % 2 else PORTRAIT, n) for n in range(4)]
    buffer, told = buffer_of(frames, 10_000), []
    filler = filler_of(frames)
    views = filler.fill(
        buffer, max_views=8, progress=lambda stage, done, total: told.append((done, total))
    )
    assert views == 8
    assert buffer.count == 800
    assert torch.bincount(buffer.frames[:800].long()).tolist() == [200] * 4
    assert told == [(n, 8) for n in range(1, 9)]
    assert filler.skipped == []
    # Features are those of the cells: brightness from 0 to 1, and both channels of one cell.
    features = buffer.features[:800]
    assert 0 <= features[:, 0].min() < features[:, 0].max() <= 1
    torch.testing.assert_close(features[:, 1], 2 * features[:, 0], rtol=0.02, atol=0.0)


def test_drawn_features_belong_to_their_rays(tmp_path):
    """Brightness grows to the right of the photo, so it must grow with the ray's x."""
    camera = Camera.pinhole(width=320, height=240, fx=300)
    ramp = np.tile(np.linspace(0, 255, 320), (240, 1)).round().astype(np.uint8)
    frames = []
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), ramp)
        frames.append(Frame(f"{number}.png", tmp_path / f"{number}.png", camera, np.eye(4)))
    buffer = buffer_of(frames, 150)
    filler_of(frames).fill(buffer, max_views=2)
    expected = (buffer.rays[:, 0] * 300 + 160) / 320
    # The second frame's view is relit, so its levels lie on another line.
    for number in range(2):
        rows = buffer.frames[:150] == number
        x, y = expected[rows].numpy(), buffer.features[:150][rows, 0].float().numpy()
        clear = (y > 0.02) & (y < 0.98)
        slope, offset = np.polyfit(x[clear], y[clear], 1)
        assert 0.7 < slope < 1.3
        assert np.abs(slope * x + offset - y)[clear].max() < 0.02


def test_filling_ends_at_the_capacity_the_views_or_the_time(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    for capacity, limits, views in (
        (250, {}, 3),
        (700, {}, 7),
        (10_000, {"max_views": 4}, 4),
        (10_000, {"seconds": 0.0}, 1),
    ):
        buffer = buffer_of(frames, capacity)
        assert filler_of(frames).fill(buffer, **limits) == views
        assert buffer.count == min(capacity, 100 * views)


def test_the_same_seed_fills_the_same_buffer(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    filled = []
    for seed in (0, 0, 1):
        buffer = buffer_of(frames, 500)
        filler_of(frames, seed=seed).fill(buffer)
        filled.append(buffer)
    assert torch.equal(filled[0].features, filled[1].features)
    assert torch.equal(filled[0].rays, filled[1].rays)
    assert torch.equal(filled[0].frames, filled[1].frames)
    assert not torch.equal(filled[0].rays, filled[2].rays)


def test_every_fourth_view_of_a_frame_is_plain(frame_of):
    frames = [frame_of(LANDSCAPE, n) for n in range(2)]
    buffer = buffer_of(frames, 10_000)
    filler_of(frames).fill(buffer, max_views=16)
    focal = LANDSCAPE.focal * 160 / 300
    plain = [abs(f / focal - 1) < 1e-5 for f in buffer.focals[: buffer.count : 100].tolist()]
    frame = buffer.frames[: buffer.count : 100].tolist()
    assert sum(plain) == 4
    assert sorted(n for n, is_plain in zip(frame, plain, strict=True) if is_plain) == [0, 0, 1, 1]


def test_bad_images_are_skipped_once_and_named(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(5)]
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "3.png").unlink()
    frames[4] = replace(frames[4], camera=PORTRAIT)
    buffer = buffer_of(frames, 10_000)
    filler = filler_of(frames)
    assert filler.fill(buffer, max_views=6) == 6
    assert sorted(s.name for s in filler.skipped) == ["1.png", "3.png", "4.png"]
    assert all(s.reason and "\n" not in s.reason for s in filler.skipped)
    assert set(buffer.frames[: buffer.count].tolist()) == {0, 2}


def test_a_scene_without_usable_images_is_one_clear_error(frame_of, tmp_path):
    frames = [frame_of(LANDSCAPE, n) for n in range(3)]
    for frame in frames[:2]:
        frame.image.write_bytes(b"")
    with pytest.raises(SceneError, match=r"hardly any mapping image.*empty") as caught:
        filler_of(frames).fill(buffer_of(frames, 1000))
    assert "\n" not in str(caught.value)
    frames[2].image.unlink()
    with pytest.raises(SceneError, match="hardly any mapping image"):
        filler_of(frames).fill(buffer_of(frames, 1000))
