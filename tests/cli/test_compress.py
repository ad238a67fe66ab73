"""``reloc compress``: smaller maps that still localize."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.maps import SceneMap

from ..maps.test_landmark_tensors import made_landmarks


@pytest.mark.parametrize("options", [(), ("--bits", 4, "--scene", "SCENE")])
def test_a_smaller_map_is_written(reloc, made_map, made_place, tmp_path, options):
    out = tmp_path / "small.safetensors"
    options = [made_place if option == "SCENE" else option for option in options]
    run = reloc("compress", made_map, out, *options)
    assert run.status == 0, run.err
    assert run.out.startswith(f"{out}: ")
    assert out.stat().st_size < 0.7 * made_map.stat().st_size
    small, whole = SceneMap.load(out), SceneMap.load(made_map)
    assert small.info["bits"] == (4 if options else 8)
    photo = made_place / "train" / "rgb" / "00003.jpg"
    assert '"localized": true' in reloc("localize", out, photo, "--device", "cpu").out
    np.testing.assert_array_equal(small.origin, whole.origin)


@pytest.mark.slow
def test_a_small_map_has_few_bits_and_fewer_landmarks(reloc, made_map, made_place, tmp_path):
    path, out = tmp_path / "whole.safetensors", tmp_path / "small.safetensors"
    whole = SceneMap.load(made_map)
    replace(whole, landmarks=made_landmarks(5000, around=whole.origin)).save(path)
    run = reloc("compress", path, out, "--small", "--scene", made_place)
    assert run.status == 0, run.err
    small = SceneMap.load(out)
    assert small.info["bits"] == 3
    assert small.landmarks is not None
    assert (len(small.landmarks), small.landmarks.bits) == (4000, 4)
    assert small.landmarks.descriptors.shape[1] == 24


def test_what_cannot_be_is_one_clear_line(reloc, made_map, small_scene, tmp_path):
    out = tmp_path / "small.safetensors"
    assert "bits" in reloc("compress", made_map, out, "--bits", 7).refusal()
    assert "no such map" in reloc("compress", tmp_path / "none", out).refusal()
    other = reloc("compress", made_map, out, "--bits", 4, "--scene", small_scene).refusal()
    assert "images" in other
    assert "--scene" in reloc("compress", made_map, out, "--small").refusal()
    assert not out.exists()
