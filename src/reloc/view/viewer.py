"""A place as one HTML page to move about in: points, cameras, queries, photos; no network."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from reloc.evaluation.figures import (
    degrees_text,
    error_ticks,
    frame_outcome,
    length_scale,
    length_text,
)
from reloc.evaluation.metrics import Evaluation
from reloc.files import StrPath, json_text, write_text
from reloc.geometry import transformed
from reloc.progress import Progress, silent
from reloc.view.density import point_spacing, size_octaves
from reloc.view.exhibit import Exhibit
from reloc.view.page import rendered, web
from reloc.view.photos import photos_of
from reloc.view.placement import Placement, placed

Array = NDArray[np.float64]

# One script: each file uses what those before it define.
SCRIPTS = ("geometry", "drawing", "orbit", "marks", "panel", "look", "keyboard", "viewer")


def write_viewer(
    path: StrPath, shown: Exhibit, *, photos: int = 400, progress: Progress = silent
) -> None:
    """Writes the page of a place.

    Args:
        path: the HTML file.
        shown: the place; at least one of its frames has a pose.
        photos: how many photos the page holds at most: of queries first, worst first, then of
            mapping frames, evenly spaced.
        progress: told after every photo.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, viewer_html(shown, photos=photos, progress=progress))


def viewer_html(shown: Exhibit, *, photos: int = 400, progress: Progress = silent) -> str:
    """The page of a place as text; arguments as ``write_viewer``."""
    poses = [pose for frame in shown.frames for pose in frame.poses if pose is not None]
    placement = placed(shown.cloud.points, np.array(poses), up=shown.up)
    # A fixed shuffle: the first points of the page are an even sample of all of them.
    order = np.random.default_rng(0).permutation(np.flatnonzero(placement.kept))
    points = transformed(placement.page_from_world, shown.cloud.points[order])
    places, cloud = _steps(points)
    landmarks = transformed(placement.page_from_world, shown.landmarks)
    landmark_places, landmark_box = _steps(landmarks[placement.near(landmarks)])
    spacing = point_spacing(points)
    # By 64ths of an octave, from half the spacing up.
    sizes = np.rint(64 * (size_octaves(points, spacing) + 1)).astype(np.uint8)
    colors = np.column_stack([shown.cloud.colors[order], sizes])
    pictures = photos_of(shown.frames, photos, progress=progress)
    data = {
        "facts": _facts(shown, len(points), len(landmark_places)),
        "metric": shown.unit == "metre",
        "cloud": {**cloud, "radius": 0.6 * spacing},
        "landmarks": landmark_box,
        "place": _place(placement),
        "home": _home(placement),
        "errors": _errors(shown.evaluation),
        "labels": [
            {"text": label.text, "at": transformed(placement.page_from_world, label.at[None])[0]}
            for label in shown.labels
        ],
        **_frames(shown, placement, pictures),
    }
    script = _script()
    return rendered(
        "viewer.html",
        digest=_text(hashlib.sha256(script.encode()).digest()),
        title=shown.title,
        # No name can close the element that holds the data.
        data=Markup(json_text(data, indent=None).replace("<", "\\u003c")),
        places=_text(places.tobytes()),
        colors=_text(colors.tobytes()),
        landmarks=_text(landmark_places.tobytes()),
        script=script,
    )


def _steps(points: Array) -> tuple[NDArray[np.uint16], dict[str, Any]]:
    """Points (N, 3) as steps of 16 bits in the box around them, and that box."""
    low = points.min(axis=0, initial=np.inf) if len(points) else np.zeros(3)
    span = np.maximum(np.ptp(points, axis=0), 1e-9) if len(points) else np.ones(3)
    steps = np.rint((points - low) / span * 65535).astype("<u2")
    return steps, {"count": len(points), "low": low, "span": span}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _script() -> Markup:
    return Markup('"use strict";\n') + Markup("\n").join(web(f"{name}.js") for name in SCRIPTS)


def _frames(shown: Exhibit, placement: Placement, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    cameras = list(dict.fromkeys(frame.camera for frame in shown.frames))
    number = {camera: index for index, camera in enumerate(cameras)}

    def numbers(pose: Array | None) -> list[float] | None:
        if pose is None:
            return None
        return [float(f"{value:.7g}") for value in (placement.page_from_world @ pose)[:3].ravel()]

    frames = []
    for frame in shown.frames:
        pose, estimate = frame.poses
        result = frame.result
        error = result.translation_error if result is not None else None
        frames.append(
            {
                "name": frame.name,
                "query": frame.query,
                "camera": number[frame.camera],
                "pose": numbers(pose),
                "estimate": numbers(estimate),
                "judged": result is not None,
                "localized": result is not None and result.localized,
                # Infinite for a lost frame, which JSON makes null.
                "error": error,
                "text": frame_outcome(result, shown.evaluation)
                if result is not None and shown.evaluation is not None
                else "",
                "photo": _text(pictures[frame.name]) if frame.name in pictures else None,
            }
        )
    values = [[c.width, c.height, c.fx, c.fy, c.cx, c.cy] for c in cameras]
    return {"cameras": values, "frames": frames}


def _facts(shown: Exhibit, points: int, landmarks: int) -> list[str]:
    mapping = sum(not frame.query for frame in shown.frames)
    facts = [f"{points:,} points"] if points else []
    facts += [f"{landmarks:,} landmarks"] if landmarks else []
    facts.append(f"{mapping} mapping cameras")
    evaluation = shown.evaluation
    if evaluation is None:
        queries = len(shown.frames) - mapping
        return facts + ([f"{queries} queries"] if queries else [])
    median = length_text(evaluation.median_translation, evaluation)
    return [
        *facts,
        f"{evaluation.localized} of {evaluation.queries} queries localized",
        f"median error {median}, {degrees_text(evaluation.median_rotation_deg)}",
    ]


def _place(placement: Placement) -> dict[str, Any]:
    # Squares of the floor: the largest of 1, 2 and 5 times a power of ten that gives about ten.
    step = placement.radius / 4
    power = 10 ** np.floor(np.log10(step))
    return {
        "centre": np.zeros(3),
        "radius": placement.radius,
        "floor": placement.low[2],
        "top": placement.high[2],
        "step": power * max(digit for digit in (1, 2, 5) if digit * power <= step),
    }


def _home(placement: Placement) -> dict[str, Any]:
    return {
        "target": np.zeros(3),
        "yaw": placement.yaw,
        "pitch": 0.8,  # over the walls of a room
        "distance": 1.75 * placement.radius,
    }


def _errors(evaluation: Evaluation | None) -> dict[str, Any] | None:
    """The scale of the error colours and the range of the errors, both in scene units."""
    if evaluation is None:
        return None
    scale, unit = length_scale(evaluation)
    ticks = error_ticks(evaluation)
    errors, _ = evaluation.errors()
    found = errors[np.isfinite(errors) & (errors > 0)]
    low, high = (found.min(), found.max()) if len(found) else (ticks[0] / scale, ticks[-1] / scale)
    low = max(low, 1e-3 * ticks[0] / scale)
    return {
        "scale": scale,
        "unit": unit,
        "ends": [ticks[0] / scale, ticks[-1] / scale],
        "ticks": [[tick / scale, f"{tick:g}"] for tick in ticks],
        "range": [low, max(high, 1.01 * low)],
    }
