"""What the writers share: what of a scene can be written, and copying its images."""

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reloc.errors import ImageError, SceneError
from reloc.geometry.poses import Array
from reloc.images.metadata import tells_position, write_without_metadata
from reloc.progress import Progress
from reloc.scenes.scene import Frame, Scene, posed
from reloc.scenes.sparse import SparsePoints


@dataclass(frozen=True)
class Content:
    """The frames of a scene that a format can hold.

    Attributes:
        root: folder of the scene they come from, for messages.
        metric: whether the unit of length is the metre.
        mapping: frames that build a map; all have a pose.
        queries: frames held back.
        points: triangulated points of the scene, if it has any.
        ply: file with points of the scene, if it has one.
        strip_metadata: whether images are copied without what they tell beside pixels.
    """

    root: Path
    metric: bool
    mapping: tuple[Frame, ...]
    queries: tuple[Frame, ...]
    points: SparsePoints | None = None
    ply: Path | None = None
    strip_metadata: bool = False

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The mapping frames, then the queries."""
        return self.mapping + self.queries

    def names_in_images(self) -> dict[str, str]:
        """Each frame's name -> its name below a folder ``images``.

        A scene that has this folder keeps its names. For any other, ``images`` keeps apart what
        would look like another layout, such as ``train/rgb``.
        """
        names = [frame.name for frame in self.frames]
        inside = all(name.startswith("images/") for name in names)
        return {name: name.removeprefix("images/") if inside else name for name in names}

    def copy_images(self, files: dict[Path, Path], progress: Progress) -> list[str]:
        """Copies images; ``files`` maps each target to its source.

        Returns:
            A remark if the copies tell where they were taken.

        Raises:
            ImageError: a source is missing, or is of a kind that cannot be stripped.
            OSError: a target cannot be written; ``atomic_folder`` turns it into an OutputError.
        """
        located = 0
        for count, (target, source) in enumerate(files.items(), start=1):
            if not source.is_file():
                raise ImageError(f"{source}: no such image; restore it or remove its frame")
            target.parent.mkdir(parents=True, exist_ok=True)
            if self.strip_metadata:
                write_without_metadata(source, target)
            else:
                shutil.copyfile(source, target)
                located += tells_position(source)
            progress("images", count, len(files))
        if not located:
            return []
        return [
            f"{located} of {len(files)} images tell where on Earth they were taken (GPS), and so "
            "do their copies; --strip-metadata leaves that out"
        ]


def content_of(scene: Scene, *, posed_queries: bool) -> Content:
    """The frames of a scene, checked for names that stay inside a folder.

    Args:
        scene: where they come from.
        posed_queries: leave out queries without a pose.

    Raises:
        SceneError: there is no frame with a pose, a name occurs twice or leads out of the folder.
    """
    content = Content(
        root=scene.root,
        metric=scene.unit == "metre",
        mapping=posed(scene.mapping),
        queries=posed(scene.queries) if posed_queries else scene.queries,
    )
    if not posed(content.frames):
        raise SceneError(f"{scene.root}: no frame has a pose, so there is nothing to write")
    seen: set[str] = set()
    for frame in content.frames:
        path = PurePosixPath(frame.name)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise SceneError(f"{scene.root}: the name {frame.name!r} leads out of the scene")
        if any(ord(letter) < 32 for letter in frame.name):
            raise SceneError(
                f"{scene.root}: the name {frame.name!r} has a control character; rename the image"
            )
        if frame.name in seen:
            raise SceneError(f"{scene.root}: two frames are called {frame.name}; rename one")
        seen.add(frame.name)
    return content


def pose_of(frame: Frame) -> Array:
    """``world_from_cam`` (4, 4) of a frame that was left in for having one."""
    assert frame.world_from_cam is not None
    return frame.world_from_cam


def write_query_list(folder: Path, names: list[str]) -> None:
    """Writes ``query.txt``, one image per line; nothing where no image is a query."""
    if names:
        text = "\n".join(names) + "\n"
        (folder / "query.txt").write_text(text, encoding="utf-8", errors="surrogateescape")
