"""From a valid input to a broken one, by a seed: what is changed depends on the kind of file."""

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath
from random import Random

from tests.fuzz import (
    archives,
    databases,
    json_values,
    pixels,
    raw_bytes,
    states,
    tensors,
    texts,
)
from tests.fuzz.raw_bytes import Change

# Of a target: path below its folder -> content.
Files = Mapping[str, bytes]

# More bytes than this a change does not make: the runs are about what a file says.
MOST_BYTES = 64 << 20

_BY_SUFFIX: dict[str, tuple[Change, ...]] = {
    ".txt": texts.CHANGES,
    ".nvm": texts.CHANGES,
    ".toml": texts.CHANGES,
    ".json": (*json_values.CHANGES, *texts.CHANGES[:4]),
    ".jsonl": (*json_values.LINE_CHANGES, *texts.CHANGES[:4]),
    ".safetensors": tensors.CHANGES,
    ".sqlite": databases.CHANGES,
    ".zip": archives.ZIP_CHANGES,
    ".gz": archives.TAR_CHANGES,
    ".npz": archives.NPZ_CHANGES,
    ".ckpt": states.CHANGES,
    ".png": pixels.PNG_CHANGES,
    ".jpg": pixels.JPEG_CHANGES,
}
for _suffix in (".csv", ".xml", ".yaml", ".out", ".traj", ".pincam"):
    _BY_SUFFIX[_suffix] = texts.CHANGES
for _suffix in (".tif", ".tiff", ".bmp", ".webp", ".ppm", ".pgm", ".mp4", ".avi"):
    _BY_SUFFIX[_suffix] = pixels.OTHER_CHANGES
_PLAIN = (".bin",)


def mutated(seed: Files, rng: Random, *, pattern: str = "*") -> dict[str, bytes]:
    """A copy of an input in which one file is changed, seldom two.

    Args:
        seed: a valid input.
        rng: decides about everything.
        pattern: which of the files may be changed.
    """
    files = dict(seed)
    open_to_change = open_files(files, pattern)
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        name = rng.choice(open_to_change)
        files[name] = file_changed(files[name], name, rng)
        if rng.random() < 0.02 and len(open_to_change) > 1:
            del files[name]
            open_to_change.remove(name)
    return files


def open_files(files: Files, pattern: str) -> list[str]:
    """The files that may be changed."""
    return sorted(name for name in files if fnmatch(name, pattern))


def file_changed(content: bytes, name: str, rng: Random) -> bytes:
    """A file with one or a few changes, most of them such as its kind, by its suffix, can have."""
    suffix = PurePosixPath(name).suffix.lower()
    known = _BY_SUFFIX.get(suffix, ())
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        general = not known or rng.random() < (0.25 if suffix not in _PLAIN else 1)
        change = rng.choice(raw_bytes.CHANGES if general else known)
        try:
            changed = change(rng, content)
        except Exception:
            # It takes a sound file, and this one is broken already, in whatever way.
            continue
        if len(changed) <= MOST_BYTES:
            content = changed
    return content
