"""Captures stripped of their poses: how many frames are posed again, how well, and what the map
from them is worth beside the one from the poses that were given.

    python benchmarks/unposed.py --scenes SCENES --out OUT

Photos are all frames of a scene, its queries too, which ``query.txt`` holds back from mapping; a
video is made of the mapping frames, each shown once. Found poses are brought onto the given ones
by one similarity, and queries are localized with their given cameras. Times are those of the
processor, all threads and processes together. Every finished row goes to OUT/unposed.json at once;
the same command goes on where it stopped.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro
from accuracy import opened
from numpy.typing import NDArray

from reloc.cli.console import progress_bar
from reloc.errors import OptionError, RelocError
from reloc.evaluation.metrics import evaluate
from reloc.files import json_text, write_text
from reloc.images.files import read_image
from reloc.localize import Localizer, Query
from reloc.methods.dispatch import map_scene
from reloc.methods.ridge import DRAFT
from reloc.progress import Progress
from reloc.scenes import Frame, Scene, poses_of
from reloc.sfm.captures import capture_without_poses
from reloc.sfm.posing import pose_capture
from reloc.sfm.scene import posed_scene

Array = NDArray[np.float64]
Row = dict[str, Any]

PHOTOS = ("monument", "desk_gum", "fox", "office", "redkitchen")
VIDEOS = ("monument", "desk_gum", "fox")
FRAMES_PER_SECOND = 10.0


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder whose subfolders are scenes.
        only: rows to measure, as ``fox`` for its photos or ``fox.mp4``; by default all.
        out: folder for captures, poses and rows.
        poses_only: leave out maps.
    """

    scenes: Path
    only: tuple[str, ...] = (*PHOTOS, *(f"{name}.mp4" for name in VIDEOS))
    out: Path = Path("benchmark-results/unposed")
    poses_only: bool = False


def processor_seconds() -> float:
    """Of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def photos_of(scene: Scene, folder: Path) -> dict[str, Frame]:
    """Copies all frames in the order of their names; returns the frame of each copy's name."""
    frames = {
        f"{number:04d}{frame.image.suffix}": frame
        for number, frame in enumerate(_in_order(scene.mapping + scene.queries))
    }
    if not folder.exists():
        folder.mkdir(parents=True)
        for name, frame in frames.items():
            shutil.copyfile(frame.image, folder / name)
        held_back = {frame.name for frame in scene.queries}
        listed = [name for name, frame in frames.items() if frame.name in held_back]
        write_text(folder / "query.txt", "\n".join(listed) + "\n")
    return frames


def video_of(scene: Scene, path: Path) -> dict[str, Frame]:
    """Makes a video of the mapping frames; returns the frame behind each name that may be taken."""
    frames = _in_order(scene.mapping)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (frames[0].camera.width, frames[0].camera.height)
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_PER_SECOND, size
        )
        for frame in frames:
            writer.write(np.ascontiguousarray(read_image(frame.image)[:, :, ::-1]))
        writer.release()
    return {f"{number:06d}.jpg": frame for number, frame in enumerate(frames)}


def _in_order(frames: Sequence[Frame]) -> list[Frame]:
    return sorted(frames, key=lambda frame: frame.name)


def onto(found: Array, given: Array) -> Array:
    """The similarity (4, 4) that brings poses (N, 4, 4) onto others best.

    Points at a typical distance in front of each camera have to fall together, in the corners of
    what it sees and at its centre: centres alone leave a turn around a straight walk open. Robust
    by iteratively reweighted least squares (Umeyama 1991).
    """
    depth = 0.5 * float(np.ptp(given[:, :3, 3], axis=0).max())
    scale = _spread(given[:, :3, 3]) / _spread(found[:, :3, 3])
    weights = np.ones(len(found))
    for _ in range(30):
        a, b = _seen(found, depth / scale), _seen(given, depth)
        share = np.repeat(weights / weights.sum(), a.shape[1]) / a.shape[1]
        a, b = a.reshape(-1, 3), b.reshape(-1, 3)
        middle_a, middle_b = share @ a, share @ b
        u, sizes, vt = np.linalg.svd(((b - middle_b) * share[:, None]).T @ (a - middle_a))
        sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
        rotation = (u * sign) @ vt
        scale = float((sizes * sign).sum() / (share @ ((a - middle_a) ** 2).sum(axis=1)))
        moved = np.eye(4)
        moved[:3, :3], moved[:3, 3] = scale * rotation, middle_b - scale * rotation @ middle_a
        errors = np.linalg.norm(transformed(found, moved)[:, :3, 3] - given[:, :3, 3], axis=1)
        weights = 1 / np.maximum(errors, max(1e-12, 0.5 * float(np.median(errors))))
    return moved


def _spread(centers: Array) -> float:
    return float(np.linalg.norm(centers - np.median(centers, axis=0), axis=1).mean())


def _seen(poses: Array, depth: float) -> Array:
    """Points (N, 5, 3): the centre of each camera, and the corners of what is before it."""
    corners = depth * np.array([[0, 0, 0], *([x, y, 1] for x in (-0.4, 0.4) for y in (-0.4, 0.4))])
    seen: Array = np.einsum("nij,kj->nki", poses[:, :3, :3], corners) + poses[:, None, :3, 3]
    return seen


def transformed(poses: Array, similarity: Array) -> Array:
    """Poses (N, 4, 4) in another world."""
    moved = similarity @ poses
    moved[:, :3, :3] /= np.cbrt(np.linalg.det(similarity[:3, :3]))
    return moved


def measured_poses(name: str, options: Options, progress: Progress) -> tuple[Row, Scene]:
    """Finds poses of a capture; returns its figures and the scene, in the given world."""
    scene = opened(name.removesuffix(".mp4"), options.scenes)
    where = options.out / "captures" / name
    frames = video_of(scene, where) if where.suffix else photos_of(scene, where)
    capture = capture_without_poses(where)
    if capture is None:
        raise OptionError(f"{where}: is no capture without poses; remove it")
    folder = options.out / "poses" / name.replace(".", "-")
    began = processor_seconds()
    posed = pose_capture(capture, folder, progress=progress)
    seconds = processor_seconds() - began
    found = posed_scene(capture, folder)
    given = [frames[Path(frame.name).name] for frame in (*found.mapping, *found.queries)]
    here, there = poses_of((*found.mapping, *found.queries)), poses_of(given)
    similarity = onto(here, there)
    moved = transformed(here, similarity)
    errors = np.linalg.norm(moved[:, :3, 3] - there[:, :3, 3], axis=1) / scene.extent()
    cosines = ((moved[:, :3, :3] * there[:, :3, :3]).sum(axis=(1, 2)) - 1) / 2
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    row = {
        "images": posed.outcome.images,
        "posed": posed.outcome.posed,
        "pose_percent_of_extent": 100 * float(np.median(errors)),
        "pose_percent_90": 100 * float(np.quantile(errors, 0.9)),
        "pose_deg": float(np.median(angles)),
        "pose_deg_90": float(np.quantile(angles, 0.9)),
        "focal": found.mapping[0].camera.focal,
        "given_focal": given[0].camera.focal,
        "pose_seconds": None if posed.earlier else seconds,
    }
    placed = [
        replace(frame, world_from_cam=pose)
        for frame, pose in zip((*found.mapping, *found.queries), moved, strict=True)
    ]
    count = len(found.mapping)
    return row, replace(found, mapping=tuple(placed[:count]), queries=tuple(placed[count:]))


def measured_map(scene: Scene, *truths: Scene, progress: Progress) -> list[Row]:
    """Maps a scene as a draft and localizes queries of scenes in it; a row for each of these."""
    began = processor_seconds()
    localizer = Localizer(map_scene(scene, options=DRAFT, progress=progress).scene_map)
    seconds = processor_seconds() - began
    rows = []
    for truth in truths:
        queries = [Query(frame.name, frame.image, frame.camera) for frame in truth.queries]
        figures = evaluate(
            list(localizer.localize_many(queries)),
            truth.queries,
            scene_extent=scene.extent(),
            map_bytes=0,
            mapping_seconds=seconds,
            unit="unknown",
            scene_name=scene.name,
        )
        rows.append(
            {
                "percent_of_extent": 100 * figures.median_translation / scene.extent(),
                "deg": figures.median_rotation_deg,
                "within_3_percent_5_deg": figures.recall_of_extent["3%_5deg"],
                "map_seconds": seconds,
            }
        )
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| capture | frames | posed | found off given poses | queries, map of given poses | map of "
        "found poses | against the queries' found poses | within 3 %, 5° | poses | map |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        maps = [row.get("given"), row.get("found"), row.get("own")]
        within = [f"{m['within_3_percent_5_deg']:.0f} %" if m else "-" for m in maps[:2]]
        medians = [_error(m["percent_of_extent"], m["deg"]) if m else "-" for m in maps]
        cells = [
            f"`{row['name']}`",
            str(row["images"]),
            f"{100 * row['posed'] / row['images']:.0f} %",
            _error(row["pose_percent_of_extent"], row["pose_deg"]),
            *medians,
            ", ".join(within),
            _seconds(row["pose_seconds"]),
            _seconds(maps[1] and maps[1]["map_seconds"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _error(percent: float, degrees: float) -> str:
    return f"{percent:.2g} %, {degrees:.2g}°"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} s"


def run(options: Options) -> int:
    """Measures what is missing; returns the exit status."""
    path, failed = options.out / "unposed.json", 0
    rows: list[Row] = json.loads(path.read_text())["rows"] if path.is_file() else []

    def keep(row: Row) -> None:
        rows[:] = [r for r in rows if r["name"] != row["name"]] + [row]
        write_text(path, json_text({"rows": rows}) + "\n")
        write_text(options.out / "unposed.md", table(rows))

    for name in options.only:
        row = next((r for r in rows if r["name"] == name), {"name": name})
        if "posed" in row and (options.poses_only or "found" in row):
            continue
        try:
            with progress_bar() as progress:
                figures, found = measured_poses(name, options, progress)
                if row.get("pose_seconds") is not None:
                    figures["pose_seconds"] = row["pose_seconds"]
                keep(row := {**row, **figures})
                if not options.poses_only:
                    given = opened(name.removesuffix(".mp4"), options.scenes)
                    same = [r["given"] for r in rows if _same_given(r, name)]
                    same = same or measured_map(given, given, progress=progress)
                    keep(row := {**row, "given": same[0]})
                    truths = (given, found) if found.queries else (given,)
                    made = measured_map(found, *truths, progress=progress)
                    keep({**row, **dict(zip(("found", "own"), made, strict=False))})
        except RelocError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    print(table(rows))
    return 2 if failed else 0


def _same_given(row: Row, name: str) -> bool:
    return "given" in row and row["name"].removesuffix(".mp4") == name.removesuffix(".mp4")


if __name__ == "__main__":
    try:
        sys.exit(run(tyro.cli(Options, description=__doc__)))
    except RelocError as error:
        sys.exit(f"error: {error}")
