"""Where ``reloc localize`` puts poses: a line for each image on the screen, or a file."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reloc.cli.console import console
from reloc.cli.options import File
from reloc.cli.pose_table import PoseTable
from reloc.errors import OptionError
from reloc.files import check_new_folder, check_writable, json_text
from reloc.geometry import Camera
from reloc.images.sources import NamedImage, is_video
from reloc.localize import Estimate
from reloc.localize.pose_files import check_names, estimate_record, write_poses
from reloc.scenes.scene import Frame


@dataclass(frozen=True)
class OutputOptions:
    """Where the poses go.

    Attributes:
        out: Write the poses here; by default they are printed, as a table on a terminal and
            as one JSON line per image elsewhere.
        format: Of the file: json, tum (for evo), colmap (a folder), ace, hloc (for
            visuallocalization.net, too), mapfree, or lamar.
        json: Print JSON lines on a terminal, too.

    Raises:
        OptionError: a format that only a file can have.
    """

    out: File = None
    format: Literal["json", "tum", "colmap", "ace", "hloc", "mapfree", "lamar"] = "json"
    json: bool = False

    def __post_init__(self) -> None:
        if self.out is None and self.format != "json":
            raise OptionError(f"format {self.format} needs a file to write: add --out FILE")

    @property
    def is_table(self) -> bool:
        """Whether a person reads what is printed."""
        return self.out is None and not self.json and sys.stdout.isatty()

    def check(self, files: Sequence[Path], sources: Sequence[Path]) -> None:
        """Makes sure, before any work, that the poses of images and videos can be written.

        Raises:
            OptionError: a file is given twice, or the times of videos overlap.
            OutputError: the place cannot be written to, or a name does not fit the format.
        """
        if self.out is None:
            return
        videos = [path for path in sources if is_video(path)]
        names = [path.as_posix() for path in (*files, *videos)]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise OptionError(
                f"{twice[0]}: given twice, which a file cannot tell apart; name it once"
            )
        if self.format == "tum" and len(videos) > 1:
            raise OptionError(
                f"{self.out}: the times of {len(videos)} videos overlap; write a trajectory of each"
            )
        check_names(self.out, names, format=self.format)
        (check_new_folder if self.format == "colmap" else check_writable)(self.out)


class PoseOutput:
    """Takes estimates in the order of their images."""

    def __init__(self, options: OutputOptions, table: PoseTable | None = None) -> None:
        self._out, self._format = options.out, options.format
        self._table = table if options.is_table else None
        self._items: list[NamedImage] = []
        self._estimates: list[Estimate] = []

    @property
    def count(self) -> int:
        """Estimates that are kept for the file."""
        return len(self._estimates)

    def expect(self, item: NamedImage) -> None:
        """Notes an image that an estimate will come for."""
        self._items.append(item)

    def add(self, estimate: Estimate) -> None:
        """Prints the estimate of the next image, or keeps it for the file."""
        if self._table is not None:
            print(self._table.row(estimate), flush=True)
        elif self._out is None:
            print(json_text(estimate_record(estimate), indent=None), flush=True)
        else:
            self._estimates.append(estimate)

    def write(self) -> None:
        """Writes the file of what there is, if there is to be one. Raises OutputError."""
        if self._out is not None:
            write_poses(self._out, self._estimates, self._frames(), format=self._format)

    def _frames(self) -> list[Frame]:
        """The images that there are estimates of; more may have been read ahead."""
        fallback = Camera.pinhole(width=1, height=1, fx=1.0)
        return [
            Frame(
                item.name,
                item.image if isinstance(item.image, Path) else Path(item.name),
                estimate.camera or fallback,
                None,
                time=item.time,
            )
            for item, estimate in zip(self._items, self._estimates, strict=False)
        ]

    @property
    def summary(self) -> str:
        """What the file holds."""
        good = sum(estimate.localized for estimate in self._estimates)
        return f"{self._out}: {good} of {self.count} localized"


@contextmanager
def pose_output(options: OutputOptions, table: PoseTable | None = None) -> Iterator[PoseOutput]:
    """Yields what takes estimates; the file is written at the end, also when that comes early.

    Args:
        options: where they go.
        table: how they are printed where a person reads them; None for JSON there, too.

    Raises:
        OutputError: the file cannot be written.
    """
    output = PoseOutput(options, table)
    shown = table if options.is_table else None
    if shown is not None:
        print(shown.header, flush=True)
    try:
        yield output
    except BaseException:  # also when it is interrupted: nothing that was found is lost
        if output.count:
            output.write()
            print(
                f"note: {options.out} holds the {output.count} images until here", file=sys.stderr
            )
        raise
    output.write()
    if shown is not None:
        print(shown.summary)
    if options.out is not None:
        console().print(output.summary, markup=False)
