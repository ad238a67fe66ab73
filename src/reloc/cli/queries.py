"""Queries of images that a user names, with the camera and the depth that are given for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from reloc.cli.measured_depth import MeasuredDepth
from reloc.cli.query_lists import Listed
from reloc.errors import CameraError, ImageError
from reloc.geometry import Camera
from reloc.images.camera_spec import parse_camera
from reloc.images.files import image_size
from reloc.images.lens import read_lens
from reloc.images.sources import NamedImage, named_images
from reloc.localize import Query
from reloc.scenes.camera_lists import CameraList


def queries_of(
    images: Sequence[Path],
    *,
    every: int,
    camera: str | CameraList | None,
    depth: MeasuredDepth | None,
    expect: Callable[[NamedImage], None],
    listed: Mapping[Path, Listed] | None = None,
) -> Iterator[Query]:
    """A query for each image; what is wrong with one goes with it, so that the others go on.

    Args:
        images: image files, folders and videos.
        every: take only every so many frames of a video.
        camera: what the user gives for all, as ``parse_camera`` reads it, or a list.
        depth: of the images.
        expect: told of each image before its query is yielded.
        listed: what lists tell of image files: what they are called, and cameras, which go first.
    """
    for item, fault in _readable(images, every=every):
        given, known = None, None
        entry = (listed or {}).get(item.image) if isinstance(item.image, Path) else None
        try:
            if entry is not None and entry.camera is not None:
                given = entry.camera
            elif not fault:
                given = given_camera(item, camera)
            known = depth.of(item) if depth else None
        except (ImageError, CameraError) as error:
            fault = error
        if entry is not None:
            item = replace(item, name=entry.name)
        expect(item)
        yield Query(item.name, item.image, given, known, fault)


def _readable(
    images: Sequence[Path], *, every: int
) -> Iterator[tuple[NamedImage, ImageError | CameraError | None]]:
    """All images, and what has become unreadable since it was looked at, with the reason."""
    for path in images:
        try:
            for item in named_images([path], every=every):
                yield item, None
        except ImageError as error:
            yield NamedImage(path.as_posix(), path), error


def given_camera(item: NamedImage, text: str | CameraList | None) -> Camera | None:
    """The camera that a user gives for an image; None leaves it to the localizer.

    Raises:
        CameraError: what was given describes no camera.
    """
    if text is None:
        return None
    turn = 0
    if isinstance(item.image, np.ndarray):
        height, width = item.image.shape[:2]
    else:
        try:
            width, height = image_size(item.image)
        except ImageError:
            return None  # the localizer will say what is wrong with the image
        turn = read_lens(item.image).turn or 0
    if isinstance(text, CameraList):
        return text.of(item.name, width=width, height=height)
    return parse_camera(text, width=width, height=height, turn=turn)
