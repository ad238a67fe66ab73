"""Compressed maps: what a file keeps of them, and what their heads still know."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reloc.errors import OptionError
from reloc.heads import MlpHead
from reloc.maps import Region, SceneMap
from reloc.maps.compress import compressed
from reloc.maps.packing import BITS, GROUP, packed_matrix, unpacked_matrix


@pytest.fixture
def scene_map():
    torch.manual_seed(0)
    head = MlpHead(channels=32, width=160, blocks=1, scale=2.0).requires_grad_(False)
    return SceneMap(
        regions=(Region(head, np.zeros(3)),),
        backbone="toy",
        short_side=480,
        extent=3.0,
        unit="metre",
        cameras=(),
    )


def narrow_features(count=2000):
    """Features in a few of 32 directions, as those of a real place are."""
    generator = torch.Generator().manual_seed(1)
    mix = torch.randn(6, 32, generator=generator)
    return torch.randn(count, 6, generator=generator) @ mix


def output_change(before, after, features):
    with torch.no_grad():
        return float((before.head(features) - after.head(features)).norm(dim=1).mean())


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("columns", [1, 7, GROUP, GROUP + 3])
def test_integers_come_back_exactly(bits, columns):
    half = 2 ** (bits - 1)
    integers = torch.randint(-half, half, (5, columns))
    scales = torch.rand(5, -(-columns // GROUP)).half()
    packed = packed_matrix(integers, scales, bits=bits)
    assert packed.codes.nbytes == 5 * -(-columns * bits // 8)
    expected = integers * scales.float().repeat_interleave(GROUP, 1)[:, :columns]
    assert torch.equal(unpacked_matrix(packed, columns=columns, bits=bits), expected)


@pytest.mark.parametrize("columns", [6, 9, 500])
def test_parts_that_do_not_fit_are_refused(columns):
    packed = packed_matrix(torch.zeros(3, 7), torch.ones(3, 1), bits=8)
    with pytest.raises(ValueError, match="packing"):
        unpacked_matrix(packed, columns=columns, bits=8)


def test_more_bits_keep_more(scene_map):
    features = narrow_features()
    changes = [
        output_change(scene_map, compressed(scene_map, bits=bits), features) for bits in BITS
    ]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] < 0.05 * changes[0]


@pytest.mark.parametrize("bits", [3, 4])
def test_features_of_the_place_make_rounding_better(scene_map, bits):
    features = narrow_features()
    plain = compressed(scene_map, bits=bits)
    aware = compressed(scene_map, bits=bits, features=[features[:1000]])
    fresh = features[1000:]
    assert output_change(scene_map, aware, fresh) < 0.7 * output_change(scene_map, plain, fresh)


@pytest.mark.parametrize("bits", [3, 8])
def test_a_file_holds_exactly_the_compressed_head(scene_map, bits, tmp_path):
    scene_map.save(tmp_path / "whole")
    small = compressed(scene_map, bits=bits)
    small.save(tmp_path / "small")
    loaded = SceneMap.load(tmp_path / "small")
    assert loaded.info["bits"] == bits
    for a, b in zip(loaded.head.parameters(), small.head.parameters(), strict=True):
        if min(a.shape) >= 16 and a.ndim == 2:
            assert torch.equal(a, b)
    loaded.save(tmp_path / "again")
    again, before = load_file(tmp_path / "again"), load_file(tmp_path / "small")
    assert again.keys() == before.keys()
    assert all(torch.equal(again[name], before[name]) for name in again)
    share = (tmp_path / "small").stat().st_size / (tmp_path / "whole").stat().st_size
    assert bits / 16 < share < bits / 16 + 0.08
    original = next(scene_map.head.parameters())
    assert not torch.equal(original, next(small.head.parameters()))


def test_other_numbers_of_bits_are_refused(scene_map):
    with pytest.raises(OptionError, match="bits"):
        compressed(scene_map, bits=7)


def test_regions_get_their_own_features(scene_map):
    two = replace(scene_map, regions=scene_map.regions * 2)
    features = [narrow_features(), torch.randn(500, 32)]
    small = compressed(two, bits=4, features=features)
    first, second = small.regions
    assert not torch.equal(*(each.head.get_parameter("inlet.weight") for each in (first, second)))


@pytest.mark.parametrize(("regions", "kept"), [(1, 64), (2, 32), (8, 16)])
def test_as_many_views_are_left_as_a_place_is_found_by(scene_map, regions, kept):
    views = np.arange(64, dtype=np.int8)[:, None]
    region = replace(scene_map.regions[0], views=views)
    smaller = compressed(replace(scene_map, regions=(region,) * regions), bits=8)
    for region in smaller.regions:
        assert len(region.views) == kept
        assert (region.views[0], region.views[-1]) == (0, 63)
