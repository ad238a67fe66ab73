"""``reloc info``."""

import json
import zipfile

import cv2
import numpy as np
import pytest

from reloc.cli.info import info
from reloc.cli.options import SceneOptions
from reloc.errors import SceneError


def test_text_tells_frames_cameras_and_what_was_skipped(capsys, small_scene):
    info(small_scene)
    text = capsys.readouterr().out
    lines = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "small (ace)" in lines["scene"]
    assert "2 frames" in lines["mapping"]
    assert "2 frames" in lines["queries"]
    assert "1 m" in lines["extent"]
    assert "PINHOLE" in text
    assert "32x24" in text
    assert "skipped 1:" in text
    assert "train/rgb/2.png" in text


def test_json_is_one_object(capsys, small_scene):
    info(small_scene, json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["layout"], facts["mapping"], facts["queries"]) == ("ace", 2, 2)
    assert facts["skipped"][0]["examples"] == ["train/rgb/2.png"]


def test_query_list_and_pose_set_are_laid_over(capsys, small_scene):
    (small_scene / "mine.txt").write_text("train/rgb/0.png\n")
    (small_scene / "set.txt").write_text(
        "".join(f"train/rgb/{n}.png 1 0 0 0 {-5 * n} 0 0 31.5\n" for n in range(3))
    )
    frames = SceneOptions(query=small_scene / "mine.txt", poses=small_scene / "set.txt")
    info(small_scene, frames=frames, json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["mapping"], facts["queries"], facts["extent"]) == (2, 1, 5.0)
    assert facts["cameras"][0]["focal_min"] == 31.5


def test_images_may_lie_elsewhere(reloc, tmp_path):
    model, photos = tmp_path / "outputs" / "sfm", tmp_path / "photos"
    photos.mkdir()
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("1 PINHOLE 32 24 30 30 16 12\n")
    (model / "images.txt").write_text(
        "".join(f"{n} 1 0 0 0 {n} 0 0 1 {n}.png\n\n" for n in range(5))
    )
    for number in range(3):
        assert cv2.imwrite(str(photos / f"{number}.png"), np.zeros((24, 32), np.uint8))
    for number in (3, 4):
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{number}\nsize 9\n"
        (photos / f"{number}.png").write_text(pointer)
    assert "say where the images are with --images" in reloc("info", model).refusal()
    run = reloc("info", model, "--images", photos)
    assert run.status == 0, run.err
    told = [line for line in run.out.splitlines() if "large-file store" in line]
    assert len(told) == 1 and told[0].startswith("skipped 2: ")
    assert "no such folder" in reloc("info", model, "--images", "none").refusal()


def test_names_with_brackets_are_printed_as_they_are(capsys, small_scene):
    odd = small_scene.rename(small_scene.with_name("[red]small"))
    info(odd)
    assert "[red]small (ace)" in capsys.readouterr().out


def test_no_scene_is_an_error(tmp_path):
    with pytest.raises(SceneError, match="no such folder"):
        info(tmp_path / "nowhere")


def test_real_scene(capsys, shared_scenes):
    info(shared_scenes / "hololens", json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["mapping"], facts["queries"], facts["with_depth"]) == (283, 90, 94)
    assert facts["extent"] == pytest.approx(8.55, abs=0.01)


def test_advice_is_printed_with_what_to_do(reloc, place, tmp_path):
    image = place / "train" / "rgb" / "00002.jpg"
    image.write_bytes(image.read_bytes()[:900])
    run = reloc("info", place, "--advice", "--report", tmp_path / "page")
    assert run.status == 0, run.err
    lines = run.out.splitlines()
    told = next(n for n, line in enumerate(lines) if "cannot be read" in line)
    assert lines[told] == "warning: cannot be read: 1 of 7 photos (14 %), train/rgb/00002.jpg"
    assert lines[told + 1].startswith("  copy them again")
    assert lines[-1] == f"report: {tmp_path / 'page' / 'index.html'}"
    assert "cannot be read" in (tmp_path / "page" / "index.html").read_text()
    assert "looking at photos: 7/7" in run.err


def test_advice_as_json(reloc, place):
    run = reloc("info", place, "--advice", "--json", "--quiet")
    assert (run.status, run.err) == (0, "")
    survey = json.loads(run.out, parse_constant=pytest.fail)["survey"]
    assert survey["photos_looked_at"] == 7
    assert {"kind", "severity", "text", "remedy", "frames", "places"} == set(survey["advice"][0])


def test_a_page_below_a_file_is_refused(reloc, place, tmp_path):
    (tmp_path / "file").write_text("whole")
    run = reloc("info", place, "--report", tmp_path / "file" / "page", "--quiet")
    assert str(tmp_path / "file" / "page") in run.refusal()


def test_queries_alone_cannot_be_looked_over(reloc, place):
    (place / "all.txt").write_text(
        "".join(f"{p.relative_to(place)}\n" for p in sorted(place.glob("*/rgb/*.jpg")))
    )
    run = reloc("info", place, "--query", place / "all.txt", "--advice")
    assert "no mapping frame has a pose" in run.refusal()


def test_an_archive_as_it_leaves_a_phone(capsys, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "hall.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3):
            pose = np.eye(4)
            pose[0, 3] = number
            entry = {"cameraPoseARFrame": pose.ravel().tolist(), "time": 0.1 * number}
            entry["intrinsics"] = [30, 0, 16, 0, 30, 12, 0, 0, 1]
            archive.writestr(f"hall/frame_{number:05d}.json", json.dumps(entry))
            pixels = rng.integers(0, 255, (24, 32, 3), np.uint8)
            archive.writestr(
                f"hall/frame_{number:05d}.jpg", cv2.imencode(".jpg", pixels)[1].tobytes()
            )
    info(path)
    text = capsys.readouterr().out
    assert "hall (scanner-app)" in text and "3 frames" in text and "metre" in text
    (tmp_path / "cut.zip").write_bytes(path.read_bytes()[:400])
    with pytest.raises(SceneError, match=r"cut\.zip: the archive is damaged or cut short"):
        info(tmp_path / "cut.zip")
