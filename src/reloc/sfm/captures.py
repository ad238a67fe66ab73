"""Captures without poses: a video, or a folder of photos in no layout that holds any."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from reloc.errors import ImageError, PluginError
from reloc.images.files import image_size, is_litter
from reloc.images.sources import check_sources, is_video
from reloc.images.videos import video_length
from reloc.scenes.readers import known_readers

# Folders right below one of photos in which a scene is looked for.
MOST_BELOW = 50


@dataclass(frozen=True)
class Capture:
    """A video, or photos, whose poses nobody knows.

    Attributes:
        path: of the video, or of the folder.
        kind: which of both.
        photos: the image files, sorted by their path; none of a video.
    """

    path: Path
    kind: Literal["video", "photos"]
    photos: tuple[Path, ...] = ()


def capture_without_poses(path: Path) -> Capture | None:
    """What a path names, if it is a capture whose poses have to be found first, else None.

    Raises:
        ImageError: there is no such video.
    """
    if is_video(path):
        if not path.exists():
            raise ImageError(f"{path}: no such video")
        return Capture(path, "video")
    if not path.is_dir() or _holds_scene(path):
        return None
    try:
        photos = check_sources([path])
    except ImageError:
        return None  # no images: what was looked for is best told by who opens scenes
    return Capture(path, "photos", tuple(photos))


def capture_facts(capture: Capture) -> dict[str, Any]:
    """What a capture holds, for JSON; photos are judged by their headers.

    Raises:
        ImageError: the video cannot be opened.
    """
    told = {"kind": capture.kind, "poses": False}
    if capture.kind == "video":
        rate, frames = video_length(capture.path)
        return {**told, "frames": frames, "frames_per_second": rate}
    sizes = Counter[tuple[int, int]]()
    for photo in capture.photos:
        with suppress(ImageError):
            sizes[image_size(photo)] += 1
    by_size = [{"width": w, "height": h, "photos": n} for (w, h), n in sizes.most_common()]
    return {**told, "photos": len(capture.photos), "readable": sizes.total(), "sizes": by_size}


def capture_text(capture: Capture, facts: Mapping[str, Any]) -> str:
    """The same for a person, with what to do next."""
    if capture.kind == "video":
        length = (
            f", {facts['frames'] / facts['frames_per_second']:.0f} s" if facts["frames"] else ""
        )
        what = f"a video of {facts['frames'] or 'unknown many'} frames{length}"
    else:
        some = [f"{size['width']}x{size['height']}" for size in facts["sizes"][:3]]
        more = ", ..." if len(facts["sizes"]) > 3 else ""
        what = f"{facts['readable']} photos ({', '.join(some)}{more})"
        if facts["readable"] < facts["photos"]:
            what += f", {facts['photos'] - facts['readable']} that cannot be read"
    return (
        f"{capture.path}: {what} without poses; `reloc map {capture.path} MAP` finds them first, "
        f"`reloc pose {capture.path} OUT` finds them alone"
    )


def _holds_scene(folder: Path) -> bool:
    """Whether a folder is one of a known layout, or there are such right below it."""
    readers, _ = known_readers()
    below = (path for path in sorted(folder.iterdir()) if path.is_dir() and not is_litter(path))
    for place in (folder, *islice(below, MOST_BELOW)):
        for reader in readers:
            # Readers of other packages may fail; folders below may be closed.
            with suppress(PluginError, OSError):
                if reader.matches(place):
                    return True
    return False
