"""``reloc film`` and ``reloc map --film``."""

import cv2
import pytest
import torch
from PIL import Image

from reloc.maps import SceneMap
from reloc.methods.ace.trainer import HeadsTrainer
from reloc.scenes import open_scene
from reloc.view.film import read_training_history, script

TOY = ("--method", "mlp", "--preset", "draft", "--device", "cpu", "--landmarks", "0")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for part in ("GROWING", "SHARPENING", "ARRIVING", "RESTING"):
        monkeypatch.setattr(script, part, 0.16)


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
    done = reloc("map", place, maps[0], *TOY, "--film", film)
    assert done.status == 0, done.err
    with Image.open(film) as image:
        assert getattr(image, "n_frames", 1) == 8
    assert reloc("map", place, maps[1], *TOY).status == 0
    filmed, plain = (dict(SceneMap.load(path).head.named_parameters()) for path in maps)
    assert all(torch.equal(filmed[name], plain[name]) for name in plain)


@pytest.mark.slow
def test_a_growth_is_kept_and_filmed_later(reloc, place, toy, tmp_path):
    made, growth, film = tmp_path / "m.safetensors", tmp_path / "growth", tmp_path / "pictures"
    done = reloc("map", place, made, *TOY, "--growth", growth)
    assert done.status == 0, done.err
    assert len(read_training_history(growth).snapshots) >= 2
    done = reloc("film", made, place, film, "--growth", growth, "--height", 90)
    assert done.status == 0, done.err
    assert len(list(film.glob("*.png"))) == 16
    query = tmp_path / "query.txt"
    query.write_text("\n".join(f.name for f in open_scene(place).mapping[1:]))
    other = reloc("film", made, place, tmp_path / "b.mp4", "--growth", growth, "--query", query)
    assert "other frames or poses" in other.refusal()


@pytest.mark.slow
def test_the_growth_of_an_interrupted_mapping_goes_on(reloc, place, toy, tmp_path, monkeypatch):
    made, growth = tmp_path / "m.safetensors", tmp_path / "growth"
    step = HeadsTrainer.step

    def interrupted(self, fraction):
        if fraction >= 0.5:
            raise KeyboardInterrupt
        return step(self, fraction)

    arguments = ("map", place, made, *TOY, "--growth", growth)
    monkeypatch.setattr(HeadsTrainer, "step", interrupted)
    assert reloc(*arguments).status == 1
    before = read_training_history(growth)
    # The fifth of ten steps is the last one; whether there was time to look at it, the clock says.
    assert before.snapshots[-1].fraction <= 0.5
    monkeypatch.setattr(HeadsTrainer, "step", step)
    done = reloc(*arguments, "--resume")
    assert done.status == 0, done.err
    after = read_training_history(growth)
    assert after.snapshots[: len(before.snapshots)] == before.snapshots
    assert after.snapshots[-1].fraction == 1


def test_a_bad_name_is_refused_before_any_work(reloc, place, made_map, tmp_path):
    assert "a film is .mp4" in reloc("film", made_map, place, tmp_path / "a.avi").refusal()
    refusal = reloc("map", place, tmp_path / "m", "--film", tmp_path / "a.avi").refusal()
    assert "a film is .mp4" in refusal
    assert not (tmp_path / "m").exists()
    height = reloc("film", made_map, place, tmp_path / "a.mp4", "--height", 9)
    assert "height" in height.refusal()
