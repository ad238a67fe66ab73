"""``reloc localize --overlay``."""

import json
from dataclasses import replace

import pytest

from reloc.images.files import read_image
from reloc.maps import SceneMap


@pytest.mark.slow
def test_each_image_gets_its_proof(reloc, place, made_map, tmp_path):
    photos = sorted((place / "train" / "rgb").iterdir())[:2]
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / photos[0].name
    twin.write_bytes(photos[0].read_bytes())
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    out = tmp_path / "proofs"
    done = reloc("localize", made_map, *photos, broken, twin, "--overlay", out)
    assert done.status == 0, done.err
    assert len([json.loads(line) for line in done.out.splitlines()]) == 4
    first, second = (photo.name for photo in photos)
    assert {p.name for p in out.iterdir()} == {
        f"{first}.jpg", f"{second}.jpg", f"{first}-2.jpg"
    }  # fmt: skip
    assert read_image(out / f"{first}.jpg").shape == read_image(photos[0]).shape
    assert (read_image(out / f"{first}.jpg") == read_image(out / f"{first}-2.jpg")).all()


@pytest.mark.slow
def test_a_map_keeps_points_for_pictures(made_map):
    preview = SceneMap.load(made_map).preview
    assert preview is not None
    assert 100 < len(preview.points) <= 3000


def test_a_map_without_points_says_what_to_do(reloc, place, made_map, tmp_path):
    bare = tmp_path / "bare.safetensors"
    replace(SceneMap.load(made_map), preview=None).save(bare)
    photo = next((place / "test" / "rgb").iterdir())
    message = reloc("localize", bare, photo, "--overlay", tmp_path / "out").refusal()
    assert str(bare) in message
    assert "map the scene again" in message
