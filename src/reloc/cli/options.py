"""The options that verbs share, each written once. The flags have the names of the fields."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from reloc.cli.arguments import Omittable
from reloc.cli.console import progress_bar
from reloc.progress import Progress
from reloc.scenes import Scene, open_scene

File = Annotated[Omittable[Path], tyro.conf.arg(metavar="FILE")]
ImageFolder = Annotated[
    Omittable[Path],
    tyro.conf.arg(
        metavar="DIR",
        help="Folder of the scene's images, where it is not the one that the layout has.",
    ),
]
MaskFolder = Annotated[
    Omittable[Path],
    tyro.conf.arg(
        metavar="DIR",
        help="Folder of masks called as the images, black where these are not to be mapped.",
    ),
]
MappingBackbone = Annotated[
    Omittable[Path],
    tyro.conf.arg(
        metavar="FILE",
        help="Backbone weights; by default those that come with reloc, and `rooms` for those of "
        "rendered rooms alone.",
    ),
]


def given(**options: Any) -> dict[str, Any]:
    """The options that have a value; the others are left to the defaults of what takes them."""
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True)
class SceneOptions:
    """What is read of the scene.

    Attributes:
        query: File that lists the query images, one per line; the scene's own split without it.
        poses: Pose file to use in place of the scene's own poses.
    """

    query: File = None
    poses: File = None
    images: ImageFolder = None
    mask: MaskFolder = None

    def open(self, folder: Path) -> Scene:
        """The scene in a folder. Raises SceneError."""
        return open_scene(
            folder, query=self.query, poses=self.poses, images=self.images, masks=self.mask
        )


@dataclass(frozen=True)
class MappingSceneOptions(SceneOptions):
    """What is read of the scene.

    Attributes:
        query: File that lists images to hold back from mapping, one per line.
    """

    query: File = None


@dataclass(frozen=True)
class ComputeOptions:
    """The network that computes, and the device.

    Attributes:
        backbone: Backbone weights that the map was made with; by default those of reloc.
        device: cpu, cuda or mps; by default the best there is.
    """

    backbone: File = None
    device: Omittable[str] = None


@dataclass(frozen=True)
class MappingComputeOptions(ComputeOptions):
    """The network that computes, and the device."""

    backbone: MappingBackbone = None


@dataclass(frozen=True)
class ProgressOptions:
    """How the progress is told.

    Attributes:
        quiet: Show no progress.
        json_log: Write the progress as JSON lines to this file.
    """

    quiet: bool = False
    json_log: File = None

    def shown(self, *, quiet: bool = False) -> AbstractContextManager[Progress]:
        """Progress as wished for, see ``progress_bar``; ``quiet`` shows none in any case."""
        return progress_bar(quiet=self.quiet or quiet, json_log=self.json_log)
