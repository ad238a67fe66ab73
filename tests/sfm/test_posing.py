"""Photos to posed frames: against the poses they were rendered from, and through interruptions."""

import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError, OptionError, OutputError, SceneError
from reloc.geometry.plan import up_direction
from reloc.images.files import write_image
from reloc.scenes import open_scene, poses_of
from reloc.sfm import posing, seeing
from reloc.sfm.captures import capture_without_poses
from reloc.sfm.posing import pose_capture
from reloc.sfm.process import run_task
from reloc.sfm.scene import posed_scene

from .conftest import FOCAL, FRAMES


def aligned(found, true):
    """Poses (N, 4, 4) brought onto others: by the mean turn between them, then place and size."""
    u, _, vt = np.linalg.svd((true[:, :3, :3] @ found[:, :3, :3].transpose(0, 2, 1)).sum(axis=0))
    moved = found.copy()
    moved[:, :3] = (u @ vt) @ found[:, :3]
    here, there = moved[:, :3, 3], true[:, :3, 3]
    a, b = here - here.mean(axis=0), there - there.mean(axis=0)
    moved[:, :3, 3] = (a * b).sum() / (a**2).sum() * a + there.mean(axis=0)
    return moved


@pytest.mark.slow
def test_poses_are_the_true_ones_but_for_place_and_size(posed, walked):
    frames = open_scene(posed).mapping
    assert [frame.name for frame in frames] == [f"images/photo {n:02d}.jpg" for n in range(FRAMES)]
    true = np.load(walked / "poses.npy")
    found = aligned(poses_of(frames), true)
    way = np.ptp(true[:, :3, 3], axis=0).max()
    assert np.linalg.norm(found[:, :3, 3] - true[:, :3, 3], axis=1).max() < 0.03 * way
    cosines = ((found[:, :3, :3] * true[:, :3, :3]).sum(axis=(1, 2)) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 0.3
    assert frames[0].camera.focal == pytest.approx(FOCAL, rel=0.02)
    assert len({frame.camera for frame in frames}) == 1


@pytest.mark.slow
def test_the_world_is_upright(posed):
    assert up_direction(poses_of(open_scene(posed).mapping)) @ [0, -1, 0] > 0.999


@pytest.mark.slow
def test_what_is_found_is_kept_and_told(posed, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)  # it is not even asked for
    scene = posed_scene(photos, posed)
    assert scene.notes[0].startswith(f"poses of {FRAMES} of {FRAMES} images, ")
    assert "no metres" in scene.notes[0]
    assert scene.unit == "unknown"
    assert not (posed / "work").exists()


@pytest.mark.slow
def test_work_goes_on_where_it_was_interrupted(matched, photos, posed, tmp_path, monkeypatch):
    def again(*_, **__):
        raise AssertionError("looked at again")

    monkeypatch.setattr(seeing, "detect_keypoints", again)
    shutil.copytree(matched, tmp_path / "poses", symlinks=True)
    found = pose_capture(photos, tmp_path / "poses", device="cpu")
    assert not found.earlier
    here, there = (poses_of(open_scene(folder).mapping) for folder in (found.folder, posed))
    assert np.array_equal(here, there), "the same seed gives the same poses"


@pytest.mark.slow
def test_many_images_are_posed_globally(matched, photos, posed, tmp_path, monkeypatch):
    monkeypatch.setattr(posing, "GLOBAL_FROM", FRAMES)
    shutil.copytree(matched, tmp_path / "poses", symlinks=True)
    told = []
    found = pose_capture(
        photos, tmp_path / "poses", device="cpu", progress=lambda *stage, **_: told.append(stage)
    )
    assert found.outcome.posed == FRAMES
    steps = [done for stage, done, _ in told if stage == "finding poses"]
    assert steps == sorted(steps)
    assert steps[-1] == FRAMES
    here, there = (poses_of(open_scene(folder).mapping) for folder in (found.folder, posed))
    way = np.ptp(there[:, :3, 3], axis=0).max()
    off = np.linalg.norm(aligned(here, there)[:, :3, 3] - there[:, :3, 3], axis=1)
    assert off.max() < 0.03 * way


@pytest.mark.slow
def test_a_changed_capture_is_posed_anew(matched, walked, tmp_path):
    shutil.copytree(matched, tmp_path / "poses", symlinks=True)
    shutil.copytree(walked / "photos", tmp_path / "photos")
    for number in range(3, FRAMES):
        (tmp_path / "photos" / f"photo {number:02d}.jpg").unlink()
    with pytest.raises(SceneError, match="3 photos; poses take 5 at least"):
        pose_capture(capture_without_poses(tmp_path / "photos"), tmp_path / "poses")


@pytest.mark.slow
def test_photos_of_nothing_in_common_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        coarse = rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)
        write_image(folder / f"{number}.png", coarse.repeat(8, 0).repeat(8, 1))
    with pytest.raises(SceneError) as refused:
        pose_capture(capture_without_poses(folder), tmp_path / "poses", device="cpu")
    message = str(refused.value)
    assert "no two of the 6 photos have enough in common" in message
    assert "\n" not in message


@pytest.mark.slow
def test_a_camera_that_only_turns_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    wall = sum(cv2.GaussianBlur(rng.normal(size=(480, 900)), (0, 0), s) * s for s in (1, 2, 4, 9))
    wall = np.clip(128 + 90 * wall, 0, 255).astype(np.uint8)
    camera = np.array([[260.0, 0, 160], [0, 260, 120], [0, 0, 1]])
    centred = np.array([[260.0, 0, 450], [0, 260, 240], [0, 0, 1]])
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, angle in enumerate(np.linspace(-0.3, 0.3, 6)):
        turn = np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        )
        warp = centred @ turn @ np.linalg.inv(camera)
        seen = cv2.warpPerspective(wall, warp, (320, 240), flags=cv2.WARP_INVERSE_MAP)
        write_image(folder / f"{number}.png", seen)
    with pytest.raises(SceneError, match="the camera only turns"):
        pose_capture(capture_without_poses(folder), tmp_path / "poses", device="cpu")


def test_a_video_that_cannot_be_read_leaves_nothing(tmp_path):
    (tmp_path / "walk.mp4").write_bytes(b"no video")
    with pytest.raises(ImageError, match="cannot be read as a video"):
        pose_capture(capture_without_poses(tmp_path / "walk.mp4"), tmp_path / "poses")
    assert not (tmp_path / "poses").exists()


@pytest.mark.slow
def test_plain_photos_are_refused_for_what_they_show(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        write_image(folder / f"{number}.png", np.full((48, 64, 3), 90 + number, np.uint8))
    with pytest.raises(SceneError, match=r"0.png to 5.png \(6 photos\): shows next to nothing"):
        pose_capture(capture_without_poses(folder), tmp_path / "poses", device="cpu")


def test_without_pycolmap_one_line_says_how_to_get_it(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(OptionError, match=r'pip install "reloc\[sfm\]"'):
        pose_capture(photos, tmp_path / "poses")
    assert not (tmp_path / "poses").exists()


def test_a_folder_of_something_else_is_left_alone(photos, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="already there"):
        pose_capture(photos, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_an_interruption_ends_the_process_of_colmap(matched, tmp_path):
    def children():
        own = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and fields[0] != "Z":
                own.append(int(status.parent.name))
        return set(own)

    before = children()

    def interrupted(stage, done, total, **_):
        if done:
            assert children() - before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_task(
            "reconstruct", stage="finding poses", total=FRAMES, progress=interrupted,
            database=str(matched / "work" / "database.db"), out=str(tmp_path / "models"),
            method="incremental", images=FRAMES, least=5,
        )  # fmt: skip
    assert children() <= before


def test_what_colmap_cannot_do_is_one_line(tmp_path):
    with pytest.raises(SceneError, match="COLMAP ended by itself while finding poses") as refused:
        run_task(
            "reconstruct", stage="finding poses", total=1, progress=lambda *_, **__: None,
            database=str(tmp_path / "none" / "database.db"), out=str(tmp_path / "models"),
            method="incremental", images=FRAMES, least=5,
        )  # fmt: skip
    assert "\n" not in str(refused.value)
