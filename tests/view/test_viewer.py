"""The page of a place: whole, bounded, and safe whatever the names in it are."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from reloc.errors import OutputError
from reloc.reconstruct.point_cloud import PointCloud
from reloc.view.viewer import viewer_html, write_viewer


def part(page: str, name: str) -> str:
    found = re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found
    return found[1]


def test_it_is_one_file_that_refers_to_nothing_and_runs_one_script(gallery) -> None:
    page = viewer_html(gallery.shown())
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "{{" not in re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].split("; ") == [
        "default-src 'none'",
        "img-src data:",
        "style-src 'unsafe-inline'",
        f"script-src 'sha256-{digest}'",
    ]


def test_names_are_data_and_not_markup(gallery) -> None:
    page = viewer_html(gallery.shown())
    assert "<title>hall &lt;/script&gt;</title>" in page
    assert "<img src=x" not in page
    assert gallery.names[1] in [frame["name"] for frame in json.loads(part(page, "data"))["frames"]]


def test_a_name_cannot_take_another_place_of_the_page(gallery) -> None:
    """Neither a title nor a name is looked at as a template again."""
    shown = replace(gallery.shown(), title="{{data}}{{script}}")
    assert viewer_html(shown).count('"use strict"') == 1


def test_points_come_back_upright_about_the_middle(gallery) -> None:
    page = viewer_html(gallery.shown())
    data = json.loads(part(page, "data"))
    places = np.frombuffer(base64.b64decode(part(page, "places")), "<u2").reshape(-1, 3)
    colors = np.frombuffer(base64.b64decode(part(page, "colours")), np.uint8).reshape(-1, 4)
    cloud = data["cloud"]
    assert cloud["count"] == len(places) == len(colors) == 4400
    points = np.array(cloud["low"]) + places / 65535 * np.array(cloud["span"])
    red = colors[:, 0] == 255
    assert red.sum() == 400
    # The red points lie 0.1 above the floor and in its middle, under the cameras.
    heights = points[:, 2] - np.median(points[~red, 2])
    assert np.median(heights[red]) == pytest.approx(0.1, abs=2e-3)
    poses = np.array([f["pose"] for f in data["frames"] if f["name"].startswith("m")])
    assert np.allclose(poses[:, 11] - np.median(points[~red, 2]), 1.5, atol=2e-3)
    apart = poses[:, [3, 7]] - np.median(points[red], axis=0)[:2]
    np.testing.assert_allclose(np.linalg.norm(apart, axis=1), 3, atol=0.01)
    # Any first part of them is an even sample, for machines that cannot draw all.
    assert 15 < red[:440].sum() < 70


def test_landmarks_lie_among_the_points(gallery) -> None:
    page = viewer_html(gallery.shown())
    data = json.loads(part(page, "data"))
    steps = np.frombuffer(base64.b64decode(part(page, "landmarks")), "<u2").reshape(-1, 3)
    # The one that is very far off is left out.
    assert data["landmarks"]["count"] == len(steps) == 30
    assert data["facts"][:2] == ["4,400 points", "30 landmarks"]
    points = np.array(data["landmarks"]["low"]) + steps / 65535 * data["landmarks"]["span"]
    np.testing.assert_allclose(np.diff(points[:, 2]), 1.2 / 29, atol=1e-4)
    np.testing.assert_allclose(np.diff(points[:, :2], axis=0), 0, atol=1e-4)
    red = gallery.cloud.points[4000:].mean(axis=0)
    cloud = data["cloud"]
    places = np.frombuffer(base64.b64decode(part(page, "places")), "<u2").reshape(-1, 3)
    colors = np.frombuffer(base64.b64decode(part(page, "colours")), np.uint8).reshape(-1, 4)
    shown = (np.array(cloud["low"]) + places / 65535 * cloud["span"])[colors[:, 0] == 255]
    apart = np.linalg.norm(points[0] - shown.mean(axis=0))
    assert apart == pytest.approx(np.linalg.norm(np.array([1.8, 1.8, 0.3]) - red), abs=1e-3)


def test_figures_of_the_frames_are_those_of_the_evaluation(gallery) -> None:
    data = json.loads(part(viewer_html(gallery.shown()), "data"))
    near, far, lost = (
        next(f for f in data["frames"] if f["name"] == name) for name in gallery.names
    )
    assert near["error"] == pytest.approx(0.02)
    assert far["error"] == pytest.approx(0.4)
    assert (lost["error"], lost["estimate"], lost["localized"]) == (None, None, False)
    assert lost["text"] == "not localized: too dark"
    assert data["errors"]["unit"] == "cm"
    assert data["errors"]["ends"] == [0.01, 0.5]
    np.testing.assert_allclose(data["errors"]["range"], [0.02, 0.4])
    distance = np.subtract(near["pose"], near["estimate"])[[3, 7, 11]]
    assert np.linalg.norm(distance) == pytest.approx(0.02, abs=1e-5)
    assert "2 of 3 queries localized" in data["facts"]


@pytest.mark.parametrize(("count", "names"), [(0, 0), (2, 2), (5, 5), (100, 9)])
def test_photos_are_bounded_and_the_worst_come_first(gallery, count: int, names: int) -> None:
    data = json.loads(part(viewer_html(gallery.shown(), photos=count), "data"))
    held = {frame["name"] for frame in data["frames"] if frame["photo"]}
    assert len(held) == names
    if count == 2:
        assert held == {gallery.names[2], gallery.names[1]}


def test_a_name_that_is_no_utf8_does_no_harm(gallery, tmp_path) -> None:
    shown = gallery.shown()
    frames = tuple(replace(frame, name=f"{frame.name}\udcff") for frame in shown.frames)
    write_viewer(tmp_path / "place.html", replace(shown, title="hall\udcff", frames=frames))
    assert "<title>hall?</title>" in (tmp_path / "place.html").read_text(encoding="utf-8")


def test_a_photo_that_cannot_be_read_is_left_out(gallery, tmp_path) -> None:
    shown = gallery.shown()
    frames = tuple(replace(frame, image=tmp_path / "gone.jpg") for frame in shown.frames)
    data = json.loads(part(viewer_html(replace(shown, frames=frames)), "data"))
    assert not any(frame["photo"] for frame in data["frames"])


def test_a_place_without_points_still_has_its_cameras(gallery) -> None:
    none = np.zeros((0, 3))
    empty = PointCloud(none, none.astype(np.uint8), none.astype(np.float32))
    page = viewer_html(replace(gallery.shown(), cloud=empty, evaluation=None))
    data = json.loads(part(page, "data"))
    assert (data["cloud"]["count"], part(page, "places")) == (0, "")
    bare = viewer_html(replace(gallery.shown(), landmarks=np.zeros((0, 3))))
    assert part(bare, "landmarks") == ""
    assert json.loads(part(bare, "data"))["landmarks"]["count"] == 0
    assert len(data["frames"]) == 9
    assert data["place"]["radius"] > 1


def test_the_page_is_written_whole_or_not_at_all(gallery, tmp_path) -> None:
    write_viewer(tmp_path / "deep" / "place.html", gallery.shown())
    assert (tmp_path / "deep" / "place.html").read_text().endswith("</html>\n")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_viewer(tmp_path / "file" / "place.html", gallery.shown())
