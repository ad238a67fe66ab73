"""The page of advice: whole, harmless whatever the names, and drawn for every kind of survey."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.capture import Advice, Survey, Viewpoint
from reloc.capture.agreement import FACTORS, Agreement
from reloc.capture.coverage import coverage
from reloc.capture.photos import photo_facts
from reloc.geometry import Camera, look_at
from reloc.scenes import Frame, Scene
from reloc.view.capture_page import capture_html, write_capture_page
from reloc.view.capture_plots import blur_strip, capture_plan, focal_curve

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
HOSTILE = "<script>alert(1)</script>.png"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Twelve cameras on a ring; only the first has a photo."""
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))
    poses = [look_at((2 * np.cos(a), np.sin(a), 0), (0, 0, 0)) for a in np.arange(12) / 2]
    frames = [Frame(f"f{i}.png", tmp_path / "none", CAMERA, p) for i, p in enumerate(poses)]
    frames[0] = Frame(HOSTILE, path, CAMERA, poses[0])
    return Scene(name=HOSTILE, root=tmp_path, layout="ace", mapping=tuple(frames), unit="metre")


def surveyed(scene: Scene, *, judged: bool = True) -> Survey:
    places = (
        Viewpoint(np.zeros(3), np.array([1.0, 0, 0])),
        Viewpoint(np.ones(3), np.array([0, 1.0, 0])),
    )
    advice = (
        Advice("blur", "serious", "blurred: <b>", "hold still", (HOSTILE, "f1.png", "gone.png")),
        Advice("thin", "note", "thin coverage", "go there", (), places),
    )
    return Survey(
        scene_name=scene.name,
        unit=scene.unit,
        advice=advice if judged else (),
        photos=(photo_facts(HOSTILE, np.full((48, 64), 90, np.uint8)),) if judged else (),
        frames=scene.mapping,
        agreement=Agreement(
            np.full(6, 0.4), np.abs(np.log(FACTORS)) if judged else np.zeros(0), (), judged
        ),
        coverage=coverage(scene.mapping, [], depth=2.0) if judged else None,
        depth=2.0 if judged else None,
        seconds=1.0,
    )


def test_holds_advice_photos_and_plan(scene, tmp_path):
    write_capture_page(tmp_path / "new" / "index.html", surveyed(scene), scene)
    text = (tmp_path / "new" / "index.html").read_text(encoding="utf-8")
    assert "blurred: &lt;b&gt;" in text
    assert "On the plan: 1, 2." in text
    assert text.count("data:image/jpeg") == 1
    assert text.count("<svg") == 3
    assert "<script>alert" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_capture_without_fault_or_without_judgement(scene):
    text = capture_html(surveyed(scene, judged=False), scene)
    assert "None: photos and poses look fine." in text
    assert "was not judged" in text
    assert text.count("<svg") == 1


def test_figures(scene):
    survey = surveyed(scene)
    places = [p for a in survey.advice for p in a.places]
    axes = capture_plan(survey, places).axes[0]
    assert [t.get_text() for t in axes.texts] == ["1", "2"]
    assert axes.get_xlabel() == "m"
    curve = focal_curve(survey).axes[0].lines[0]
    assert np.asarray(curve.get_xdata())[np.argmin(np.asarray(curve.get_ydata()))] == pytest.approx(
        1, abs=0.03
    )
    assert focal_curve(surveyed(scene, judged=False)) is None
    assert len(np.asarray(blur_strip(survey).axes[0].collections[0].get_offsets())) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_a_plan_of_next_to_nothing(scene, count):
    few = Survey(**{**vars(surveyed(scene, judged=False)), "frames": scene.mapping[:count]})
    assert capture_plan(few, [])
