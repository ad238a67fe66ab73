"""Cameras of many photos in one file: COLMAP's, transforms.json, or a list by the photos' names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from reloc.errors import CameraError, RelocError
from reloc.geometry import CAMERA_MODELS, Camera, same_aspect
from reloc.images.camera_spec import parse_camera
from reloc.images.files import IMAGE_SUFFIXES
from reloc.scenes import colmap, transforms
from reloc.scenes.colmap_model import model_file, read_cameras, read_posed_images
from reloc.scenes.raw import CameraSource, no_camera
from reloc.scenes.text import data_lines
from reloc.scenes.transforms_camera import camera_of

# A list of a hundred thousand photos with a line of COLMAP for each.
MAX_LIST_BYTES = 20_000_000


@dataclass(frozen=True)
class CameraList:
    """Cameras of photos.

    Attributes:
        path: the file or folder, for messages.
        named: the camera of each photo, by its path.
        others: cameras of no photo in particular.
    """

    path: Path
    named: Mapping[str, CameraSource]
    others: tuple[CameraSource, ...] = ()
    _by_stem: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in self.named:
            self._by_stem.setdefault(_stem(PurePosixPath(name)), []).append(name)

    def of(self, name: str, *, width: int, height: int) -> Camera:
        """The camera of a photo: by its name, else the one of its shape.

        Args:
            name: of the photo; as much of its path counts as the list has, or the other way round.
            width: of the photo, in pixels.
            height: of the photo.

        Raises:
            CameraError: the list has none for it, or several.
        """
        own = self._named_like(name)
        sources = [self.named[n] for n in own] or [*self.others, *self.named.values()]
        cameras = dict.fromkeys(_made(source, width, height) for source in sources)
        if not own:
            fitting = [c for c in cameras if same_aspect((width, height), (c.width, c.height))]
            cameras = dict.fromkeys(fitting or cameras)
        if len(cameras) != 1:
            found = "no camera" if not cameras else f"{len(cameras)} cameras"
            raise CameraError(
                f"{self.path}: {found} for {name}, {width}x{height}; add a line 'NAME CAMERA' for "
                "each photo to a text file, and give that"
            )
        return next(iter(cameras))

    def _named_like(self, name: str) -> list[str]:
        """The names of the list that mean a photo: those that share most of the path's end."""
        path = PurePosixPath(name)
        alike = {n: _shared(PurePosixPath(n), path) for n in self._by_stem.get(_stem(path), ())}
        return [n for n, count in alike.items() if count == max(alike.values())]


def read_camera_list(text: str) -> CameraList | None:
    """The cameras that a path names; None where a text is no such path but a camera itself.

    Args:
        text: a folder with a COLMAP model or transforms.json; ``cameras.txt`` or ``.bin``, with
            ``images`` beside it for names; a ``.json`` as nerfstudio has it; or a text file with
            ``NAME CAMERA`` on each line, CAMERA as ``parse_camera`` reads it.

    Raises:
        CameraError: it is such a file or folder, but damaged or without cameras.
    """
    path = Path(text)
    try:
        if not path.exists():
            return None
    except (OSError, ValueError):  # the parameters of a camera may be too long for a name
        return None
    try:
        return _read(path)
    except CameraError:
        raise
    except RelocError as error:
        raise CameraError(str(error)) from error
    except OSError as error:
        raise CameraError(f"{path}: cannot be read ({error.strerror})") from error


def _read(path: Path) -> CameraList | None:
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        return None
    if path.suffix.lower() == ".json":
        return _of_transforms(path)
    if path.name == "cameras.bin" or (path.name == "cameras.txt" and _models(path) > 1):
        return _of_model(path, model_file(path.parent, "images"))
    return _of_lines(path)


def _of_folder(folder: Path) -> CameraList:
    model = colmap.model_folder(folder)
    cameras = model and model_file(model, "cameras")
    if model and cameras:
        return _of_model(cameras, model_file(model, "images"))
    file = folder / "transforms.json"
    if file.is_file():
        return _of_transforms(file)
    raise CameraError(
        f"{folder}: holds no cameras; give a folder with a COLMAP model or transforms.json"
    )


def _of_model(cameras: Path, images: Path | None) -> CameraList:
    found = read_cameras(cameras)
    if images is None:
        return CameraList(cameras, {}, tuple(found.values()))
    named = {
        image.name: found.get(
            image.camera_id, no_camera(f"{cameras}: has no camera {image.camera_id}")
        )
        for image in read_posed_images(images)
    }
    return CameraList(cameras, named, tuple(found.values()))


def _of_transforms(path: Path) -> CameraList:
    top: dict[str, Any] = transforms.parsed(path)
    named = {
        entry["file_path"]: camera_of(top, entry)
        for entry in top["frames"]
        if isinstance(entry, dict) and isinstance(entry.get("file_path"), str)
    }
    return CameraList(path, named)


def _of_lines(path: Path) -> CameraList | None:
    """The cameras of a text file whose lines begin with the names of photos."""
    if path.stat().st_size > MAX_LIST_BYTES or b"\0" in path.read_bytes():
        return None
    rows = [line.split(maxsplit=1) for _, line in data_lines(path)]
    if not rows or not all(_is_image_name(row[0]) for row in rows):
        return None
    named: dict[str, CameraSource] = {}
    for name, *rest in rows:
        named[name] = partial(_parsed, f"{path}: {name}", rest[0] if rest else "")
    return CameraList(path, named)


def _parsed(where: str, text: str, width: int, height: int) -> Camera:
    try:
        return parse_camera(text, width=width, height=height)
    except CameraError as error:
        raise CameraError(f"{where}: {error}") from error


def _made(source: Camera | Callable[[int, int], Camera], width: int, height: int) -> Camera:
    return source if isinstance(source, Camera) else source(width, height)


def _models(cameras: Path) -> int:
    """How many lines of a file are cameras as COLMAP has them."""
    return sum(any(w in CAMERA_MODELS for w in line.split()[:2]) for _, line in data_lines(cameras))


def _is_image_name(word: str) -> bool:
    return PurePosixPath(word).suffix.lower() in IMAGE_SUFFIXES


def _stem(path: PurePosixPath) -> str:
    """The name of a photo without its suffix, which lists may leave out or have another of."""
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def _shared(a: PurePosixPath, b: PurePosixPath) -> int:
    """How many parts two paths of one photo have in common, from their ends.

    A list may begin anywhere above or below the folder that is given.
    """
    ours, theirs = a.parent.parts[::-1], b.parent.parts[::-1]
    count = 0
    while count < min(len(ours), len(theirs)) and ours[count] == theirs[count]:
        count += 1
    return 1 + count
