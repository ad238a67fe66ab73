"""Kinds of landmark beside each other: how precisely a query is found, and what it costs.

    python benchmarks/landmark_kinds.py --scenes SCENES --out OUT

A map of landmarks alone is made of each scene with each kind, without heads. Every query is then
localized twice: from nothing, by matching with all landmarks, and near a first pose that errs as
that of heads does. Seconds are those of the processor, one thread, so that other work on the
machine does not count.

Every finished row goes to OUT/landmark-kinds.json at once, and OUT/landmark-kinds.md is written
anew. The same command goes on where it stopped.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

import cv2
import numpy as np
import torch
import tyro
from accuracy import opened
from corruptions import CORRUPTIONS, Shot
from landmark_detectors import KINDS, Gray, Kind
from numpy.typing import NDArray

from reloc.errors import OptionError, RelocError
from reloc.files import json_text, write_text
from reloc.geometry import pose_error, pose_from, rotation_from_vector
from reloc.images.files import read_image
from reloc.landmarks import DescriptorBasis, LandmarkOptions, Landmarks, build_landmarks
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.mapping.scene_scale import scene_scale
from reloc.maps.landmark_tensors import landmark_tensors
from reloc.sampling import evenly
from reloc.scenes import Frame, Scene, posed
from reloc.scenes.scene import poses_of

Array = NDArray[np.float64]
Row = dict[str, Any]

# What is done to the queries: a change of corruptions.py and its strength.
CHANGES = {
    "none": None,
    "blur 16 px": ("motion blur", 16),
    "dark 3 stops": ("darkened", 3),
    "zoom x2": ("zoomed", 2),
    "roll 45": ("turned", 45),
}
# How far the first pose of a query is off: as much as that of heads.
FIRST_EXTENT, FIRST_DEG = 0.02, 1.0
LIMITS = {"0.1 %, 0.1°": (0.001, 0.1), "1 %, 2°": (0.01, 2.0), "3 %, 5°": (0.03, 5.0)}


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder whose subfolders are scenes, named as for ``accuracy.py``.
        only: names of the scenes.
        kinds: names of the kinds of landmark.
        changed: scenes whose queries are made worse as well.
        frames: mapping frames of a scene, at most, evenly spaced.
        queries: of a scene, at most, evenly spaced.
        out: folder for rows, table and landmarks.
    """

    scenes: Path
    only: tuple[str, ...] = ("monument", "fox", "office", "desk_gum", "hololens", "redkitchen")
    kinds: tuple[str, ...] = tuple(KINDS)
    changed: tuple[str, ...] = ("office",)
    frames: int = 100
    queries: int = 40
    out: Path = Path("benchmark-results")

    def __post_init__(self) -> None:
        if unknown := set(self.kinds) - set(KINDS):
            known = ", ".join(KINDS)
            raise OptionError(f"no such kind: {', '.join(sorted(unknown))}; known are {known}")


def mapped(scene: Scene, kind: Kind, path: Path) -> tuple[Landmarks, float]:
    """Landmarks of a scene by a kind, and the seconds that they took; kept in a file."""
    if not path.is_file():
        frames = posed(scene.mapping)
        began = time.process_time()
        with patch("reloc.landmarks.building.detect_keypoints", kind.mapping):
            made, _ = build_landmarks(
                frames, depth=scene_scale(poses_of(frames)), options=LandmarkOptions()
            )
        seconds = time.process_time() - began
        path.parent.mkdir(parents=True, exist_ok=True)
        basis = made.basis
        own = {k: v for k, v in vars(made).items() if k != "basis"}
        np.savez(
            path,
            seconds=seconds,
            mean=basis.mean,
            basis=basis.directions,
            step=basis.step,
            **own,
        )
    with np.load(path) as stored:
        found = {name: stored[name] for name in stored.files}
    seconds = float(found.pop("seconds"))
    basis = DescriptorBasis(found.pop("mean"), found.pop("basis"), float(found.pop("step")))
    return Landmarks(**found, basis=basis), seconds


def disturbed(frame: Frame, extent: float) -> Array:
    """The true pose of a query, off by what heads err, the same for all kinds."""
    assert frame.world_from_cam is not None
    rng = np.random.default_rng(crc32(frame.name.encode()))
    axis, shift = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    turn = pose_from(rotation_from_vector(np.radians(FIRST_DEG) * axis), np.zeros(3))
    pose = frame.world_from_cam @ turn
    pose[:3, 3] += FIRST_EXTENT * extent * shift
    return pose


def shots(frames: Sequence[Frame], change: str) -> Iterator[tuple[Frame, Gray]]:
    """The queries with their gray images, made worse."""
    for frame in frames:
        spoil = CHANGES[change]
        if spoil is None:
            yield frame, read_image(frame.image, gray=True)
            continue
        assert frame.world_from_cam is not None
        name, strength = spoil
        shot = Shot(read_image(frame.image), frame.camera, frame.world_from_cam)
        rng = np.random.default_rng(crc32(f"{frame.name} {name}".encode()))
        worse = CORRUPTIONS[name].apply(shot, strength, rng)
        gray = np.asarray(cv2.cvtColor(worse.image, cv2.COLOR_RGB2GRAY), np.uint8)
        yield replace(frame, camera=worse.camera, world_from_cam=worse.world_from_cam), gray


def measured(kind: Kind, scene: Scene, landmarks: Landmarks, change: str) -> list[Row]:
    """Figures of a kind on the queries of a scene: from nothing, and near a first pose."""
    solver, extent = LandmarkSolver(landmarks), scene.extent()
    errors: dict[str, list[tuple[float, float]]] = {"direct": [], "near": []}
    spent: dict[str, list[tuple[float, float]]] = {"direct": [], "near": []}
    counts = []
    for frame, image in shots(scene.queries, change):
        assert frame.world_from_cam is not None
        began = time.process_time()
        seen = kind.query(image)
        keypoints = time.process_time() - began
        counts.append(len(seen))
        for way in errors:
            first = disturbed(frame, extent) if way == "near" else None
            began = time.process_time()
            found = solver.solve(seen, frame.camera, first)
            spent[way].append((keypoints, time.process_time() - began))
            if found is None or found.confidence < 0.5:
                errors[way].append((np.inf, np.inf))
            else:
                far, turn = pose_error(found.world_from_cam, frame.world_from_cam)
                errors[way].append((far / extent, turn))
    rows = []
    for way, pairs in errors.items():
        off, turned = np.array(pairs).T
        keypoints, solving = 1e3 * np.median(spent[way], axis=0)
        rows.append(
            {
                "way": way,
                "median_percent": 100 * float(np.median(off)),
                "median_deg": float(np.median(turned)),
                **{
                    name: 100 * float(np.mean((off < far) & (turned < deg)))
                    for name, (far, deg) in LIMITS.items()
                },
                "keypoints": float(np.mean(counts)),
                "keypoints_ms": float(keypoints),
                "solve_ms": float(solving),
            }
        )
    return rows


def stored_bytes(landmarks: Landmarks) -> float:
    """Bytes of a landmark in the file of a map."""
    tensors = landmark_tensors(landmarks, origin=np.zeros(3), scale=1.0)
    count = len(landmarks)
    return sum(t.nbytes for t in tensors.values() if len(t) == count) / count


def markdown(rows: Sequence[Row]) -> str:
    """The rows as tables: plain queries, then those made worse."""
    lines = [
        "| scene | kind | way | median of extent | median deg | "
        + " | ".join(LIMITS)
        + " | landmarks | bytes each | mapping | keypoints | solving |",
        "|---|---|---|" + "---:|" * (7 + len(LIMITS)),
    ]
    key = {name: place for place, name in enumerate(KINDS)}
    plain = [row for row in rows if row["change"] == "none"]
    for r in sorted(plain, key=lambda r: (r["scene"], r["way"], key.get(r["kind"], 99))):
        lines.append(
            f"| {r['scene']} | {r['kind']} | {r['way']} | {_figure(r['median_percent'], ' %')} | "
            f"{_figure(r['median_deg'], '')} | "
            + " | ".join(f"{r[name]:.0f} %" for name in LIMITS)
            + f" | {r['landmarks']} | {r['bytes']:.0f} | {r['mapping_s']:.0f} s | "
            f"{r['keypoints_ms']:.0f} ms | {r['solve_ms']:.0f} ms |"
        )
    lines += ["", "| scene | way | kind | " + " | ".join(CHANGES) + " |"]
    lines += ["|---|---|---|" + "---:|" * len(CHANGES)]
    found = {(r["scene"], r["way"], r["kind"], r["change"]): r for r in rows}
    for scene, way, kind in dict.fromkeys(
        k[:3] for k in sorted(found, key=lambda k: (k[0], k[1], key.get(k[2], 99)))
    ):
        cells = [found.get((scene, way, kind, change)) for change in CHANGES]
        if all(cells):
            told = (
                f"{c['1 %, 2°']:.0f} %, {_figure(c['median_percent'], ' %')}" for c in cells if c
            )
            lines.append(f"| {scene} | {way} | {kind} | " + " | ".join(told) + " |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None, unit: str) -> str:
    return "lost" if value is None or not np.isfinite(value) else f"{value:.4f}{unit}"


def run(options: Options) -> None:
    """Measures what is missing."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    stored = options.out / "landmark-kinds.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    for name in options.only:
        whole = opened(name, options.scenes)
        scene = replace(
            whole,
            mapping=evenly(posed(whole.mapping), options.frames),
            queries=evenly(posed(whole.queries), options.queries),
        )
        for kind_name in options.kinds:
            for change in CHANGES if name in options.changed else ("none",):
                key = {
                    "scene": name,
                    "kind": kind_name,
                    "change": change,
                    "frames": len(scene.mapping),
                    "queries": len(scene.queries),
                }
                if any(key.items() <= row.items() for row in rows):
                    continue
                kind = KINDS[kind_name]
                file = f"{name}-{len(scene.mapping)}-{kind.detector}.npz"
                landmarks, seconds = mapped(scene, kind, options.out / "landmarks" / file)
                for row in measured(kind, scene, landmarks, change):
                    extra = {
                        "landmarks": len(landmarks),
                        "bytes": stored_bytes(landmarks),
                        "mapping_s": seconds,
                    }
                    rows.append(key | row | extra)
                text = json_text({"rows": rows})
                rows = json.loads(text)["rows"]
                write_text(stored, text + "\n")
                write_text(options.out / "landmark-kinds.md", markdown(rows))
                print(json.dumps(rows[-2:]), file=sys.stderr, flush=True)
    print(markdown(rows))


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
