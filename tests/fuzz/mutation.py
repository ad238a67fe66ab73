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
    open_to_change = sorted(name for name in files if fnmatch(name, pattern))
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        name = rng.choice(open_to_change)
        files[name] = _changed(files[name], PurePosixPath(name).suffix.lower(), rng)
        if rng.random() < 0.02 and len(open_to_change) > 1:
            del files[name]
            open_to_change.remove(name)
    return files


def _changed(content: bytes, suffix: str, rng: Random) -> bytes:
    known = _BY_SUFFIX.get(suffix, ())
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        general = not known or rng.random() < (0.25 if suffix not in _PLAIN else 1)
        changed = rng.choice(raw_bytes.CHANGES if general else known)(rng, content)
        if len(changed) <= MOST_BYTES:
            content = changed
    return content
