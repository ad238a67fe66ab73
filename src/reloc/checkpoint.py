"""The state of an unfinished training on disk.

PyTorch writes a ZIP archive, and reads it without a look at its checksums; those would not cover
the archive's own directory either. The archive's comment therefore holds a digest of all before it.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from reloc.errors import MapError, OutputError, SceneError
from reloc.files import StrPath, atomic_file, is_stream
from reloc.restoring import UnfitState

MAX_BYTES = 8 * 1024**3
_DIGEST_LENGTH = hashlib.sha256().digest_size * 2
# How an archive with such a comment says so, and one without any.
_COMMENTED, _PLAIN = struct.pack("<H", _DIGEST_LENGTH), struct.pack("<H", 0)
# How the last 22 bytes of an archive without one begin.
_LAST = b"PK\5\6"
DAMAGED = "damaged checkpoint; remove it or start again without --resume"
GOES_ON = "the same command with --resume goes on"


def checkpoint_of(out: StrPath) -> Path | None:
    """Where the training of what goes to ``out`` keeps its state; nowhere beside a device."""
    out = Path(out)
    return None if is_stream(out) else out.with_name(out.name + ".partial")


@contextmanager
def kept_until_done(checkpoint: StrPath | None, *, resumed: bool = False) -> Iterator[None]:
    """Removes a checkpoint when the block succeeds: what the training gave is on disk by then.

    Whatever ends the block before leaves the checkpoint, and gets a note that ``--resume`` goes on
    from it.

    Args:
        checkpoint: of the training in the block; None if it has none.
        resumed: whether the block goes on from it.
    """
    checkpoint = None if checkpoint is None else Path(checkpoint)
    before = _stamp(checkpoint)
    try:
        yield
    except BaseException as error:
        after = _stamp(checkpoint)
        # One of an earlier training may have other options.
        own = after != before or (
            resumed and isinstance(error, KeyboardInterrupt | OutputError | OSError)
        )
        if after is not None and own:
            error.add_note(GOES_ON)
        raise
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Tells a file from the one that takes its place; None where there is none."""
    if path is None or not path.exists():
        return None
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def save_checkpoint(
    path: Path | None, identity: Mapping[str, Any], state: Mapping[str, Any]
) -> None:
    """Writes a state atomically, with what tells to which training it belongs; nowhere if None.

    Raises:
        OutputError: the file cannot be written.
    """
    if path is None:
        return
    # PyTorch makes errors of its own of a disk that is full.
    content = io.BytesIO()
    torch.save({**state, "identity": dict(identity)}, content)
    with atomic_file(path) as file:
        file.write(sealed(content.getvalue()))


def load_checkpoint(path: Path | None, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state that ``save_checkpoint`` wrote for the same identity; None if there is no file.

    Raises:
        MapError: the checkpoint is damaged, or that of another training.
    """
    if path is None or not path.exists():
        return None
    try:
        content = io.BytesIO(_checked(path))
        state: dict[str, Any] = torch.load(content, map_location="cpu", weights_only=True)
        same = state["identity"] == identity
    except Exception as error:
        raise MapError(f"{path}: {DAMAGED}") from error
    if not same:
        raise MapError(
            f"{path}: belongs to other options or images, another map, backbone or version of "
            "reloc; give the same ones, or start again without --resume"
        )
    return state


class Diverged(Exception):
    """The weights of a training are no longer finite."""


@contextmanager
def damage_named(path: Path | None, *, diverged: str) -> Iterator[None]:
    """Tells in one line of a stored state that does not fit the training in the block.

    It tells too of a training that diverged, and removes its checkpoint.

    Args:
        path: of the checkpoint; None if there is none.
        diverged: whose training it is, and what to do if it diverged.

    Raises:
        MapError: instead of ``UnfitState``.
        SceneError: instead of ``Diverged``.
    """
    try:
        yield
    except UnfitState as error:
        raise MapError(f"{path}: {DAMAGED}") from error
    except Diverged as error:
        if path is not None:
            path.unlink(missing_ok=True)
        raise SceneError(diverged) from error


def sealed(archive: bytes) -> bytes:
    """An archive with the digest of its content as its comment."""
    body = archive.removesuffix(_PLAIN) + _COMMENTED
    return body + hashlib.sha256(body).hexdigest().encode()


def _checked(path: Path) -> bytes:
    """The content of an archive that is as it was written; ValueError or OSError for any other.

    One without a digest, from before there were any, is held against its own checksums.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("too large for a checkpoint")
    content = path.read_bytes()
    body, digest = content[:-_DIGEST_LENGTH], content[-_DIGEST_LENGTH:]
    if body.endswith(_COMMENTED):
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise ValueError("other content than was written")
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if content[-22:-18] != _LAST or archive.testzip() is not None:
            raise ValueError("other content than was written")
    return content
