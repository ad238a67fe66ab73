"""The one place where frames are checked, whatever format they came in."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reloc.errors import CameraError, ImageError, SceneError
from reloc.geometry import Camera, orthonormalized, pose_problem, rotation_scale, same_aspect
from reloc.geometry.turns import turned_camera
from reloc.images.files import NO_IMAGE, image_size, stretch_notes
from reloc.images.lens import read_lens
from reloc.scenes.jumps import jump_notes
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene
from reloc.scenes.scene import Array, Depth, Frame, Scene, Skipped, posed

MIN_MAPPING_FRAMES = 5
_MAX_COORDINATE = 1e12
_SAME_SPOT_METERS = 1e-3
# Of the distance of the cameras from the origin: what is left of it is rounding. Small enough for
# rooms that are placed in a national grid, millions of metres from its origin.
_SAME_SPOT_SHARE = 1e-8


class _Unusable(Exception):
    """Why a frame cannot be used."""


class _Remarks:
    """What was noticed of frames: a line for each kind, however many frames it is true of."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._examples: dict[str, str] = {}

    def add(self, kind: str, example: str = "") -> None:
        self._counts[kind] += 1
        self._examples.setdefault(kind, f", for instance {example}" if example else "")

    def lines(self) -> tuple[str, ...]:
        return tuple(
            f"{n} frames: {kind}{self._examples[kind]}" for kind, n in self._counts.items()
        )


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
    remarks = _Remarks()
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
    notes = (
        *raw.notes,
        *remarks.lines(),
        _mask_note(parts["mapping"]),
        *(jump_notes(parts["mapping"]) if raw.tracked else ()),
        *stretch_notes([frame.image for frame in parts["mapping"] or parts["query"]]),
        skipped_note(skipped),
    )
    return Scene(
        name=root.resolve().name,
        root=root,
        layout=layout,
        mapping=tuple(parts["mapping"]),
        queries=tuple(parts["query"]),
        unit=raw.unit,
        skipped=tuple(skipped),
        notes=tuple(dict.fromkeys(note for note in notes if note)),
        model=raw.model,
    )


def _mask_note(frames: Sequence[Frame]) -> str:
    count = sum(frame.mask is not None and frame.mask.path is not None for frame in frames)
    if not count:
        return ""
    return f"{count} of {len(frames)} frames have a mask; what is black in it is not mapped"


def skipped_note(skipped: Sequence[Skipped]) -> str:
    """The remark that frames were skipped; empty if none were."""
    if not skipped:
        return ""
    return f"{len(skipped)} frames: skipped, for instance {skipped[0].name}: {skipped[0].reason}"


def reason_groups(skipped: Sequence[Skipped]) -> list[list[Skipped]]:
    """What was skipped for one kind of reason, most first.

    Reasons are of one kind if they are the same but for paths, numbers and quoted text.
    """
    groups: dict[str, list[Skipped]] = {}
    for entry in skipped:
        reason = entry.reason.replace(entry.name, "#")
        kind = re.sub(r"'[^']*'|\S*/\S*|[-+]?\d[\d.e+-]*|\b(nan|inf)\b", "#", reason)
        groups.setdefault(kind, []).append(entry)
    return sorted(groups.values(), key=lambda group: -len(group))


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
    limit = _SAME_SPOT_SHARE * float(np.abs(scene.mapping_centers()).max())
    if scene.unit == "metre":
        limit = max(limit, _SAME_SPOT_METERS)
    if scene.extent() <= limit:
        raise SceneError(
            f"{scene.root}: all {usable} mapping frames were taken from one spot, so depth cannot "
            "be known; add frames from other places"
        )


def _commonest(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    group = reason_groups(skipped)[0]
    hint = "; say where the images are with --images DIR" if group[0].reason == NO_IMAGE else ""
    return (
        f"; skipped {len(skipped)}, of which {len(group)} because: {group[0].reason} "
        f"(for instance {group[0].name}){hint}"
    )


def _checked_frame(frame: RawFrame, remarks: _Remarks) -> Frame:
    try:
        width, height = image_size(frame.image)
    except ImageError as error:
        raise _Unusable(str(error).removeprefix(f"{frame.image}: ")) from error
    source, pose = frame.camera, frame.world_from_cam
    turn = _turn_to_camera(frame.image, source, width, height)
    if turn and isinstance(source, Camera):
        source = _turned(source, -turn)
        pose = None if pose is None else pose @ _upright_from_stored(turn)
        remarks.add(
            "stored turned, as its EXIF says; its upright camera and pose were turned along"
        )
    camera = _fitted(source, width, height)
    if isinstance(source, Camera) and camera is not source:
        remarks.add("the image has another size than its camera, which was scaled to fit")
    if pose is None:
        if frame.pose_fault or frame.part == "mapping":
            raise _Unusable(frame.pose_fault or "no pose")
    else:
        pose = _rigid(pose, frame.name, remarks)
        if np.abs(pose[:3, 3]).max() > _MAX_COORDINATE:
            raise _Unusable("the camera stands impossibly far from the origin")
        pose = orthonormalized(pose)
    depth = None
    if frame.depth:
        try:
            depth = _checked_depth(frame.depth, camera)
        except (ImageError, _Unusable) as error:
            remarks.add("depth left out", f"of {frame.name}: {error}")
    mask = frame.mask
    if mask is not None and mask.path is not None:
        try:
            if not same_aspect(image_size(mask.path), (width, height)):
                raise _Unusable("its shape is not that of the image")
        except (ImageError, _Unusable) as error:
            remarks.add("mask left out", f"of {frame.name}: {error}")
            mask = None
    return Frame(frame.name, frame.image, camera, pose, depth, frame.time, mask)


def _turn_to_camera(image: Path, source: CameraSource, width: int, height: int) -> int:
    """Quarter turns clockwise that make a stored image one of its camera; 0 if it is or none do.

    Programs differ in whether they turn photos by their EXIF tag. Where the shape of the camera is
    that of the upright picture, they did.
    """
    if not isinstance(source, Camera) or same_aspect(
        (width, height), (source.width, source.height)
    ):
        return 0
    if not same_aspect((height, width), (source.width, source.height)):
        return 0
    turn = read_lens(image).turn
    return turn if turn in (1, 3) else 0


def _turned(camera: Camera, turn: int) -> Camera:
    try:
        return turned_camera(camera, turn)
    except CameraError as error:
        raise _Unusable(str(error)) from error


def _upright_from_stored(turn: int) -> Array:
    """The pose (4, 4) of the camera of a stored image in that of the upright one."""
    quarter = np.eye(4)
    quarter[:2, :2] = [[0, -1], [1, 0]]  # what was at the top is at the right
    return np.linalg.matrix_power(quarter, turn)


def _rigid(pose: Array, name: str, remarks: _Remarks) -> Array:
    """The pose, without a scale that its rotation may have."""
    problem = pose_problem(pose)
    scale = rotation_scale(pose) if problem else None
    if scale is not None:
        pose = pose.copy()
        pose[:3, :3] /= scale
        problem = pose_problem(pose)
    if problem:
        raise _Unusable(problem)
    if scale is not None:
        remarks.add("the rotation has a scale, which was taken out", f"{scale:.4g} of {name}")
    return pose


def _checked_depth(depth: RawDepth, color: Camera) -> Depth:
    width, height = image_size(depth.path)
    if depth.confidence is not None and image_size(depth.confidence) != (width, height):
        raise _Unusable("its confidence is of another size")
    return Depth(
        depth.path,
        _fitted(depth.camera or color, width, height),
        depth.unit,
        confidence=depth.confidence,
        least=depth.least,
    )


def _fitted(source: CameraSource, width: int, height: int) -> Camera:
    """The camera at the size of the image, unless it belongs to an image of another shape."""
    try:
        if not isinstance(source, Camera):
            return source(width, height)
        if (source.width, source.height) == (width, height):
            return source
        if same_aspect((width, height), (source.width, source.height)):
            return source.resized(width, height)
    except CameraError as error:
        raise _Unusable(str(error)) from error
    turned = same_aspect((height, width), (source.width, source.height))
    raise _Unusable(
        f"the camera is for {source.width}x{source.height}, but the image is {width}x{height}"
        + (", turned by 90 degrees; store it as it was calibrated" if turned else "")
    )
