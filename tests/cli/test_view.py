"""``reloc view``: a map, a scene, an evaluation, and what does not fit."""

import json
import re
import shutil
import sys

import numpy as np
import pytest

from reloc.reconstruct.point_cloud import PointCloud


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture
def seen(place):
    """Two mapping images as queries, which the map knows by heart."""
    path = place / "seen.txt"
    path.write_text("train/rgb/00001.jpg\ntrain/rgb/00004.jpg\n")
    return path


def test_a_map_with_its_scene_shows_points_cameras_and_errors(
    reloc, made_map, place, seen, tmp_path
):
    figures, page = tmp_path / "eval.json", tmp_path / "pages" / "place.html"
    assert reloc("eval", made_map, place, "--query", seen, "--json", figures).status == 0
    run = reloc(
        "view", made_map, page, "--scene", place, "--query", seen, "--eval", figures, "--photos", 4
    )
    assert run.status == 0, run.err
    data = data_of(page)
    assert re.fullmatch(rf"{page}: [\d,]+ points, 10 cameras, [\d.]+ [kM]B\n", run.out)
    assert data["cloud"]["count"] > 500
    assert [frame["query"] for frame in data["frames"]] == [False] * 8 + [True] * 2
    assert all(frame["localized"] for frame in data["frames"][8:])
    assert sum(frame["photo"] is not None for frame in data["frames"]) == 4
    assert (
        data["frames"][8]["error"]
        == json.loads(figures.read_text())["frames"][0]["translation_error"]
    )
    assert data["metric"]


def test_points_can_be_bounded(reloc, made_map, place, tmp_path):
    page = tmp_path / "place.html"
    run = reloc("view", made_map, page, "--scene", place, "--points", 300, "--quiet")
    assert run.status == 0, run.err
    assert 0 < data_of(page)["cloud"]["count"] <= 300
    assert run.err == ""


def test_a_map_alone_shows_its_cameras(reloc, made_map, tmp_path):
    page = tmp_path / "place.html"
    run = reloc("view", made_map, page)
    assert run.status == 0, run.err
    points = data_of(page)["cloud"]["count"]
    assert 300 < points <= 3000
    assert run.out.startswith(f"{page}: {points:,} points, 7 cameras")
    assert "add --scene" in run.out
    assert not any(frame["photo"] for frame in data_of(page)["frames"])


def test_a_library_shows_its_maps_side_by_side(reloc, made_map, place, tmp_path, monkeypatch):
    library, page = tmp_path / "maps", tmp_path / "maps.html"
    for name in ("attic", "hall", "shed"):
        assert reloc("library", "add", library, made_map, "--name", name).status == 0
    run = reloc("view", library, page)
    assert run.status == 0, run.err
    data = data_of(page)
    assert [label["text"] for label in data["labels"]] == ["attic", "hall", "shed"]
    assert len(data["frames"]) == 21
    assert {frame["name"].split("/")[0] for frame in data["frames"]} == {"attic", "hall", "shed"}
    monkeypatch.setattr("reloc.cli.view.GALLERY_MAPS", 2)
    assert "1 more maps are not shown" in reloc("view", library, page).out
    assert "is a library" in reloc("view", library, page, "--scene", place).refusal()
    for name in ("attic", "hall", "shed"):
        assert reloc("library", "remove", library, name).status == 0
    assert "the library is empty" in reloc("view", library, page).refusal()


def test_a_map_that_shows_no_points_says_so(reloc, made_map, place, tmp_path, monkeypatch):
    none = np.zeros((0, 3))
    empty = PointCloud(none, none.astype(np.uint8), none.astype(np.float32))
    monkeypatch.setattr("reloc.cli.view.map_point_cloud", lambda *_, **__: empty)
    run = reloc("view", made_map, tmp_path / "p.html", "--scene", place)
    assert run.status == 0, run.err
    assert "it needs more training" in run.out


def test_a_scene_alone_shows_cameras_and_photos(reloc, place, tmp_path):
    page = tmp_path / "place.html"
    run = reloc("view", place, page)
    assert run.status == 0, run.err
    frames = data_of(page)["frames"]
    assert [frame["query"] for frame in frames] == [False] * 7 + [True] * 3
    assert all(frame["photo"] for frame in frames)


def test_an_archive_of_a_scene(reloc, place, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "hall"), "zip", place)
    run = reloc("view", archive, tmp_path / "hall.html", "--photos", 0)
    assert run.status == 0, run.err
    assert len(data_of(tmp_path / "hall.html")["frames"]) == 10


def test_a_recording_without_rerun_names_the_extra(reloc, made_map, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    run = reloc("view", made_map, tmp_path / "p.html", "--rerun", tmp_path / "p.rrd")
    assert "reloc[viz]" in run.refusal()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_evaluation_of_other_poses_is_refused(reloc, made_map, place, tmp_path):
    figures = tmp_path / "eval.json"
    assert reloc("eval", made_map, place, "--json", figures).status == 0
    pose = place / "test" / "poses" / "00000.txt"
    moved = np.loadtxt(pose)
    moved[0, 3] += 0.5
    np.savetxt(pose, moved)
    message = reloc(
        "view", made_map, tmp_path / "p.html", "--scene", place, "--eval", figures
    ).refusal()
    assert "test/rgb/00000.jpg" in message and "--poses" in message
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scene", "{tmp}/nowhere"], "no such folder"),
        (["--eval", "{tmp}/nowhere.json"], "no such file"),
        (["--eval", "{map}"], "is not what `reloc eval --json` writes"),
        (["--query", "list.txt"], "add --scene"),
        (["--points", "-1"], "points go from 0"),
        (["--photos", "-1"], "photos from 0"),
    ],
)
def test_what_does_not_fit_is_refused(reloc, made_map, tmp_path, options, words):
    options = [option.format(tmp=tmp_path, map=made_map) for option in options]
    assert words in reloc("view", made_map, tmp_path / "p.html", *options).refusal()


def test_a_scene_beside_a_scene_is_refused(reloc, place, tmp_path):
    message = reloc("view", place, tmp_path / "p.html", "--scene", place).refusal()
    assert "is a scene already" in message


def test_a_source_that_is_not_there_is_refused(reloc, tmp_path):
    message = reloc("view", tmp_path / "gone", tmp_path / "p.html").refusal()
    assert str(tmp_path / "gone") in message
