"""The page: complete without a network, and safe whatever the names in it are."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.geometry import Camera, look_at
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame
from reloc.view.report import WorstFrame, report_html, write_report

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
HOSTILE = (
    '"><script src="https://evil.example/x.js">alert(1)</script><img onerror=\'x\' src=a>&.jpg'
)
PHOTO = np.full((48, 64, 3), 90, np.uint8)


VOID = {"meta", "img"}  # elements that never close


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def poses(count: int) -> list[np.ndarray]:
    return [look_at((np.cos(i), np.sin(i), 1), (0, 0, 0.5)) for i in range(count)]


def mapping() -> list[Frame]:
    return [Frame(f"m{i}", Path("x"), CAMERA, p) for i, p in enumerate(poses(8))]


def evaluation(names: tuple[str, ...] = ("a.jpg", "b.jpg"), **options: str) -> Evaluation:
    """The first frame is found where it is, the others are lost."""
    queries = [Frame(n, Path("x"), CAMERA, p) for n, p in zip(names, poses(9), strict=False)]
    estimates = [
        Estimate(f.name, i == 0, f.world_from_cam, reason=f"why {f.name}", seconds={"pose": 0.1})
        for i, f in enumerate(queries)
    ]
    estimates[0] = replace(estimates[0], inliers=70, landmark_inliers=40)
    return evaluate(
        estimates, queries, scene_extent=2, map_bytes=9, mapping_seconds=1, unit="metre", **options
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of three frames, two of them with photos, as it is in its file."""
    path = tmp_path_factory.mktemp("report") / "r.html"
    result = evaluation(("a.jpg", "b.jpg", "c.jpg"), scene_name="kitchen", map_name="map.reloc")
    worst = [WorstFrame("a.jpg", PHOTO, PHOTO), WorstFrame("b.jpg", PHOTO, None)]
    write_report(path, result, mapping=mapping(), worst=worst)
    return path.read_text(encoding="utf-8")


def test_needs_nothing_from_elsewhere(written: str) -> None:
    page = Page(written)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base"), tag
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/")), value
    assert not re.search(r"https?:|//[a-z]+\.[a-z]|@import|url\((?!#)", written)
    assert len(page.named("img")) == 3
    assert [h for h in page.texts if h == "kitchen · map.reloc"]
    assert "prefers-color-scheme: dark" in written
    assert "no pose to look from" in page.texts


def test_references_within_the_page_resolve(written: str) -> None:
    ids = set(re.findall(r' id="([^"]+)"', written))
    wanted = set(re.findall(r'(?:href="#|url\(#)([\w-]+)', written))
    assert wanted
    assert wanted <= ids


@pytest.mark.slow
def test_hostile_names_stay_text() -> None:
    result = evaluation((HOSTILE, HOSTILE + "2"), scene_name=HOSTILE, map_name="\udcff.reloc")
    worst = [WorstFrame(HOSTILE + "2", PHOTO, None)]
    text = report_html(result, mapping=mapping(), worst=worst)
    page = Page(text)
    assert len(page.named("script")) == 1
    assert page.named("script")[0] == {}
    assert len(page.named("img")) == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert HOSTILE in page.texts
    assert f"not localized: why {HOSTILE}2" in page.texts
    text.encode("utf-8")


def test_every_frame_is_in_the_table_with_keys_to_sort_by(written: str) -> None:
    page = Page(written)
    assert [row["class"] for row in page.named("tr") if "class" in row] == ["found", "lost", "lost"]
    keys = [cell["data-sort"] for cell in page.named("td") if "data-sort" in cell]
    assert keys[:5] == ["a.jpg", "0.0", "0.0", "70", "40"]
    assert keys[8:12] == ["b.jpg", "Infinity", "Infinity", "0"]
    assert "off by 0 cm, 0°; 40 landmarks agree" in page.texts


@pytest.mark.slow
def test_where_heads_were_not_asked_no_inliers_are_told(tmp_path: Path) -> None:
    (found,) = (f for f in evaluation(scene_name="a", map_name="b").frames if f.localized)
    alone = replace(found, inliers=0, landmark_inliers=70, landmarks_alone=True)
    result = replace(evaluation(scene_name="a", map_name="b"), frames=(alone,))
    write_report(tmp_path / "r.html", result, mapping=mapping())
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    keys = [cell["data-sort"] for cell in page.named("td") if "data-sort" in cell]
    assert keys[3:5] == ["-1", "70"]


@pytest.mark.slow
def test_all_lost_and_no_mapping_poses() -> None:
    queries = [Frame("a", Path("x"), CAMERA, np.eye(4))]
    result = evaluate([], queries, scene_extent=0, map_bytes=0, mapping_seconds=None)
    page = Page(report_html(result, mapping=[]))
    assert "0 of 1" in page.texts
    assert any("no estimate" in text for text in page.texts)


def test_worst_frame_of_another_evaluation() -> None:
    with pytest.raises(OptionError, match=r"z\.jpg: no such frame"):
        report_html(evaluation(), mapping=mapping(), worst=[WorstFrame("z.jpg", PHOTO, None)])
