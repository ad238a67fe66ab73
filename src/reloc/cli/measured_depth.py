"""Depth that a user names beside images."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reloc.cli.arguments import Omittable
from reloc.errors import CameraError, ImageError, OptionError
from reloc.geometry import same_aspect
from reloc.images.camera_spec import parse_camera
from reloc.images.files import image_size
from reloc.images.sources import NamedImage
from reloc.localize import DepthFile
from reloc.scenes.depth import guessed_unit
from reloc.scenes.sidecar_files import SidecarFiles, first_word
from reloc.scenes.text import image_files

_UNITS = {"mm": 0.001, "m": 1.0}


@dataclass(frozen=True)
class DepthOptions:
    """Measured depth of the images.

    Attributes:
        depth: Measured depth of the image, or a folder of files called as the images are.
        depth_unit: Of depth: mm, m, or metres per stored step; told by the values without it.
        depth_camera: The depth camera's intrinsics, as for --camera; those of the image without it.

    Raises:
        OptionError: a unit or a camera of no depth.
    """

    depth: Annotated[Omittable[Path], tyro.conf.arg(metavar="PATH")] = None
    depth_unit: Annotated[Omittable[str], tyro.conf.arg(metavar="UNIT")] = None
    depth_camera: Omittable[str] = None

    def __post_init__(self) -> None:
        if self.depth is None and (self.depth_unit is not None or self.depth_camera is not None):
            raise OptionError("depth-unit and depth-camera need --depth PATH")

    def measured(
        self, images: Sequence[NamedImage] | None, units: Collection[str]
    ) -> "MeasuredDepth | None":
        """The depth of images, None if none is given; ``images`` is None where there are videos.

        Raises:
            OptionError: depth with videos; and as ``MeasuredDepth``.
            ImageError: as ``MeasuredDepth``.
        """
        if self.depth is None:
            return None
        if images is None:
            raise OptionError("depth goes with images, not with videos")
        return MeasuredDepth(
            self.depth, images, units, unit=self.depth_unit, camera=self.depth_camera
        )


class MeasuredDepth:
    """The depth of each image: a file for one image, or a folder with files of their names.

    Args:
        source: the file or folder.
        images: that depth is for.
        units: of the maps that the images may be localized in; one must be in metres, as depth is.
        unit: ``mm``, ``m``, metres per stored step, or None to tell by the values.
        camera: the depth camera, as ``parse_camera`` reads it; None for that of the image.

    Raises:
        OptionError: no map is in metres; one file for several images; no image has depth; no
            unit is called so.
        ImageError: the unit cannot be told from the values.
    """

    def __init__(
        self,
        source: Path,
        images: Sequence[NamedImage],
        units: Collection[str],
        *,
        unit: str | None,
        camera: str | None,
    ) -> None:
        if "metre" not in units:
            which = "the map is not" if len(units) == 1 else "none of the maps is"
            raise OptionError(
                f"{which} in metres, so measured depth says nothing there; localize "
                "without --depth or map the scene from metric poses"
            )
        self._files = _paired(source, images)
        self._unit = guessed_unit(self._files.values()) if unit is None else meters_per_step(unit)
        self._camera = camera

    def of(self, item: NamedImage) -> DepthFile | None:
        """The depth of an image, if it has any.

        Raises:
            CameraError: the depth has another shape than the image, and no camera of its own; or
                that has another shape than the depth.
            ImageError: the file is no image.
        """
        path = self._files.get(item.name)
        if path is None or not isinstance(item.image, Path):
            return None
        width, height = image_size(path)
        if self._camera is not None:
            camera = parse_camera(self._camera, width=width, height=height)
            _check_shape(path, (width, height), (camera.width, camera.height), "its camera")
            return DepthFile(path, self._unit, camera.resized(width, height))
        try:
            size = image_size(item.image)
        except ImageError:
            return None  # the localizer will say what is wrong with the image
        _check_shape(path, (width, height), size, "the image")
        return DepthFile(path, self._unit)


def _check_shape(path: Path, size: tuple[int, int], other: tuple[int, int], owner: str) -> None:
    if not same_aspect(other, size):
        raise CameraError(
            f"{path}: depth is {size[0]}x{size[1]}, {owner} {other[0]}x{other[1]}, which is "
            "another shape; give that of the depth with --depth-camera"
        )


def _paired(source: Path, images: Sequence[NamedImage]) -> dict[str, Path]:
    if source.is_file():
        if len(images) != 1:
            raise OptionError(
                f"{source}: one depth file for {len(images)} images; give a folder of files that "
                "are called as the images are"
            )
        return {images[0].name: source}
    if not source.is_dir():
        raise ImageError(f"{source}: no such depth file or folder")
    paths = {item.name: item.image for item in images if isinstance(item.image, Path)}
    taken = {path.resolve() for path in paths.values()}
    sidecars = SidecarFiles(path for path in image_files(source) if path.resolve() not in taken)
    words = Counter(map(first_word, paths.values()))
    shared = {word for word, count in words.items() if count > 1}
    files = {name: sidecars.of(path, shared) for name, path in paths.items()}
    found = {name: path for name, path in files.items() if path is not None}
    if not found:
        raise OptionError(
            f"{source}: no file there is called as one of the {len(images)} images are"
        )
    return found


def meters_per_step(unit: str) -> float:
    """Metres per stored step of depth: of mm, m, or a number. Raises OptionError."""
    try:
        meters = _UNITS[unit] if unit in _UNITS else float(unit)
    except ValueError:
        meters = 0.0
    if not 0 < meters <= 1:
        raise OptionError(f"depth-unit is mm, m, or metres per step such as 0.0002, not {unit!r}")
    return meters
