"""Cambridge Landmarks: dataset_train.txt, dataset_test.txt and the model reconstruction.nvm."""

from pathlib import Path
from typing import Literal

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera, pose_from, rotation_from_quaternion
from reloc.images.files import IMAGE_SUFFIXES
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.names import without_suffix
from reloc.scenes.raw import CameraSource, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import read_text

LAYOUT = "cambridge"
LOOKS_FOR = "dataset_train.txt or dataset_test.txt"
NAMES_IMAGES = True

# The published images, and so the focal lengths of the model, have this size.
WIDTH, HEIGHT = 1920, 1080

_HEADER_LINES = 3
_LISTS: tuple[tuple[str, Literal["mapping", "query"]], ...] = (
    ("dataset_train.txt", "mapping"),
    ("dataset_test.txt", "query"),
)


def matches(root: Path) -> bool:
    """Whether a folder holds a list of Cambridge Landmarks."""
    return any((root / name).is_file() for name, _ in _LISTS)


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Lines are ``image X Y Z W P Q R``: camera centre, then camera-from-world quaternion (wxyz).

    Focal lengths are those of the model, whose radial distortion is small and left out, as is
    customary; the principal point is the centre. The images lie in the scene's folder or in
    ``images``.

    Raises:
        SceneError: a list or the model is malformed.
    """
    model = root / "reconstruction.nvm"
    focals = _focals(model) if model.is_file() else None
    entries = [
        (part, *_entry(root / file, number, line))
        for file, part in _LISTS
        if (root / file).is_file()
        for number, line in _lines(root / file)
    ]
    locator = Locator(root, [listed for _, listed, _, _ in entries], given=images)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for part, listed, pose, fault in entries:
        located = locator.find(listed)
        if located is None:
            skipped.append(leads_out(listed))
            continue
        camera = _camera(model, focals, listed)
        frames.append(RawFrame(located.name, located.path, camera, pose, fault, part))
    return RawScene(tuple(frames), unit="metre", skipped=tuple(skipped), notes=locator.notes())


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbers and text of the lines after the header, which some copies of a list lack."""
    lines = list(enumerate(read_text(path).splitlines(), start=1))
    header = 0
    while header < _HEADER_LINES and not _names_an_image(lines[header : header + 1]):
        header += 1
    return [(number, line) for number, line in lines[header:] if line.strip()]


def _names_an_image(lines: list[tuple[int, str]]) -> bool:
    return any(word.lower().endswith(IMAGE_SUFFIXES) for _, text in lines for word in text.split())


def _entry(path: Path, number: int, line: str) -> tuple[str, Array | None, str | None]:
    words = line.split()
    try:
        values = np.array([float(word) for word in words[1:]])
    except ValueError:
        values = np.empty(0)
    if values.shape != (7,):
        raise SceneError(f"{path}:{number}: expected 'image X Y Z W P Q R', got {line[:80]!r}")
    try:
        rotation = rotation_from_quaternion(values[3:])
    except ValueError as error:
        return words[0], None, str(error)
    return words[0], pose_from(rotation.T, values[:3]), None


def _camera(model: Path, focals: dict[str, float] | None, listed: str) -> CameraSource:
    if focals is None:
        return no_camera(f"{model} is missing, which holds the focal lengths; restore it")
    focal = focals.get(without_suffix(listed.replace("\\", "/")))
    if focal is None:
        return no_camera(f"no focal length in {model.name}")
    if not 0 < focal < 1e6:
        return no_camera(f"impossible focal length {focal} in {model.name}")
    return Camera.pinhole(width=WIDTH, height=HEIGHT, fx=focal)


def _focals(path: Path) -> dict[str, float]:
    """Focal length by image name without suffix, of a VisualSFM model (NVM_V3)."""
    lines = (line for line in read_text(path).splitlines() if line.strip())
    damaged = SceneError(f"{path}: no NVM_V3 model, or cut short; restore it")
    if not next(lines, "").startswith("NVM_V3"):
        raise damaged
    try:
        count = int(next(lines, ""))
        focals: dict[str, float] = {}
        for _ in range(count):
            # Names are followed by a tab and ten numbers; focal length first.
            words = next(lines, "").split()
            focals[without_suffix(words[0].replace("\\", "/"))] = float(words[1])
    except (ValueError, IndexError) as error:
        raise damaged from error
    return focals
