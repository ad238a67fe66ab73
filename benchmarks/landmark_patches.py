"""Patches as landmarks, which need no detector in a query, beside what maps have.

    python benchmarks/landmark_patches.py --scenes SCENES --out OUT \
        --maps monument OUT/maps/monument-60s-0.safetensors

The points are those of ``landmark_kinds.py``. Each has three patches of 8x8 pixels, one of each
octave, out of the mapping image that looks at it most directly. In a query they are drawn as the
pose of a map's heads sees them, on a plane that faces the mapping cameras, and aligned by
inverse-compositional Lucas-Kanade (Baker and Matthews 2004) but for gain and bias. Keypoints begin
at the same pose.
"""

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import tyro
from accuracy import opened
from landmark_detectors import KINDS, Gray
from landmark_kinds import LIMITS, mapped
from numpy.typing import NDArray

from reloc.errors import RelocError
from reloc.geometry import Camera, inverted, pose_error, transformed
from reloc.images.files import read_image
from reloc.landmarks import Landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.localize import Localizer
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.maps import SceneMap
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.refinement import RefinementOptions, refined_pose
from reloc.sampling import even_picks, evenly
from reloc.scenes import Frame, posed

Array = NDArray[np.float64]

KIND = "SIFT, short side 480"  # whose points have patches
SIDE, OCTAVES = 8, 3
MOST = 600  # patches of a query
ROUNDS = 12  # of an alignment
ALIKE = 0.8  # correlation of a patch with what it was aligned with
# From the coarsest octave to the finest: what may agree is within so many pixels.
GATES = (24.0, 10.0, 4.0)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder whose subfolders are scenes, named as for ``accuracy.py``.
        maps: a map of each scene to measure, for its heads.
        frames: mapping frames of a scene, at most, evenly spaced.
        queries: of a scene, at most, evenly spaced.
        out: folder of the landmarks, those of ``landmark_kinds.py`` if they are there.
    """

    scenes: Path
    maps: dict[str, Path] = field(default_factory=dict)
    frames: int = 100
    queries: int = 40
    out: Path = Path("benchmark-results")


@dataclass(frozen=True)
class Patches:
    """What landmarks look like.

    Attributes:
        pixels: (octaves, N, SIDE * SIDE) float32, of mean 0 and length 1; 0 where there is none.
        axes: (N, 2, 3) of a patch: a step of the finest octave along its lines and columns, world.
    """

    pixels: Array
    axes: Array


def grid(octave: int) -> Array:
    """Steps (SIDE * SIDE, 2) from the middle of a patch."""
    steps = (np.arange(SIDE) - (SIDE - 1) / 2) * 2**octave
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def pyramid(image: Gray) -> list[NDArray[np.float32]]:
    """The image, blurred for steps of each octave, at its full size."""
    plain = image.astype(np.float32)
    return [plain] + [
        np.asarray(cv2.GaussianBlur(plain, (0, 0), 0.5 * 2**octave)) for octave in range(1, OCTAVES)
    ]


def sampled(image: NDArray[np.float32], pixels: Array) -> Array:
    """Values (N, K) at pixels (N, K, 2); OpenCV has pixel centers at whole numbers."""
    at = (pixels - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def normalized(values: Array) -> Array:
    """Values (..., K) without their mean, at length 1: any gain and bias give the same."""
    centered = values - values.mean(axis=-1, keepdims=True)
    return centered / np.maximum(np.linalg.norm(centered, axis=-1, keepdims=True), 1e-6)


def projected(points: Array, world_from_cam: Array, camera: Camera) -> Array:
    """Pixels (..., 2) of points (..., 3) that lie before a camera."""
    flat = transformed(inverted(world_from_cam), points.reshape(-1, 3))
    return camera.project(flat).reshape(*points.shape[:-1], 2)


def slopes(points: Array, axes: Array, world_from_cam: Array, camera: Camera) -> Array:
    """Pixels (N, 2, 2) that a step along each axis (row) moves a point by."""
    ends = projected(points[:, None] + axes, world_from_cam, camera)
    return ends - projected(points, world_from_cam, camera)[:, None]


def cut(landmarks: Landmarks, matcher: LandmarkMatcher, frames: tuple[Frame, ...]) -> Patches:
    """Patches of all landmarks from the mapping images that look at them most directly."""
    best, source = np.full(len(landmarks), -1.0), np.full(len(landmarks), -1)
    for number, frame in enumerate(frames):
        assert frame.world_from_cam is not None
        rows, _, _ = matcher.visible(frame.world_from_cam, frame.camera)
        toward = frame.world_from_cam[:3, 3] - landmarks.points[rows]
        toward /= np.linalg.norm(toward, axis=1, keepdims=True)
        cosines = (toward * landmarks.directions[rows]).sum(axis=1)
        better = rows[cosines > best[rows]]
        best[better], source[better] = cosines[cosines > best[rows]], number
    pixels = np.zeros((OCTAVES, len(landmarks), SIDE * SIDE))
    axes = np.zeros((len(landmarks), 2, 3))
    for number, frame in enumerate(frames):
        rows = np.flatnonzero(source == number)
        if not len(rows):
            continue
        assert frame.world_from_cam is not None
        # On a plane at right angles to the mean viewing direction, along lines of the image.
        normal = landmarks.directions[rows].astype(np.float64)
        line = (
            frame.world_from_cam[:3, 0] - normal * (normal @ frame.world_from_cam[:3, 0])[:, None]
        )
        line /= np.linalg.norm(line, axis=1, keepdims=True)
        depth = transformed(inverted(frame.world_from_cam), landmarks.points[rows])[:, 2]
        both = np.stack([line, np.cross(line, normal)], axis=1)
        axes[rows] = both * (depth / frame.camera.focal)[:, None, None]
        slope = slopes(landmarks.points[rows], axes[rows], frame.world_from_cam, frame.camera)
        middle = projected(landmarks.points[rows], frame.world_from_cam, frame.camera)
        for octave, image in enumerate(pyramid(read_image(frame.image, gray=True))):
            values = sampled(image, middle[:, None] + grid(octave) @ slope)
            # As a file would keep them.
            low, span = values.min(axis=1, keepdims=True), np.ptp(values, axis=1, keepdims=True)
            kept = np.rint((values - low) / np.maximum(span, 1e-6) * 255)
            pixels[octave, rows] = normalized(kept)
    return Patches(pixels, axes)


def aligned(
    image: NDArray[np.float32], patches: Array, places: Array, slope: Array, octave: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Where patches (N, SIDE * SIDE) are in an image, from places (N, 2) on; and if they are there.

    The patch is moved towards the image, so that slopes of the patch are those of all rounds.
    """
    square = patches.reshape(-1, SIDE, SIDE)
    slants = [np.gradient(square, axis=axis) for axis in (2, 1)]
    jacobian = np.stack(slants, axis=-1).reshape(len(patches), -1, 2)
    # What gain and bias explain is no motion.
    jacobian = jacobian - jacobian.mean(axis=1, keepdims=True)
    jacobian -= patches[..., None] * (patches[..., None] * jacobian).sum(axis=1, keepdims=True)
    normal = jacobian.transpose(0, 2, 1) @ jacobian + 1e-6 * np.eye(2)
    inverse = np.linalg.inv(normal)
    found, step = places.copy(), grid(octave)
    for _ in range(ROUNDS):
        seen = normalized(sampled(image, found[:, None] + step @ slope))
        off = np.einsum("nka,nk->na", jacobian, seen - patches)
        move = -np.einsum("nab,nb->na", inverse, off)
        move *= np.minimum(1, 2 / np.maximum(np.linalg.norm(move, axis=1, keepdims=True), 1e-9))
        found += 2**octave * np.einsum("na,nab->nb", move, slope)
    seen = normalized(sampled(image, found[:, None] + step @ slope))
    return found, (seen * patches).sum(axis=1) > ALIKE


def solve(
    patches: Patches, matcher: LandmarkMatcher, image: Gray, camera: Camera, first: Array
) -> Array | None:
    """The pose (4, 4) of a query that patches agree with."""
    known, pose = matcher.landmarks, first
    unit = min(image.shape) / 480
    levels = pyramid(image)
    for octave, gate in zip(reversed(range(OCTAVES)), GATES, strict=True):
        rows, pixels, _ = matcher.visible(pose, camera)
        some = even_picks(len(rows), MOST)
        rows, pixels = rows[some], pixels[some]
        if len(rows) < 4:
            return None
        slope = slopes(known.points[rows], patches.axes[rows], pose, camera)
        found, good = aligned(levels[octave], patches.pixels[octave, rows], pixels, slope, octave)
        good &= np.abs(found - pixels).max(axis=1) < 2 * gate * unit
        rays = camera.rays(found[good])
        scale = 1.0 if octave == 0 else gate / 4
        refined = refined_pose(
            pose,
            Correspondences.of_kind(
                Kind.LANDMARK, known.points[rows[good]], rays, camera.focal, sigma=unit * scale
            ),
            options=RefinementOptions(scale=1.0, gate=gate / scale),
        )
        if refined is None:
            return None
        pose = refined.world_from_cam
    return pose


def run(options: Options) -> None:
    """Measures patches and SIFT near the poses of heads."""
    cv2.setNumThreads(1)
    ends = ("median of extent", "median deg", *LIMITS, "query", "cutting")
    print("| " + " | ".join(("scene", "kind", *ends)) + " |\n" + "|---|---|" + "---:|" * len(ends))
    for name, path in options.maps.items():
        whole = opened(name, options.scenes)
        frames = evenly(posed(whole.mapping), options.frames)
        queries, extent = evenly(posed(whole.queries), options.queries), whole.extent()
        heads = Localizer(replace(SceneMap.load(path), landmarks=None))
        file = options.out / "landmarks" / f"{name}-{len(frames)}-480.npz"
        landmarks, _ = mapped(replace(whole, mapping=frames), KINDS[KIND], file)
        matcher, solver = LandmarkMatcher(landmarks), LandmarkSolver(landmarks)
        began = time.process_time()
        patches = cut(landmarks, matcher, frames)
        cutting = time.process_time() - began
        errors: dict[str, list[tuple[float, float]]] = {"heads": [], KIND: [], "patches": []}
        spent: dict[str, list[float]] = {kind: [] for kind in errors}
        for frame in queries:
            assert frame.world_from_cam is not None
            image = read_image(frame.image, gray=True)
            first = heads.localize(frame.image, frame.camera).world_from_cam
            for kind in errors:
                began, pose = time.process_time(), first
                if first is not None and kind == KIND:
                    seen = KINDS[KIND].query(image)
                    found = solver.solve(seen, frame.camera, first, anywhere=False)
                    pose = None if found is None else found.world_from_cam
                elif first is not None and kind == "patches":
                    pose = solve(patches, matcher, image, frame.camera, first)
                spent[kind].append(time.process_time() - began)
                errors[kind].append(
                    (np.inf, np.inf) if pose is None else pose_error(pose, frame.world_from_cam)
                )
        for kind, pairs in errors.items():
            off, turned = np.array(pairs).T / ((extent,), (1,))
            shares = (100 * np.mean((off < a) & (turned < b)) for a, b in LIMITS.values())
            cells = [f"{100 * np.median(off):.4f} %", f"{np.median(turned):.3f}"]
            cells += [f"{share:.0f} %" for share in shares]
            cells += ["" if kind == "heads" else f"{1e3 * np.median(spent[kind]):.0f} ms"]
            cells += [f"{cutting:.0f} s" if kind == "patches" else ""]
            print(f"| {name} | {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
