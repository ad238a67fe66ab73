"""Films as files: MP4, GIF, or a folder of PNG pictures."""

import shutil
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reloc.ascii_names import ascii_name
from reloc.errors import OptionError, OutputError
from reloc.files import StrPath, atomic_folder, atomic_path, check_new_folder, check_writable
from reloc.temporary import temporary_folder

FPS = 25
SUFFIXES = (".mp4", ".gif")
# Of a GIF, whose size grows with every pixel: half of the pictures, at most so wide.
GIF_EVERY = 2
GIF_WIDTH = 720


def check_film_path(path: StrPath) -> None:
    """Refuses a name or a place before work begins.

    Raises:
        OptionError: a suffix of no format that can be written.
        OutputError: the place is taken or cannot be written to.
    """
    path = Path(path)
    if path.suffix and path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"{path}: a film is .mp4, .gif, or a new folder of PNG pictures")
    (check_writable if path.suffix else check_new_folder)(path)


def write_film(path: StrPath, pictures: Iterable[NDArray[np.uint8]]) -> None:
    """Writes pictures (H, W, 3) RGB, all of one even size, ``FPS`` in a second.

    Args:
        path: ``.mp4`` (MPEG-4, which every OpenCV encodes), ``.gif``, or a new folder.
        pictures: consumed one by one; nothing but a GIF is held in memory.

    Raises:
        OptionError: as ``check_film_path``.
        OutputError: it cannot be written, or this OpenCV has no encoder.
    """
    path = Path(path)
    check_film_path(path)
    suffix = path.suffix.lower()
    if suffix == ".mp4":
        _write_mp4(path, iter(pictures))
    elif suffix == ".gif":
        _write_gif(path, iter(pictures))
    else:
        with atomic_folder(path) as folder:
            for number, picture in enumerate(pictures):
                Image.fromarray(picture).save(folder / f"{number:05d}.png")


def _write_mp4(path: Path, pictures: Iterator[NDArray[np.uint8]]) -> None:
    first = next(pictures)
    with atomic_path(path) as temporary, temporary_folder() as scratch:
        # OpenCV picks the container by the suffix.
        named = scratch / "film.mp4"
        size = (first.shape[1], first.shape[0])
        with ascii_name(named) as name:
            writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
            if not writer.isOpened():
                raise OutputError(
                    f"{path}: this OpenCV cannot encode MP4; write a .gif or a folder of pictures"
                )
            count = 0
            for picture in chain([first], pictures):
                writer.write(picture[:, :, ::-1])
                count += 1
            writer.release()
            # OpenCV says nothing of a disk that is full.
            if int(cv2.VideoCapture(name).get(cv2.CAP_PROP_FRAME_COUNT)) != count:
                raise OutputError(
                    f"{path}: cannot be encoded; make room in {scratch.parent}, or set TMPDIR to a "
                    "larger disk"
                )
        shutil.copyfile(named, temporary)


def _write_gif(path: Path, pictures: Iterator[NDArray[np.uint8]]) -> None:
    small = []
    for number, picture in enumerate(pictures):
        if number % GIF_EVERY == 0:
            image = Image.fromarray(picture)
            image.thumbnail((GIF_WIDTH, GIF_WIDTH), Image.Resampling.LANCZOS)
            small.append(image.quantize(128, dither=Image.Dither.NONE))
    with atomic_path(path) as temporary:
        small[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=small[1:],
            duration=1000 * GIF_EVERY // FPS,
            loop=0,
        )
