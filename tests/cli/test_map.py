"""``reloc map``: from a folder to a map, through every kind of bad input and interruption."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reloc.errors import OutputError
from reloc.maps import SceneMap
from reloc.methods.ace import PRESETS
from reloc.methods.ace.trainer import HeadsTrainer
from reloc.training import loop

from .conftest import TOY

# A mapping whose steps wait, and which checkpoints after each, in a process that can be killed.
# Jobs that a shell started in the background ignore SIGINT, and so would what they start.
SLOW = """
import json, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from reloc.cli.main import main
from reloc.methods.ace import PRESETS, MappingOptions
from reloc.methods.ace.trainer import HeadsTrainer
from reloc.training import loop

step = HeadsTrainer.step

def slow(self, fraction):
    step(self, fraction)
    time.sleep(0.3)

HeadsTrainer.step = slow
loop.CHECKPOINT_SECONDS = 0.0
PRESETS["draft"] = MappingOptions(**json.loads(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def mapped(reloc, toy, tmp_path):
    """Maps a scene with the toy preset, without landmarks where a test is not about them."""

    def mapped(scene, *options, landmarks=0, out=tmp_path / "map.safetensors"):
        toy = ("--method", "mlp", "--preset", "draft", "--device", "cpu", "--landmarks", landmarks)
        return reloc("map", scene, out, *toy, *options)

    return mapped


def pose_file(place, number):
    return place / "train" / "poses" / f"{number:05d}.txt"


def image_file(place, number):
    return place / "train" / "rgb" / f"{number:05d}.jpg"


def write_pose(place, number, pose):
    np.savetxt(pose_file(place, number), pose)


def test_a_map_is_written_and_told(mapped, made_place, tmp_path):
    metrics = tmp_path / "new" / "metrics.jsonl"
    run = mapped(made_place, "--json-log", metrics, landmarks=10_000)
    assert run.status == 0, run.err
    path = tmp_path / "map.safetensors"
    assert run.out.startswith(f"{path}: 7 frames, 10 steps, ")
    assert "features: 4/4" in run.err
    assert "training: 10/10" in run.err
    assert SceneMap.load(path).info["frames"] == 7
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.safetensors", "new"]
    told = " ".join(run.out.split())
    assert "of 7 frames left out found to 25 cm and 5 deg" in told
    assert told.endswith("cut short by the limit of steps")
    assert SceneMap.load(path).held_back.way == "left out"
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert {row["stage"] for row in rows} == {
        "features",
        "depth",
        "point cloud",
        "checking",
        "keypoints",
        "matching",
        "views",
        "training",
    }
    assert all({"seconds", "stage", "done", "total"} <= set(row) for row in rows)
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert any({"loss", "median_px", "inliers"} <= set(row) for row in rows)


def test_a_map_without_landmarks_and_wishes_are_told(mapped, made_place):
    run = mapped(made_place)
    assert "; not measured" in " ".join(run.out.split())
    assert "say for instance" in mapped(made_place, "--until", "good").refusal()


@pytest.mark.parametrize("option", [("--heads", 0), ("--heads", 10**6), ("--width", 0)])
def test_impossible_heads_are_refused(mapped, made_place, option):
    assert option[0][2:] in mapped(made_place, *option).refusal()


@pytest.mark.slow
def test_a_place_parted_among_heads_is_told(mapped, place, tmp_path):
    for number in range(7):  # enough frames for two heads
        for kind in ("rgb", "poses", "calibration"):
            (source,) = (place / "train" / kind).glob(f"{number:05d}.*")
            target = source.with_name(f"1{source.name[1:]}")
            shutil.copy(source, target)
    run = mapped(place, "--heads", 2, "--width", 16, "--blocks", 0)
    assert run.status == 0, run.err
    assert ": 14 frames, 2 heads, 20 steps, " in run.out
    made = SceneMap.load(tmp_path / "map.safetensors")
    assert [region.head.width for region in made.regions] == [16, 16]
    assert mapped(place, "--heads", "auto", "--quiet").status == 0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_map(mapped, made_place, tmp_path):
    outs = [tmp_path / name for name in "abc"]
    for out, seed in zip(outs, (4, 4, 5), strict=True):
        assert mapped(made_place, "--seed", seed, "--quiet", out=out).err == ""
    one, same, other = map(load_file, outs)
    assert one.keys() == same.keys()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_time_limit_is_kept_to(mapped, made_place, tmp_path, monkeypatch):
    # The processor's own, so that others who work on the machine do not matter, and run fast.
    monkeypatch.setattr(time, "monotonic", lambda: 4 * time.process_time())
    assert mapped(made_place, "--time-limit", 5, "--buffer-gb", 0.01).status == 0
    info = SceneMap.load(tmp_path / "map.safetensors").info
    assert sum(info["seconds"].values()) < 10
    assert info["steps"] > 10


def test_a_query_list_holds_images_back(mapped, place, tmp_path):
    (place / "back.txt").write_text("train/rgb/00000.jpg\n")
    assert mapped(place, "--query", place / "back.txt").status == 0
    names = {c.name for c in SceneMap.load(tmp_path / "map.safetensors").cameras}
    assert "train/rgb/00001.jpg" in names
    assert "train/rgb/00000.jpg" not in names


BAD_POSES = {
    "nan": np.diag([1, np.nan, 1, 1]),
    "infinite": np.array([[1, 0, 0, np.inf], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    "no rotation": np.diag([1.0, 2.0, 1.0, 1.0]),
    "mirrored": np.diag([1.0, 1.0, -1.0, 1.0]),
}


@pytest.mark.parametrize(
    "kind",
    ["nan", *(pytest.param(kind, marks=pytest.mark.slow) for kind in [*BAD_POSES][1:])],
)
def test_frames_with_bad_poses_are_skipped_counted_and_shown(mapped, place, kind):
    write_pose(place, 2, BAD_POSES[kind])
    run = mapped(place)
    assert run.status == 0, run.err
    assert "note: 1 frames: skipped, for instance train/rgb/00002.jpg: " in run.out
    assert ": 6 frames, " in run.out


def test_frames_with_bad_images_are_skipped_counted_and_shown(mapped, place):
    whole = image_file(place, 1).read_bytes()
    image_file(place, 1).write_bytes(whole[: len(whole) // 2])  # found out when it is decoded
    image_file(place, 2).write_bytes(b"")
    run = mapped(place)
    assert run.status == 0, run.err
    assert "note: 1 frames: skipped, for instance train/rgb/00002.jpg: the file is empty" in run.out
    assert "skipped train/rgb/00001.jpg: " in run.out
    assert "cut short" in run.out
    assert ": 5 frames, " in run.out


@pytest.mark.slow
def test_frames_without_calibration_are_skipped_counted_and_shown(mapped, place):
    (place / "train" / "calibration" / "00003.txt").unlink()
    run = mapped(place)
    assert "skipped, for instance train/rgb/00003.jpg: no calibration" in run.out
    assert ": 6 frames, " in run.out


def transforms(place, names, *, width=160, height=120):
    """The scene as a transforms.json of some of its images, in a folder of its own."""
    root = place.with_name("turned")
    shutil.copytree(place / "train" / "rgb", root / "rgb")
    frames = [
        {
            "file_path": f"rgb/{name}",
            "transform_matrix": np.loadtxt(pose_file(place, int(name[:5]))).tolist(),
        }
        for name in names
    ]
    camera = {"w": width, "h": height, "fl_x": 131, "fl_y": 131, "cx": width / 2, "cy": height / 2}
    (root / "transforms.json").write_text(json.dumps({**camera, "frames": frames}))
    return root


@pytest.mark.slow
def test_duplicate_names_count_once(mapped, place):
    names = [f"{n:05d}.jpg" for n in range(7)]
    run = mapped(transforms(place, [*names, names[0]]))
    assert run.status == 0, run.err
    assert "another frame has the same name" in run.out
    assert ": 7 frames, " in run.out


def test_cameras_of_another_shape_are_refused(mapped, place):
    root = transforms(place, [f"{n:05d}.jpg" for n in range(7)], width=120, height=160)
    message = mapped(root).refusal()
    assert str(root) in message
    assert "120x160" in message
    assert "160x120" in message


def test_too_few_frames_are_refused(mapped, place):
    for number in range(3, 7):
        pose_file(place, number).unlink()
    message = mapped(place).refusal()
    assert str(place) in message
    assert "3 usable mapping frames" in message
    assert "at least 5" in message


def test_one_spot_is_refused(mapped, place):
    for number in range(7):
        write_pose(place, number, np.eye(4))
    message = mapped(place).refusal()
    assert "one spot" in message
    assert "add frames" in message


def test_all_images_broken_late_is_refused(mapped, place, tmp_path):
    for number in range(7):
        whole = image_file(place, number).read_bytes()
        image_file(place, number).write_bytes(whole[: len(whole) // 2])
    assert "hardly any mapping image" in mapped(place).refusal()
    assert not (tmp_path / "map.safetensors").exists()


@pytest.mark.slow
def test_black_images_end_in_a_map_or_one_line(mapped, place):
    for number in range(7):
        cv2.imwrite(str(image_file(place, number)), np.zeros((120, 160, 3), np.uint8))
    run = mapped(place)
    assert run.status == 0 or run.refusal()


def test_no_scene_and_no_backbone_are_refused(mapped, made_place, tmp_path):
    assert "no such folder" in mapped(tmp_path / "nowhere").refusal()
    assert "no known scene layout" in mapped(tmp_path).refusal()
    assert "no such backbone" in mapped(made_place, "--backbone", tmp_path / "gone").refusal()
    (tmp_path / "bad").write_bytes(b"no backbone")
    assert str(tmp_path / "bad") in mapped(made_place, "--backbone", tmp_path / "bad").refusal()


@pytest.mark.parametrize(
    "option",
    ["--seed=-1", "--time-limit=1", "--time-limit=nan", "--buffer-gb=0", "--device=abacus"],
)
def test_impossible_options_are_refused(mapped, made_place, option):
    mapped(made_place, option).refusal()


def test_an_output_that_is_a_folder_or_below_a_file_is_refused(
    mapped, made_place, tmp_path, monkeypatch
):
    assert "name a file" in mapped(made_place, out=tmp_path).refusal()
    monkeypatch.chdir(tmp_path)
    assert "name a file" in mapped(made_place, out=".").refusal()
    (tmp_path / "file").write_text("whole")
    message = mapped(made_place, out=tmp_path / "file" / "map").refusal()
    assert str(tmp_path / "file" / "map") in message
    assert (tmp_path / "file").read_text() == "whole"


def test_metrics_that_cannot_be_written_are_refused(mapped, made_place, tmp_path):
    (tmp_path / "file").write_text("whole")
    path = tmp_path / "file" / "metrics"
    assert str(path) in mapped(made_place, "--json-log", path).refusal()


def test_a_disk_that_is_full_at_the_end_leaves_the_old_map(
    mapped, made_place, tmp_path, monkeypatch
):
    out = tmp_path / "map.safetensors"
    out.write_bytes(b"the old map")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = mapped(made_place).refusal()
    assert str(out) in message
    assert "space" in message
    assert out.read_bytes() == b"the old map"
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_features_that_find_no_room_are_told_before_any_work(
    mapped, made_place, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    message = mapped(made_place, "--buffer-gb", 1e-6).refusal()
    assert "TMPDIR" in message


@pytest.mark.slow
def test_a_full_disk_leaves_no_pieces(mapped, made_place, tmp_path, monkeypatch, small_files):
    monkeypatch.setitem(PRESETS, "draft", replace(PRESETS["draft"], width=128))
    out = tmp_path / "map.safetensors"
    with small_files(50_000):
        run = mapped(made_place)
    assert run.refusal().startswith(f"{out}: cannot be written (File too")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_mapping_goes_on(reloc, made_place, tmp_path, monkeypatch, name):
    out, partial = tmp_path / "map.safetensors", tmp_path / "map.safetensors.partial"
    command = [
        "map",
        str(made_place),
        str(out),
        "--method",
        "mlp",
        "--preset",
        "draft",
        "--device",
        "cpu",
        "--landmarks",
        "0",
    ]
    options = replace(TOY, steps=60)
    job = subprocess.Popen(
        [sys.executable, "-c", SLOW, json.dumps(asdict(options)), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not partial.exists():
        assert job.poll() is None, job.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    job.send_signal(getattr(signal, name))
    _, err = job.communicate(timeout=60)
    assert partial.exists()
    assert not out.exists()
    if name != "SIGKILL":
        assert job.returncode == {"SIGINT": 1, "SIGTERM": 143}[name]
        assert err.splitlines()[-1] == (
            "reloc: interrupted; the same command with --resume goes on"
        )
    done = torch.load(partial, weights_only=True)["trainers"][0]["steps"]
    assert 0 < done < options.steps
    monkeypatch.setitem(PRESETS, "draft", options)
    run = reloc(*command, "--resume", "--json-log", tmp_path / "metrics")
    assert run.status == 0, run.err
    assert SceneMap.load(out).info["steps"] == options.steps
    trained = [json.loads(line) for line in (tmp_path / "metrics").read_text().splitlines()]
    assert min(row["done"] for row in trained if row["stage"] == "training") > done
    assert not partial.exists()
    assert not list(tmp_path.glob(".*"))


def same_maps(*paths):
    one, *others = map(load_file, paths)
    return all(torch.equal(one[name], other[name]) for other in others for name in one)


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("reloc.methods.completion.with_preview", KeyboardInterrupt),
        pytest.param("reloc.cli.map_.write_training_history", OutputError, marks=pytest.mark.slow),
        pytest.param("reloc.cli.map_.make_film", KeyboardInterrupt, marks=pytest.mark.slow),
    ],
)
def test_training_that_is_done_is_not_lost_to_what_comes_after(
    mapped, made_place, tmp_path, monkeypatch, where, error
):
    whole, out = tmp_path / "whole", tmp_path / "map.safetensors"
    partial = tmp_path / "map.safetensors.partial"
    options = ("--growth", tmp_path / "growth", "--film", tmp_path / "film.gif", "--quiet")
    assert mapped(made_place, out=whole).status == 0
    with monkeypatch.context() as patch:

        def ended(*arguments, **named):
            raise error("no room")

        patch.setattr(where, ended)
        run = mapped(made_place, *options)
    assert run.status == (1 if error is KeyboardInterrupt else 2)
    (line,) = run.err.splitlines()
    assert line.endswith("no room; the same command with --resume goes on")
    assert partial.exists()
    assert out.exists() == where.endswith("make_film"), "a film that failed does not cost the map"
    monkeypatch.setattr(HeadsTrainer, "step", None)
    assert mapped(made_place, "--resume").status == 0
    assert same_maps(out, whole)
    assert not partial.exists()


@pytest.fixture
def own_signals():
    """Leaves the handlers of the test run as they were."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_a_second_interruption_while_saving_destroys_nothing(
    mapped, made_place, tmp_path, monkeypatch, own_signals
):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "scratch").mkdir()
    step, fsync, steps = HeadsTrainer.step, os.fsync, []

    def interrupted(self, fraction):
        step(self, fraction)
        steps.append(fraction)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    def again(handle):
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        fsync(handle)

    monkeypatch.setattr(HeadsTrainer, "step", interrupted)
    monkeypatch.setattr(os, "fsync", again)
    run = mapped(made_place, "--quiet")
    assert run.status == 1
    assert run.err == "reloc: interrupted; the same command with --resume goes on\n"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["map.safetensors.partial", "scratch"]
    assert not any((tmp_path / "scratch").iterdir())
    steps.clear()
    assert mapped(made_place, "--resume").status == 0
    assert len(steps) == 5, "what was saved after the fifth step is whole"


@pytest.mark.skipif(sys.platform != "linux", reason="a device of Linux")
def test_a_full_disk_under_the_log_ends_in_one_line_and_goes_on(mapped, made_place, tmp_path):
    message = mapped(made_place, "--json-log", "/dev/full").refusal()
    assert message.startswith("/dev/full: cannot be written (No space")
    assert not (tmp_path / "map.safetensors").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no links there")
def test_a_link_keeps_its_target_and_a_device_stays_one(mapped, made_place, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert mapped(made_place, out=tmp_path / "link").status == 0
    assert SceneMap.load(tmp_path / "real").info["frames"] == 7
    assert (tmp_path / "link").is_symlink()
    assert mapped(made_place, out=os.devnull).status == 0
    assert Path(os.devnull).is_char_device()
    assert not Path(f"{os.devnull}.partial").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused(mapped, made_place, tmp_path, content):
    partial = tmp_path / "map.safetensors.partial"
    partial.write_bytes(content)
    message = mapped(made_place, "--resume").refusal()
    assert str(partial) in message
    assert "without --resume" in message


@pytest.mark.slow
def test_resume_without_a_checkpoint_starts(mapped, made_place, tmp_path):
    assert mapped(made_place, "--resume").status == 0
    assert (tmp_path / "map.safetensors").exists()
