"""A capture without poses, posed and opened as any scene is."""

from dataclasses import replace
from pathlib import Path

import torch

from reloc.errors import OptionError
from reloc.files import is_stream
from reloc.progress import Progress, silent
from reloc.scenes.lists import QUERY_LIST
from reloc.scenes.opening import open_scene
from reloc.scenes.scene import Scene
from reloc.sfm.captures import Capture
from reloc.sfm.posing import pose_capture


def poses_beside(out: Path, capture: Capture) -> Path:
    """The folder of poses for a map: ``kitchen.poses`` beside ``kitchen.safetensors``."""
    return (capture.path if is_stream(out) else out).with_suffix(".poses")


def posed_scene(
    capture: Capture,
    folder: Path,
    *,
    query: Path | None = None,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> Scene:
    """The scene of a capture; its poses are found, or taken from the folder if they are there.

    Args:
        capture: a video or photos.
        folder: of the poses, see ``pose_capture``.
        query: list of images to hold back; of photos ``query.txt`` in their folder by default.
        device: where to compute.
        progress: told of each stage.

    Returns:
        The scene, whose notes tell what came of it first.

    Raises:
        OptionError: pycolmap is not installed.
        OutputError: the folder holds something else, or cannot be written to.
        SceneError: no poses can be found.
        ImageError: the video cannot be decoded.
    """
    posed = pose_capture(capture, folder, device=device, progress=progress)
    own = capture.path / QUERY_LIST
    scene = open_scene(
        posed.folder,
        query=own if query is None and own.is_file() else query,
        images=posed.images,
    )
    return replace(scene, notes=(*posed.outcome.lines(), *scene.notes))


def refuse_lists(*, poses: Path | None, images: Path | None) -> None:
    """Raises OptionError for what a capture without poses does not take."""
    if poses is not None or images is not None:
        raise OptionError(
            "photos and videos without poses take neither poses nor images: leave them out, or "
            "give a folder in one of the layouts"
        )
