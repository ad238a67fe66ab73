"""Episodes from rendered rooms: they repeat, and their coordinates are those of the rooms."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from reloc.backbone.meta.rooms import EpisodeOptions, RoomEpisodes
from reloc.geometry import inverted
from reloc.synthetic import TrainingViews, write_views

OPTIONS = EpisodeOptions(rooms=2, queries=1, cells=10, anchors=12)


@pytest.fixture
def source(tmp_path):
    """Three rooms of four views of 32 pixels, each 2 m in front of a wall."""
    rng = np.random.default_rng(0)
    for room in range(3):
        poses = np.stack([np.eye(4)] * 4)
        poses[:, :3, 3] = rng.uniform(-1, 1, (4, 3))
        views = TrainingViews(
            images=rng.integers(0, 256, (4, 32, 32), dtype=np.uint8),
            depths=np.full((4, 32, 32), 2.0, np.float32),
            intrinsics=np.tile([30.0, 30.0, 16.0, 16.0], (4, 1)),
            world_from_cam=poses,
            pairs=np.zeros((0, 2), np.int64),
            overlaps=np.zeros(0, np.float32),
        )
        write_views(tmp_path / f"room-{room:06d}-4.npz", views)
    calls: Counter[bytes] = Counter()

    def grid_of(image):
        calls[image.tobytes()] += 1
        return torch.from_numpy(image[::8, ::8].astype(np.float32))[..., None].expand(4, 4, 5)

    made: Any = RoomEpisodes(tmp_path, rooms=3, grid_of=grid_of, views=4)
    made.calls = calls
    return made


def test_an_episode_repeats_and_others_differ(source):
    first, again, other = (source.episode(seed, OPTIONS) for seed in (4, 4, 5))
    assert (len(first.support), len(first.queries)) == (6, 2)
    for a, b in zip(first.support, again.support, strict=True):
        torch.testing.assert_close(a().coordinates, b().coordinates)
    assert not torch.equal(first.support[0]().inputs, other.support[0]().inputs)
    assert max(source.calls.values()) == 1


def test_support_has_the_anchors_and_queries_none(source):
    episode = source.episode(1, OPTIONS)
    assert sum(len(image().anchors) for image in episode.support) == 12
    assert all(len(image().anchors) == 0 for image in episode.queries)


def test_coordinates_reproject_to_the_cells_they_were_taken_from(source):
    for image in source.episode(2, OPTIONS).support:
        rows = image()
        pose = source.room(image.room).world_from_cam[image.view]
        points = rows.coordinates.double().numpy() - image.offset
        local = points @ inverted(pose)[:3, :3].T + inverted(pose)[:3, 3]
        np.testing.assert_allclose(local[:, 2], 2, atol=1e-3)
        pixels = 30 * local[:, :2] / local[:, 2:] + 16
        cells = np.round((pixels - 4) / 8).astype(int)
        np.testing.assert_allclose(pixels, 8 * cells + 4, atol=1e-2)
        grid = source.grid(image.room, image.view)
        torch.testing.assert_close(rows.inputs, grid[cells[:, 1], cells[:, 0]].float())
        np.testing.assert_allclose(rows.pixels, 15)
