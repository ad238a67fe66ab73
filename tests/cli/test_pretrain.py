"""``reloc pretrain``, at the size of a toy."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from reloc.backbone import load_backbone
from reloc.backbone.pretrain.contrast import Contrast
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.cli import pretrain as module

SIZE = ("--size", 64, "--pairs", 2, "--device", "cpu")


@pytest.fixture
def photos(tmp_path):
    """Three photos, one unreadable file, one image that is too small."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), cv2.resize(noise, (192, 144)))
    (folder / "broken.jpg").write_bytes(b"no image")
    cv2.imwrite(str(folder / "small.png"), np.zeros((20, 20, 3), np.uint8))
    return folder


@pytest.fixture
def small_network(monkeypatch):
    """A network of a few weights and a checkpoint after every step."""

    def options(**given):
        return PretrainOptions(**given, width=8, channels=8, checkpoint_every=1)

    monkeypatch.setattr(module, "PretrainOptions", options)


def steps_of(out):
    return [json.loads(line)["done"] for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_backbone_of_photos_is_written(reloc, small_network, photos, tmp_path):
    out = tmp_path / "out"
    arguments = ("pretrain", out, "--photos", photos, "--mix", "photos=1", "--steps", 2, *SIZE)
    run = reloc(*arguments)
    assert run.status == 0, run.err
    backbone = load_backbone(out / "backbone.safetensors")
    assert backbone.channels == 8
    assert run.out.rstrip().endswith(f"fingerprint {backbone.fingerprint}")
    assert steps_of(out) == [1, 2]
    assert not (out / "rooms").exists()
    again = reloc("pretrain", tmp_path / "again", *arguments[2:], "--quiet")
    assert again.err == ""
    assert again.out.rstrip().endswith(f"fingerprint {backbone.fingerprint}")
    run = reloc("pretrain", tmp_path / "rounded", *arguments[2:], "--bits", 8, "--quiet")
    assert run.status == 0, run.err
    assert load_backbone(tmp_path / "rounded/backbone.safetensors").fingerprint in run.out
    assert backbone.fingerprint not in run.out


@pytest.mark.slow
def test_training_goes_on_after_an_interruption(
    reloc, small_network, photos, tmp_path, monkeypatch
):
    options = ("--photos", photos, "--mix", "photos=1", "--steps", 3, *SIZE)
    whole = reloc("pretrain", tmp_path / "whole", *options)
    steps = iter(range(10))
    loss = Contrast.loss

    def stopped(*args):
        if next(steps) == 2:
            raise KeyboardInterrupt
        return loss(*args)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Contrast, "loss", stopped)
        assert reloc("pretrain", out, *options).status == 1
    assert (out / "checkpoint.pt").exists()
    assert not (out / "backbone.safetensors").exists()
    run = reloc("pretrain", out, *options, "--resume")
    assert run.status == 0, run.err
    assert run.out.rsplit(" ", 1)[1] == whole.out.rsplit(" ", 1)[1]
    assert steps_of(out) == [1, 3]


def test_resuming_with_other_options_is_refused(reloc, small_network, photos, tmp_path):
    options = ("--photos", photos, "--mix", "photos=1", *SIZE)
    assert reloc("pretrain", tmp_path / "out", *options, "--steps", 1).status == 0
    run = reloc("pretrain", tmp_path / "out", *options, "--steps", 2, "--resume")
    assert "other options" in run.refusal()


@pytest.mark.slow
def test_rooms_are_rendered_once(reloc, small_network, tmp_path):
    options = ("--rooms", 1, "--steps", 1, *SIZE)
    assert reloc("pretrain", tmp_path / "out", *options).status == 0
    (room,) = (tmp_path / "out" / "rooms").iterdir()
    before = room.stat().st_mtime_ns
    assert reloc("pretrain", tmp_path / "out", *options).status == 0
    assert room.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "options",
    [
        ("--mix", "photos"),
        ("--mix", "photos=-1"),
        ("--mix", "photos=nan"),
        ("--mix", "dreams=1"),
        ("--mix", "photos=0"),
        ("--mix", "photos=1,scenes=1"),
        ("--rooms", 0),
        ("--steps", 0),
        ("--pairs", 0),
        ("--size", 8),
        ("--seed", -1),
        ("--device", "abacus"),
    ],
)
def test_impossible_options_are_refused(reloc, photos, tmp_path, options):
    name, value = options
    share = () if name in ("--mix", "--rooms") else ("--mix", "photos=1")
    given = () if name == "--rooms" else ("--photos", photos)
    reloc("pretrain", tmp_path / "out", *given, *share, f"{name}={value}").refusal()


def test_a_folder_without_photos_is_refused(reloc, tmp_path):
    (tmp_path / "empty").mkdir()
    run = reloc("pretrain", tmp_path / "out", "--photos", tmp_path / "empty", "--mix", "photos=1")
    assert str(tmp_path / "empty") in run.refusal()


@pytest.fixture(scope="module")
def room(made_scene):
    return made_scene(mapping=12, queries=2)


@pytest.mark.slow
def test_a_posed_scene_is_learned_from(reloc, small_network, room, photos, tmp_path):
    mix = ("--scenes", room, "--photos", photos, "--mix", "scenes=2,photos=1")
    run = reloc("pretrain", tmp_path / "out", *mix, "--steps", 2, *SIZE)
    assert run.status == 0, run.err
    assert (tmp_path / "out" / "backbone.safetensors").exists()
    assert not (tmp_path / "out" / "rooms").exists()


def test_sources_are_mixed_by_weight():
    given = {"photos": True, "rooms": True, "scenes": False}
    assert module.mix_weights(None, given) == {"photos": 1, "rooms": 1, "scenes": 0}
    assert module.mix_weights("rooms=2.5", given) == {"photos": 0, "rooms": 2.5, "scenes": 0}
    assert module.mix_weights("rooms=1, photos=3", given)["photos"] == 3


@pytest.mark.slow
def test_torchrun_shares_the_work(photos, tmp_path):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    arguments = ("pretrain", tmp_path / "out", "--photos", photos, "--mix", "photos=1")
    command = (*torchrun, "--nproc-per-node", 2, "-m", "reloc", *arguments, "--steps", 1, *SIZE)
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fingerprint") == 1
    assert steps_of(tmp_path / "out") == [1]


@pytest.mark.slow
def test_scene_coordinates_of_rooms_are_an_objective_of_their_own(reloc, small_network, tmp_path):
    options = ("--objective", "coordinates", "--rooms", 1, "--steps", 2, *SIZE)
    run = reloc("pretrain", tmp_path / "out", *options)
    assert run.status == 0, run.err
    assert load_backbone(tmp_path / "out" / "backbone.safetensors").fingerprint in run.out


def test_photos_have_no_scene_coordinates(reloc, photos, tmp_path):
    run = reloc("pretrain", tmp_path, "--objective", "coordinates", "--photos", photos)
    assert "--objective coordinates" in run.refusal()
