"""``reloc download``: public datasets as ready scenes."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from reloc.cli.arguments import Omittable
from reloc.cli.console import console
from reloc.cli.options import ProgressOptions
from reloc.errors import OptionError
from reloc.scenes.datasets import Dataset
from reloc.scenes.datasets import dataset as dataset_called
from reloc.scenes.download import POSE_SET, download_scenes


def download(
    dataset: Annotated[
        Literal["7scenes", "12scenes", "cambridge", "wayspots"], tyro.conf.arg(metavar="DATASET")
    ],
    scene: Annotated[Omittable[str], tyro.conf.arg(metavar="[SCENE]")] = None,
    /,
    *,
    to: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("datasets"),
    accept_licence: bool = False,
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Fetch a public dataset as ready scenes, with both pose sets where there are two.

    Shows the licence first. What was cut short is continued, what is there is not fetched again.

    Args:
        dataset: 7scenes, 12scenes, cambridge or wayspots.
        scene: One scene of it; all scenes if left out.
        to: Folder to put the dataset's folder into.
        accept_licence: Accept the dataset's licence without being asked.
    """
    chosen = dataset_called(dataset)
    archives = chosen.archives_of(scene)
    _agree_on_licence(chosen, accepted=accept_licence)
    screen = console()
    screen.print(
        "scenes: " + ", ".join(name for archive in archives for name in archive.scenes),
        markup=False,
    )
    with log.shown() as progress:
        downloaded = download_scenes(chosen, to / chosen.name, scene=scene, progress=progress)
    for note in downloaded.notes:
        screen.print(f"note: {note}", markup=False)
    for path in downloaded.scenes:
        poses = f" (second pose set: {POSE_SET})" if (path / POSE_SET).exists() else ""
        screen.print(f"{path}{poses}", markup=False)


def _agree_on_licence(chosen: Dataset, *, accepted: bool) -> None:
    """Shows the licence and has it accepted.

    Raises:
        OptionError: it is not accepted, or there is nobody to ask.
    """
    screen = console()
    screen.print(chosen.title, markup=False)
    screen.print(f"licence: {chosen.licence}", markup=False)
    screen.print(f"The terms are those of {chosen.page}; read them there.", markup=False)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise OptionError(
            f"the licence of {chosen.name} has to be accepted; read {chosen.page} and add "
            "--accept-licence"
        )
    screen.print("Do you accept them? [y/N] ", end="", markup=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise OptionError(f"the licence of {chosen.name} was not accepted; nothing was fetched")
