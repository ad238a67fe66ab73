"""What a scene holds, in figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera, pose_from
from reloc.scenes import Depth, Frame, Scene, Skipped
from reloc.scenes.checks import skipped_note
from reloc.scenes.summary import SkippedGroup, summarize

WIDE = Camera.pinhole(width=640, height=480, fx=500)
WIDE_2 = Camera.pinhole(width=640, height=480, fx=520)
TALL = Camera("SIMPLE_RADIAL", 480, 640, (600.0, 240.0, 320.0, 0.1))


def frame(name: str, x: float | None, camera: Camera = WIDE, depth: Depth | None = None) -> Frame:
    pose = None if x is None else pose_from(np.eye(3), (x, 0.0, 0.0))
    return Frame(name=name, image=Path(name), camera=camera, world_from_cam=pose, depth=depth)


def scene(mapping: list[Frame], queries: list[Frame], skipped: tuple[Skipped, ...] = ()) -> Scene:
    return Scene(
        name="place",
        root=Path("place"),
        layout="ace",
        mapping=tuple(mapping),
        queries=tuple(queries),
        unit="metre",
        skipped=skipped,
        notes=("a remark",),
    )


def test_counts_and_distances():
    depth = Depth(path=Path("d.png"), camera=WIDE)
    mapping = [frame("a", 0), frame("b", 1), frame("c", 3, depth=depth), frame("d", 10)]
    summary = summarize(scene(mapping, [frame("e", 0.25), frame("f", None)]))
    assert (summary.mapping, summary.queries, summary.queries_without_pose) == (4, 2, 1)
    assert summary.with_depth == 1
    assert summary.extent == 10
    assert summary.spacing == pytest.approx(np.median([1, 1, 2, 7]))
    assert summary.query_distance == pytest.approx(0.25)
    assert (summary.unit, summary.layout, summary.notes) == ("metre", "ace", ("a remark",))


def test_cameras_are_grouped_by_model_and_size():
    mapping = [frame("a", 0, TALL), *(frame(name, 1, WIDE) for name in "bc"), frame("d", 2, WIDE_2)]
    wide, tall = summarize(scene(mapping, [])).cameras
    assert (wide.model, wide.width, wide.height) == ("PINHOLE", 640, 480)
    assert (wide.cameras, wide.frames, wide.focal_min, wide.focal_max) == (2, 3, 500, 520)
    assert (tall.model, tall.cameras, tall.frames) == ("SIMPLE_RADIAL", 1, 1)


def test_skipped_frames_are_grouped_by_reason_with_examples():
    skipped = tuple(Skipped(f"{number}.png", "no pose") for number in range(5))
    summary = summarize(scene([frame("a", 0)], [], (Skipped("x.png", "damaged"), *skipped)))
    assert summary.skipped == (
        SkippedGroup("no pose", 5, ("0.png", "1.png", "2.png")),
        SkippedGroup("damaged", 1, ("x.png",)),
    )


def test_distances_that_cannot_be_measured_are_none():
    alone = summarize(scene([frame("a", 0)], []))
    assert alone.spacing is None
    assert alone.query_distance is None
    assert alone.extent == 0
    empty = summarize(scene([], [frame("a", 0)]))
    assert empty.query_distance is None


def test_spacing_of_many_frames_goes_by_blocks():
    count = 700
    mapping = [frame(str(number), float(number)) for number in range(count)]
    assert summarize(scene(mapping, [])).spacing == pytest.approx(1.0)
    twins = [*mapping, frame("twin", 0.0)]
    assert summarize(scene(twins, [frame("q", 699.4)])).query_distance == pytest.approx(0.4)


def test_reasons_that_differ_in_paths_and_numbers_alone_are_one_group():
    skipped = tuple(
        Skipped(f"rgb/{n}.png", f"/data/poses/{n}.txt: a pose has 16 numbers, this file has {n}")
        for n in range(1, 5)
    ) + (Skipped("9.png", "pose holds NaN"), Skipped("8.png", "no pose"))
    groups = summarize(scene([frame("a", 0)], [], skipped)).skipped
    assert [(group.count, group.examples[0]) for group in groups] == [
        (4, "rgb/1.png"),
        (1, "9.png"),
        (1, "8.png"),
    ]
    assert groups[0].reason == skipped[0].reason


def test_groups_of_skipped_frames_stand_for_the_note_of_them():
    skipped = (Skipped("x.png", "damaged"),)
    noted = replace(scene([frame("a", 0)], [], skipped), notes=("a", skipped_note(skipped)))
    assert summarize(noted).notes == ("a",)
