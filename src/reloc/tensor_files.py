"""Files of tensors: safetensors, with a digest by which damage is noticed.

A head, a backbone or a point with a few flipped bits still looks like one, and a map that holds it
gives wrong poses. The digest is over all that a reader gets to see, so that a file is read as it
was written, or refused.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from reloc.ascii_names import ascii_name
from reloc.files import StrPath, atomic_file

# Key of the digest in the metadata.
DIGEST = "sha256"
# Names, sizes and metadata of a map of 1024 heads take less.
MAX_HEADER = 16 * 1024 * 1024
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.int8: "I8",
    torch.uint8: "U8",
}


@dataclass(frozen=True)
class Layout:
    """What the header of a file says of a tensor.

    Attributes:
        dtype: in the words of safetensors: F64, F32, F16, I8, U8.
        shape: its sides.
    """

    dtype: str
    shape: tuple[int, ...]


def digest_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The SHA-256, in hex digits, of all that a file holds; ``docs/map-format.md`` describes it.

    Args:
        tensors: by name, on the CPU.
        metadata: an entry ``DIGEST`` in it is left out.
    """
    names = sorted(tensors)
    about = [
        [[name, _DTYPES[tensors[name].dtype], list(tensors[name].shape)] for name in names],
        sorted([key, value] for key, value in metadata.items() if key != DIGEST),
    ]
    digest = hashlib.sha256(json.dumps(about, separators=(",", ":")).encode())
    for name in names:
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def write_tensors(
    path: StrPath, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Writes tensors on the CPU and metadata atomically, with their digest.

    Raises:
        OutputError: the file cannot be written.
    """
    sealed = {**metadata, DIGEST: digest_of(tensors, metadata)}
    content = save(dict(tensors), metadata=sealed)
    with atomic_file(path) as file:
        file.write(content)


class TensorFile:
    """An open file whose header alone was read.

    Attributes:
        metadata: its own texts.
        layouts: of the tensors in it, by name.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.metadata: dict[str, str] = file.metadata() or {}
        self.layouts: dict[str, Layout] = {}
        for name in file.keys():
            piece = file.get_slice(name)
            self.layouts[name] = Layout(piece.get_dtype(), tuple(piece.get_shape()))

    def read(self, expected: Mapping[str, Layout], *, plain: frozenset[str]) -> dict[str, Tensor]:
        """All tensors, if they are those that the reader expects and as they were written.

        Args:
            expected: every tensor that the file has to hold; it must hold no other.
            plain: keys of the metadata of a file that was written before there were digests.

        Raises:
            ValueError: other tensors, which is found before any is read; a digest of something
                else; or no digest where there is more than such a file had.
        """
        if self.layouts.keys() != expected.keys():
            name = min(self.layouts.keys() ^ expected.keys())
            raise ValueError("a tensor too few" if name in expected else "an unknown tensor")
        if self.layouts != dict(expected):
            raise ValueError("tensors of another type or shape")
        tensors = {name: self._file.get_tensor(name) for name in expected}
        # The key itself may be what is damaged.
        if DIGEST not in self.metadata and not self.metadata.keys() <= plain:
            raise ValueError("no digest")
        if DIGEST in self.metadata and self.metadata[DIGEST] != digest_of(tensors, self.metadata):
            raise ValueError("other content than was written")
        return tensors


@contextmanager
def open_tensors(path: StrPath) -> Iterator[TensorFile]:
    """Opens a file and reads its header, which takes little memory whatever it says.

    Raises:
        ValueError: no safetensors file, cut short, or a header of over 16 MiB; also where the block
            meets such damage.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            begin = raw.read(8)
        if len(begin) < 8 or struct.unpack("<Q", begin)[0] > MAX_HEADER:
            raise ValueError("no header")
        with ascii_name(path) as name, safe_open(name, framework="pt") as file:
            yield TensorFile(file)
    except (SafetensorError, OSError) as error:
        raise ValueError("cut short, or no safetensors file") from error
