"""The one place where frames are checked, whatever format they came in."""

from collections import Counter
from pathlib import Path

import numpy as np

from reloc.errors import CameraError, ImageError, SceneError
from reloc.geometry import Camera, orthonormalized, pose_problem
from reloc.images.files import image_size, stretch_notes
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene
from reloc.scenes.scene import Depth, Frame, Scene, Skipped, posed

MIN_MAPPING_FRAMES = 5
_SAME_ASPECT = 0.01
_MAX_COORDINATE = 1e12
_SAME_SPOT_METRES = 1e-3
# Of the distance of the cameras from the origin: what is left of it is rounding. Small enough for
# rooms that are placed in a national grid, millions of metres from its origin.
_SAME_SPOT_SHARE = 1e-8


class _Unusable(Exception):
    """Why a frame cannot be used."""


def checked_scene(raw: RawScene, *, root: Path, layout: str) -> Scene:
    """A scene of the frames that can be used, with the reasons for leaving out the others.

    Images must exist and have a readable header, cameras must fit their images, names must be
    unique, poses must be rigid (they are made exactly so). A query may lack a pose, for nobody
    knows where a new photo was taken.

    Raises:
        SceneError: no frame is usable.
    """
    parts: dict[str, list[Frame]] = {"mapping": [], "query": []}
    skipped = list(raw.skipped)
    remarks = Counter[str]()
    seen = set[str]()
    for frame in raw.frames:
        try:
            if frame.name in seen:
                raise _Unusable("another frame has the same name; the first one counts")
            seen.add(frame.name)
            if frame.part == "neither":
                raise _Unusable("in no part of the scene's own split")
            parts[frame.part].append(_checked_frame(frame, remarks))
        except _Unusable as problem:
            skipped.append(Skipped(frame.name, str(problem)))
    if not any(parts.values()):
        # What is wrong with real frames says more than stray entries do.
        raise SceneError(
            f"{root}: no usable frame{_commonest(skipped[len(raw.skipped) :] or skipped)}"
        )
    if skipped:
        remarks[f"skipped, for instance {skipped[0].name}: {skipped[0].reason}"] = len(skipped)
    return Scene(
        name=root.resolve().name,
        root=root,
        layout=layout,
        mapping=tuple(parts["mapping"]),
        queries=tuple(parts["query"]),
        unit=raw.unit,
        skipped=tuple(skipped),
        notes=raw.notes
        + tuple(f"{count} frames: {remark}" for remark, count in remarks.items())
        + stretch_notes([frame.image for frame in parts["mapping"] or parts["query"]]),
    )


def check_mappable(scene: Scene) -> None:
    """Checks that a map can be built from a scene.

    Raises:
        SceneError: there are too few mapping frames, or all were taken from one spot, so that
            nothing tells how far away things are.
    """
    usable = len(posed(scene.mapping))
    if usable < MIN_MAPPING_FRAMES:
        raise SceneError(
            f"{scene.root}: {usable} usable mapping frames, but a map needs at least "
            f"{MIN_MAPPING_FRAMES}{_commonest(scene.skipped)}"
        )
    limit = _SAME_SPOT_SHARE * float(np.abs(scene.mapping_centres()).max())
    if scene.unit == "metre":
        limit = max(limit, _SAME_SPOT_METRES)
    if scene.extent() <= limit:
        raise SceneError(
            f"{scene.root}: all {posed} mapping frames were taken from one spot, so depth cannot "
            "be known; add frames from other places"
        )


def _commonest(skipped: list[Skipped] | tuple[Skipped, ...]) -> str:
    if not skipped:
        return ""
    reason, count = Counter(s.reason for s in skipped).most_common(1)[0]
    name = next(s.name for s in skipped if s.reason == reason)
    return f"; skipped {len(skipped)}, of which {count} because: {reason} (for instance {name})"


def _checked_frame(frame: RawFrame, remarks: Counter[str]) -> Frame:
    try:
        width, height = image_size(frame.image)
    except ImageError as error:
        raise _Unusable(str(error).removeprefix(f"{frame.image}: ")) from error
    camera = _fitted(frame.camera, width, height)
    if isinstance(frame.camera, Camera) and camera is not frame.camera:
        remarks["the image has another size than its camera, which was scaled to fit"] += 1
    pose = frame.world_from_cam
    if pose is None:
        if frame.pose_fault or frame.part == "mapping":
            raise _Unusable(frame.pose_fault or "no pose")
    else:
        problem = pose_problem(pose)
        if problem:
            raise _Unusable(problem)
        if np.abs(pose[:3, 3]).max() > _MAX_COORDINATE:
            raise _Unusable("the camera stands impossibly far from the origin")
        pose = orthonormalized(pose)
    depth = None
    if frame.depth:
        try:
            depth = _checked_depth(frame.depth, camera)
        except (ImageError, _Unusable) as error:
            remarks[f"depth left out, for instance of {frame.name}: {error}"] += 1
    return Frame(frame.name, frame.image, camera, pose, depth, frame.time)


def _checked_depth(depth: RawDepth, colour: Camera) -> Depth:
    width, height = image_size(depth.path)
    return Depth(depth.path, _fitted(depth.camera or colour, width, height), depth.unit)


def _fitted(source: CameraSource, width: int, height: int) -> Camera:
    """The camera at the size of the image, unless it belongs to an image of another shape."""
    try:
        if not isinstance(source, Camera):
            return source(width, height)
        if (source.width, source.height) == (width, height):
            return source
        if abs(width * source.height / (height * source.width) - 1) < _SAME_ASPECT:
            return source.resized(width, height)
    except CameraError as error:
        raise _Unusable(str(error)) from error
    turned = abs(height * source.height / (width * source.width) - 1) < _SAME_ASPECT
    raise _Unusable(
        f"the camera is for {source.width}x{source.height}, but the image is {width}x{height}"
        + (", turned by 90 degrees; store it as it was calibrated" if turned else "")
    )
