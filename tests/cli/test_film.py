"""``reloc film`` and ``reloc map --film``."""

import cv2
import pytest
import torch
from PIL import Image

from reloc.maps import SceneMap
from reloc.view.film import script


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for part in ("GROWING", "SHARPENING", "ARRIVING", "RESTING"):
        monkeypatch.setattr(script, part, 0.16)


@pytest.mark.slow
def test_a_finished_map_is_filmed(reloc, place, made_map, tmp_path):
    out = tmp_path / "place.mp4"
    done = reloc("film", made_map, place, out, "--height", 90)
    assert done.status == 0, done.err
    assert done.out.startswith(f"{out}: filmed, ")
    assert "film: 12/12" in done.err
    video = cv2.VideoCapture(str(out))
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (160, 90)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 12


@pytest.mark.slow
def test_a_mapping_is_filmed_and_the_map_is_the_same(reloc, place, toy, tmp_path):
    film = tmp_path / "place.gif"
    maps = [tmp_path / "filmed.safetensors", tmp_path / "plain.safetensors"]
    arguments = ("--preset", "draft", "--device", "cpu")
    done = reloc("map", place, maps[0], *arguments, "--film", film)
    assert done.status == 0, done.err
    with Image.open(film) as image:
        assert image.n_frames == 8
    assert reloc("map", place, maps[1], *arguments).status == 0
    filmed, plain = (dict(SceneMap.load(path).head.named_parameters()) for path in maps)
    assert all(torch.equal(filmed[name], plain[name]) for name in plain)


def test_a_bad_name_is_refused_before_any_work(reloc, place, made_map, tmp_path):
    assert "a film is .mp4" in reloc("film", made_map, place, tmp_path / "a.avi").refusal()
    refusal = reloc("map", place, tmp_path / "m", "--film", tmp_path / "a.avi").refusal()
    assert "a film is .mp4" in refusal
    assert not (tmp_path / "m").exists()
    height = reloc("film", made_map, place, tmp_path / "a.mp4", "--height", 9)
    assert "height" in height.refusal()
