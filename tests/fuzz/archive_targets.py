"""Archives of datasets, and what a download remembers: unpacked beside what must stay as it is."""

import json
from dataclasses import replace
from pathlib import Path

from reloc.scenes.archives import Limits, unpack
from reloc.scenes.datasets import Archive, Dataset
from reloc.scenes.download import download_scenes
from tests.fuzz.archives import tar_of, zip_of
from tests.fuzz.mutation import Files
from tests.fuzz.target import Target

_LIMITS = Limits(entries=50, total_bytes=1 << 24)
_SCENE = [
    ("hall/info.txt", b"m_depthShift = 1000\n"),
    ("hall/data/frame-000000.pose.txt", b"1 0 0 0\n" * 4),
    ("hall/data/frame-000000.color.jpg", bytes(range(256)) * 4),
]
_DATASET = Dataset("made", "Made", "", "", (Archive("https://x/hall.zip", ("hall",)),), "info.txt")


class Escaped(Exception):
    """Something was written where nothing may be."""


def _zip(number: int) -> Files:
    if number == 0:
        return {"hall.zip": zip_of(_SCENE)}
    inner = zip_of([("seq-01/frame.txt", b"1 2 3"), ("seq-01/b.txt", b"4")])
    return {"hall.zip": zip_of([*_SCENE, ("hall/seq-01.zip", inner), ("hall/seq-02.zip", inner)])}


def _tar(number: int) -> Files:
    inner = [("hall/seq-01.zip", zip_of([("a", b"b")]))] if number else []
    return {"hall.tar.gz": tar_of([*_SCENE, *inner])}


def _unpacked(folder: Path) -> None:
    archive = next(iter(folder.iterdir()))
    beside = set(folder.parent.iterdir())
    target = folder / "out" / "here"
    target.mkdir(parents=True)
    try:
        unpack(archive, target, limits=_LIMITS)
    finally:
        left = set(folder.parent.iterdir()) - beside
        left |= set(folder.iterdir()) - {archive, folder / "out"}
        left |= set((folder / "out").iterdir()) - {target}
        left |= {path for path in target.rglob("*") if path.is_symlink()}
        if left:
            raise Escaped(f"{sorted(map(str, left))}")


def _dataset(number: int) -> Files:
    known = {"https://x/hall.zip": {"size": 5, "sha256": "0" * 64, "scenes": ["hall"]}}
    return {"downloads.json": json.dumps(known).encode(), **_zip(0)}


def _downloaded(folder: Path) -> None:
    """The archive is there already, as if a user had put it there: nothing is fetched."""
    if not (folder / "hall.zip").exists():
        return
    download_scenes(replace(_DATASET), folder, limits=_LIMITS)


TARGETS: tuple[Target, ...] = (
    Target("zip", _zip, 2, _unpacked, share=1.5),
    Target("tar", _tar, 2, _unpacked),
    Target("download", _dataset, 1, _downloaded, pattern="*.json"),
)
