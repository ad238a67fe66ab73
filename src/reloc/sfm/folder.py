"""The folder of found poses: a scene in COLMAP's layout, and the stages of one that is not done."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from reloc.capture.photos import PhotoFacts
from reloc.errors import OutputError
from reloc.files import atomic_folder, json_text, sync_folder, write_text
from reloc.sfm.captures import Capture
from reloc.sfm.outcome import Gap, Outcome
from reloc.temporary import temporary_folder

# Changes with all that decides about poses, so that those of an older way are found anew.
WAY = 1
# Of each end of a video, to know it again by.
_TOLD_BY = 1 << 20


@dataclass(frozen=True)
class Taken:
    """The images that are to be posed.

    Attributes:
        names: paths below the folder of images, in the order of capture.
        times: seconds at which a video shows each; None of photos.
        damaged: names of those that cannot be read.
    """

    names: tuple[str, ...]
    times: tuple[float, ...] | None = None
    damaged: tuple[str, ...] = ()


class PosesFolder:
    """A folder of poses of one capture.

    Args:
        path: of the folder, which need not be there.
        capture: whose poses it holds or is to hold.

    Raises:
        OutputError: it holds something else.
    """

    def __init__(self, path: Path, capture: Capture) -> None:
        self.path, self._capture = path, capture
        self._source = _fingerprint(capture)
        self._done, self.link = path / "poses.json", path / "images"
        self.work = path / "work"
        self.database = self.work / "database.db"
        self._begun = self.work / "capture.json"
        ours = self._done.is_file() or self._begun.is_file()
        if path.exists() and not ours and not (path.is_dir() and not any(path.iterdir())):
            raise OutputError(f"{path}: already there; remove it or choose another folder")

    @property
    def images(self) -> Path:
        """The folder of the images."""
        if self._capture.kind == "photos" and not self.link.exists():
            return self._capture.path
        return self.link

    def outcome(self) -> Outcome | None:
        """What came of it, if poses of this very capture are there."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(self._done.read_text(encoding="utf-8"))
            if told["capture"] == self._source and (self.path / "sparse/0/images.bin").is_file():
                gaps = tuple(Gap(**{**gap, "names": tuple(gap["names"])}) for gap in told["gaps"])
                return Outcome(
                    images=told["images"],
                    posed=told["posed"],
                    others=tuple(told["others"]),
                    points=told["points"],
                    error_px=told["error_px"],
                    gaps=gaps,
                    damaged=tuple(told["damaged"]),
                )
        return None

    def begin(self) -> None:
        """Makes the folder ready: what is of another capture, or of another way, is removed.

        Raises:
            OutputError: it cannot be written to.
        """
        before = None
        with suppress(OSError, ValueError, KeyError, TypeError):
            before = json.loads(self._begun.read_text(encoding="utf-8"))["capture"]
        if before == self._source:
            return
        try:
            if self.link.is_symlink():
                self.link.unlink()
            for old in (self.link, self.path / "sparse", self.work):
                if old.exists():
                    shutil.rmtree(old)
            self._done.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be emptied ({error.strerror})") from error
        write_text(self._begun, json_text({"capture": self._source}))

    def discard(self) -> None:
        """Removes a folder in which nothing was begun but the folder itself."""
        shutil.rmtree(self.work, ignore_errors=True)
        with suppress(OSError):
            self.path.rmdir()

    def taken(self) -> Taken | None:
        """The images, if they were chosen before."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads((self.work / "taken.json").read_text(encoding="utf-8"))
            times = told["times"]
            return Taken(tuple(told["names"]), times and tuple(times), tuple(told["damaged"]))
        return None

    def keep_taken(self, taken: Taken) -> None:
        """Notes which images were chosen."""
        write_text(self.work / "taken.json", json_text(asdict(taken)))

    def facts(self) -> list[PhotoFacts | None] | None:
        """What the images are like, if they were looked at before."""
        with suppress(OSError, ValueError, TypeError):
            told = json.loads((self.work / "facts.json").read_text(encoding="utf-8"))
            return [fact and PhotoFacts(**fact) for fact in told]
        return None

    def keep_facts(self, facts: Sequence[PhotoFacts | None]) -> None:
        """Notes what the images are like."""
        write_text(self.work / "facts.json", json_text([fact and asdict(fact) for fact in facts]))

    def has(self, stage: str) -> bool:
        """Whether a stage is done."""
        return (self.work / stage).is_file()

    def mark(self, stage: str) -> None:
        """Notes that a stage is done."""
        write_text(self.work / stage, "")

    def place(self, target: Path, make: Callable[[Path], object]) -> None:
        """Makes a file or folder in the folder of stages, which is there whole or not at all."""
        with temporary_folder(self.work) as temporary:
            made = temporary / target.name
            make(made)
            made.replace(target)
        sync_folder(self.work)

    def finish(self, write: Callable[[Path], object], outcome: Outcome) -> None:
        """Puts the model in its place, with what came of it, and removes the stages."""
        with atomic_folder(self.path / "sparse" / "0") as model:
            write(model)
        write_text(self._done, json_text({"capture": self._source, **asdict(outcome)}) + "\n")
        shutil.rmtree(self.work, ignore_errors=True)


def _fingerprint(capture: Capture) -> str:
    """Tells captures apart without reading all of them."""
    told = hashlib.sha256(repr((WAY, capture.kind)).encode())
    for photo in capture.photos:
        size = photo.stat().st_size if photo.is_file() else None
        told.update(repr((photo.relative_to(capture.path).as_posix(), size)).encode())
    if capture.kind == "video" and capture.path.is_file():
        size = capture.path.stat().st_size
        with capture.path.open("rb") as file:
            told.update(repr(size).encode() + file.read(_TOLD_BY))
            file.seek(max(0, size - _TOLD_BY))
            told.update(file.read(_TOLD_BY))
    return told.hexdigest()[:16]
