"""transforms.json of nerfstudio and instant-ngp: OpenGL axes, intrinsics in many spellings."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reloc.errors import SceneError
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.names import NameIndex, inside
from reloc.scenes.raw import RawDepth, RawFrame, RawScene
from reloc.scenes.scene import Array, Mask, Skipped
from reloc.scenes.text import read_text
from reloc.scenes.transforms_camera import camera_of, ignores_tangential

LAYOUT = "transforms"
LOOKS_FOR = "transforms.json, or transforms_train.json with transforms_test.json"
NAMES_IMAGES = True

Split = Literal["mapping", "query", "neither"]

_FILES: tuple[tuple[str, Split], ...] = (
    ("transforms.json", "mapping"),
    ("transforms_train.json", "mapping"),
    ("transforms_val.json", "query"),
    ("transforms_test.json", "query"),
)
_SPLIT_LISTS: tuple[tuple[str, Split], ...] = (
    ("train_filenames", "mapping"),
    ("val_filenames", "query"),
    ("test_filenames", "query"),
)
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
# Units of length for each stored step of a depth image: millimetres in a scene of metres.
_DEPTH_UNIT = 0.001
# Seconds; beyond it, no time of a phone.
_LATEST = 1e12


def matches(root: Path) -> bool:
    """Whether a folder holds files of nerfstudio or instant-ngp."""
    return bool(_present(root))


def _present(root: Path) -> list[tuple[str, Split]]:
    """``transforms.json`` alone, or else the files of a split one."""
    found = [(name, part) for name, part in _FILES if (root / name).is_file()]
    return found[:1] if found and found[0][0] == "transforms.json" else found


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads all frames, in the world of the file: ``applied_transform`` is not undone.

    Intrinsics of a frame win over those of the file. The scale is arbitrary, so the unit is
    unknown, but for files of the app NeRFCapture, which are in metres.

    Args:
        root: the scene's folder.
        images: the folder of the images, if they are not where the file has them.

    Raises:
        SceneError: the file is no JSON of this kind.
    """
    files = [(name, part, parsed(root / name)) for name, part in _present(root)]
    locator = Locator(root, _listed(files, "file_path"), given=images)
    depths = Locator(root, _listed(files, "depth_file_path"))
    masks = Locator(root, _listed(files, "mask_path"))
    by_phone = all(_is_of_phone(top) for _, _, top in files)
    frames, skipped, notes = list[RawFrame](), list[Skipped](), list[str]()
    for file, part, top in files:
        split = _split(root, root / file, top)
        for number, entry in enumerate(top["frames"]):
            listed = _path(entry, "file_path")
            if listed is None:
                skipped.append(Skipped(f"{file} frame {number}", "has no file_path"))
                continue
            located = locator.find(listed)
            if located is None:
                skipped.append(replace(leads_out(listed), name=f"{file} frame {number}"))
                continue
            pose, fault = _world_from_cam(entry.get("transform_matrix"))
            frames.append(
                RawFrame(
                    name=located.name,
                    image=located.path,
                    camera=camera_of(top, entry, smaller=located.smaller),
                    world_from_cam=pose,
                    pose_fault=fault,
                    part=part if split is None else split(listed, located.name),
                    depth=_depth(depths, top, entry),
                    time=float(entry["timestamp"]) if by_phone else None,
                    mask=_mask(masks, entry),
                )
            )
        if "applied_transform" in top:
            notes.append(f"{file} has an applied_transform; poses stay in the world of the file")
        notes += _unused(file, top)
    return RawScene(
        tuple(frames),
        unit="metre" if by_phone else "unknown",
        skipped=tuple(skipped),
        notes=(*locator.notes(), *depths.notes(), *masks.notes(), *notes),
        tracked=by_phone,
    )


def _is_of_phone(top: Mapping[str, Any]) -> bool:
    """Whether a file is one of NeRFCapture, which is metric: each frame has its time and lens.

    Its ``depth_path`` is not that of nerfstudio, and often leads nowhere.
    """
    return bool(top["frames"]) and all(
        isinstance(entry, dict)
        and type(entry.get("timestamp")) in (int, float)
        and abs(entry["timestamp"]) < _LATEST
        and "fl_x" in entry
        for entry in top["frames"]
    )


def _path(entry: Any, key: str) -> str | None:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) and value else None


def _listed(files: Sequence[tuple[str, Split, Mapping[str, Any]]], key: str) -> list[str]:
    paths = (_path(entry, key) for _, _, top in files for entry in top["frames"])
    return [path for path in paths if path is not None]


def _depth(locator: Locator, top: Mapping[str, Any], entry: Mapping[str, Any]) -> RawDepth | None:
    """The depth of a frame, registered to its image; in millimetres unless the file says else."""
    listed = _path(entry, "depth_file_path")
    located = None if listed is None else locator.find(listed)
    if located is None:
        return None
    unit = {**top, **entry}.get("depth_unit_scale_factor", _DEPTH_UNIT)
    good = isinstance(unit, int | float) and not isinstance(unit, bool) and 0 < unit < 1e9
    return RawDepth(located.path, unit=float(unit)) if good else None


def _mask(locator: Locator, entry: Mapping[str, Any]) -> Mask | None:
    """The mask of a frame, whose black pixels nerfstudio leaves out."""
    listed = _path(entry, "mask_path")
    located = None if listed is None else locator.find(listed)
    return None if located is None else Mask(located.path)


def _unused(file: str, top: Mapping[str, Any]) -> list[str]:
    """What the file has that is not used."""
    entries = [entry for entry in top["frames"] if isinstance(entry, dict)]
    fisheyes = sum(ignores_tangential(top, entry) for entry in entries)
    if not fisheyes:
        return []
    return [f"{fisheyes} frames of {file} have p1 and p2, which a fisheye lens does not know"]


def parsed(path: Path) -> dict[str, Any]:
    """What a ``transforms.json`` says, which may have NaN in it: such frames are left out.

    Raises:
        SceneError: it is no JSON, or has no list of frames.
    """
    try:
        top = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path}: not valid JSON ({error}); export it again") from error
    if not isinstance(top, dict) or not isinstance(top.get("frames"), list):
        raise SceneError(
            f"{path}: has no list of frames; export it again with nerfstudio or COLMAP"
        )
    return top


def _split(root: Path, path: Path, top: Mapping[str, Any]) -> Callable[[str, str], Split] | None:
    """The part of an image, by its listed and its found name; None if the file has no such lists.

    Names are compared without their suffix, for either list may leave it out.
    """
    lists = [(key, part) for key, part in _SPLIT_LISTS if top.get(key) is not None]
    parts: dict[str, Split] = {}
    for key, part in lists:
        names = top[key]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SceneError(f"{path}: {key} is no list of file names; correct or remove it")
        for name in names:
            parts.setdefault(inside(root, name) or name, part)
    if not lists:
        return None
    index = NameIndex(parts)

    def part_of(listed: str, found: str) -> Split:
        name = index.find(inside(root, listed) or listed) or index.find(found)
        return "neither" if name is None else parts[name]

    return part_of


def _world_from_cam(matrix: Any) -> tuple[Array | None, str | None]:
    rows = matrix if isinstance(matrix, list) else []
    if not rows or not all(isinstance(row, list) for row in rows):
        return None, "transform_matrix is no matrix of numbers"
    if len(rows) not in (3, 4) or any(len(row) != 4 for row in rows):
        return None, "transform_matrix is not 4x4"
    values = [value for row in rows for value in row]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return None, "transform_matrix is no matrix of numbers"
    try:
        pose = np.array(rows, dtype=np.float64)
    except OverflowError:
        return None, "transform_matrix holds an impossible number"
    if len(rows) == 3:
        pose = np.vstack([pose, (0.0, 0.0, 0.0, 1.0)])
    return pose @ _OPENCV_FROM_OPENGL, None
