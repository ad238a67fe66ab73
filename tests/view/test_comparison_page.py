"""The page of a comparison: everything in it, and nothing of what names could bring in."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reloc.evaluation.comparison import Comparison, compare
from reloc.evaluation.metrics import Evaluation, evaluate
from reloc.geometry import Camera, pose_from
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame
from reloc.view.comparison_page import comparison_html, write_comparison_page
from reloc.view.comparison_plots import paired_errors, winners_plan
from reloc.view.curves import error_curves

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
HOSTILE = '<script>alert(1)</script>"$x_1$\udcff'


def evaluation(offsets: list[float | None], **options: Any) -> Evaluation:
    frames = [
        Frame(f"{i}<b>.jpg", Path("x"), CAMERA, pose_from(np.eye(3), (i, i % 3, 0)))
        for i in range(len(offsets))
    ]
    estimates = [
        Estimate(f.name, False, None)
        if z is None
        else Estimate(f.name, True, pose_from(np.eye(3), (0, 0, z)) @ f.world_from_cam)
        for f, z in zip(frames, offsets, strict=True)
    ]
    made = evaluate(
        estimates, frames, scene_extent=4, map_bytes=1, mapping_seconds=None, unit="metre"
    )
    return replace(made, **options)


def comparison(
    *, maps: int = 2, scene_name: str = "hall", labels: tuple[str, ...] = ()
) -> Comparison:
    offsets: list[list[float | None]] = [
        [0.01 * (1 + (i * (m + 1)) % 5) if i != m else None for i in range(6)] for m in range(maps)
    ]
    return compare(
        [evaluation(o, scene_name=scene_name) for o in offsets],
        labels or [f"map {m}" for m in range(maps)],
    )


@pytest.mark.parametrize("maps", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_page_of_several_maps(tmp_path: Path, maps: int) -> None:
    write_comparison_page(tmp_path / "new" / "index.html", comparison(maps=maps))
    text = (tmp_path / "new" / "index.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 3
    assert f"hall: {maps} maps compared" in text
    assert "0&lt;b&gt;.jpg" in text
    assert ">lost<" in text


def test_hostile_names_stay_text() -> None:
    text = comparison_html(comparison(scene_name=HOSTILE, labels=(HOSTILE, "_" + HOSTILE)))
    text.encode("utf-8")
    assert "<script>alert" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_curves_are_on_common_axes_with_a_legend() -> None:
    two = comparison()
    figure = error_curves(two.evaluations, two.labels)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["map 0", "map 1"]
    assert not figure.axes[0].texts


def test_paired_dots_stay_in_the_picture_also_when_lost() -> None:
    axes = paired_errors(comparison()).axes[0]
    dots = np.asarray(axes.collections[0].get_offsets())
    assert len(dots) == 6
    assert (dots <= axes.get_xlim()[1]).all()
    # The first map lost frame 0: its dot stands at the right edge.
    assert dots[0, 0] == dots[:, 0].max()


def test_winners_are_counted_and_need_poses() -> None:
    one, other = evaluation([0.1, 0.1, 0.1]), evaluation([0.01, 0.2, 0.1])
    figure = winners_plan(compare([one, other], ("a", "b")))
    assert figure is not None
    assert {t.get_text() for t in figure.legends[0].get_texts()} == {"no winner", "a: 1", "b: 1"}
    blind = [
        replace(e, frames=tuple(replace(f, true_world_from_cam=None) for f in e.frames))
        for e in (one, other)
    ]
    assert winners_plan(compare(blind, ("a", "b"))) is None


@pytest.mark.slow
def test_all_frames_lost() -> None:
    lost = evaluation([None, None])
    assert "no frame was localized" in comparison_html(compare([lost, lost], ("a", "b")))
