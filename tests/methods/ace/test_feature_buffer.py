"""The feature buffer keeps rows together and never overflows."""

import errno
import os
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reloc.errors import OutputError
from reloc.methods.ace import feature_buffer
from reloc.methods.ace.feature_buffer import FeatureBuffer, empty_buffer


def empty(capacity, **options):
    return FeatureBuffer.empty(capacity, channels=3, cam_from_world=torch.zeros(4, 3, 4), **options)


def view(start, count):
    """Rows whose numbers tell where they came from."""
    rows = torch.arange(start, start + count, dtype=torch.float32)
    return rows[:, None].expand(-1, 3) / 8, rows[:, None].expand(-1, 2) * 0.5


def test_rows_stay_together():
    buffer = empty(20, dtype=torch.float32)
    assert (buffer.capacity, buffer.count) == (20, 0)
    buffer.append(*view(0, 8), 500.0, 2)
    buffer.append(*view(100, 5), 300.0, 3)
    assert buffer.count == 13
    rows = torch.tensor([*range(8), *range(100, 105)], dtype=torch.float32)
    assert torch.equal(buffer.features[:13, 1], rows / 8)
    assert torch.equal(buffer.seen[:13, 0], rows * 0.5)
    assert buffer.seen[:13, 2].tolist() == [500.0] * 8 + [300.0] * 5
    assert buffer.frames[:13].tolist() == [2] * 8 + [3] * 5


def test_what_does_not_fit_is_dropped():
    buffer = empty(10)
    buffer.append(*view(0, 8), 500.0, 0)
    buffer.append(*view(8, 8), 400.0, 1)
    assert buffer.count == 10
    assert buffer.seen[:, 2].tolist() == [500.0] * 8 + [400.0] * 2
    buffer.append(*view(50, 8), 300.0, 2)
    assert buffer.count == 10
    assert 2 not in buffer.frames


def test_an_empty_view_adds_nothing():
    buffer = empty(10)
    buffer.append(*view(0, 0), 500.0, 0)
    assert buffer.count == 0


def test_features_are_kept_in_half_precision_and_rays_in_full():
    buffer = empty(4)
    assert buffer.features.dtype == torch.bfloat16
    assert buffer.seen.dtype == torch.float32


def test_features_may_live_in_a_file(tmp_path):
    storage = torch.from_file(str(tmp_path / "f"), shared=True, size=30, dtype=torch.bfloat16)
    buffer = empty(10, features=storage.view(10, 3))
    features, rays = view(0, 6)
    buffer.append(features, rays, 500.0, 0)
    del buffer
    again = torch.from_file(str(tmp_path / "f"), shared=True, size=30, dtype=torch.bfloat16)
    assert torch.equal(again.view(10, 3)[:6, 0].float(), torch.arange(6) / 8)


def test_depth_is_known_only_where_it_was_given():
    buffer = empty(20, dtype=torch.float32)
    first = buffer.append(*view(0, 4), 500.0, 0)
    second = buffer.append(*view(4, 4), 500.0, 1, torch.tensor([0.5, 0.0, 0.25, 2.0]))
    assert (first, second) == (slice(0, 4), slice(4, 8))
    assert buffer.seen[:8, 3].tolist() == [0.0] * 4 + [0.5, 0.0, 0.25, 2.0]


@pytest.mark.parametrize(("free", "kept_on"), [(100_000, "meta"), (20_000, "cpu")])
def test_features_that_a_device_has_no_room_for_stay_with_the_host(
    free, kept_on, tmp_path, monkeypatch
):
    """1000 rows of 22 bytes; the rest of a row is small and is always on the device."""
    monkeypatch.setattr(feature_buffer, "free_memory", lambda device: free)
    extractor: Any = SimpleNamespace(channels=3, dtype=torch.float16, device=torch.device("meta"))
    buffer = empty_buffer(
        torch.zeros(4, 3, 4), extractor, rows=1000, memory_gb=1.0, scratch=tmp_path
    )
    assert buffer.features.device.type == kept_on
    assert buffer.features.dtype == torch.float16
    assert buffer.seen.device.type == "meta"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no room can be taken there")
def test_a_file_takes_its_room_before_features_do(tmp_path, monkeypatch):
    extractor: Any = SimpleNamespace(channels=3, dtype=torch.float32, device=torch.device("cpu"))
    arguments: dict[str, Any] = {"rows": 1000, "memory_gb": 1e-9, "scratch": tmp_path}
    buffer = empty_buffer(torch.zeros(4, 3, 4), extractor, **arguments)
    features, rays = view(0, 6)
    buffer.append(features, rays, 500.0, 0)
    assert (tmp_path / "features").stat().st_blocks * 512 >= 1000 * 3 * 2

    def full(handle, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match=r"No space left.*TMPDIR") as caught:
        empty_buffer(torch.zeros(4, 3, 4), extractor, **arguments)
    assert str(caught.value).startswith(f"{tmp_path.parent}: ")
