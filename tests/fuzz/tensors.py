"""Changes of safetensors files whose offsets stay right, so that what is inside gets looked at."""

import hashlib
import json
import math
import struct
from dataclasses import dataclass, replace
from random import Random

from reloc.tensor_files import DIGEST
from tests.fuzz.json_values import any_value, json_changed, value_changed, written
from tests.fuzz.raw_bytes import Change

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
_BYTES |= {"BOOL": 1, "U16": 2, "U32": 4, "U64": 8, "F8_E4M3": 1, "F8_E5M2": 1}
# One element of each kind of trouble, by type.
_ELEMENTS = {
    "F64": [struct.pack("<d", v) for v in (math.nan, math.inf, 1e308, -1e308, 1e-320, 0.0)],
    "F32": [struct.pack("<f", v) for v in (math.nan, math.inf, 3e38, -3e38, 1e-40, 0.0)],
    "F16": [struct.pack("<e", v) for v in (math.nan, math.inf, 65504, -65504, 6e-8, 0.0)],
}


@dataclass(frozen=True)
class _Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


def _parsed(content: bytes) -> tuple[dict[str, str], list[_Tensor]]:
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    body = content[8 + size :]
    return metadata, [
        _Tensor(name, t["dtype"], tuple(t["shape"]), body[slice(*t["data_offsets"])])
        for name, t in header.items()
    ]


def _assembled(rng: Random, metadata: dict[str, str], tensors: list[_Tensor]) -> bytes:
    """A file of them, mostly with the digest that goes with them: only so the rest is looked at."""
    if DIGEST in metadata and rng.random() < 0.9:
        metadata = {**metadata, DIGEST: _digest(metadata, tensors)}
    header: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for tensor in tensors:
        offsets = [at, at + len(tensor.data)]
        header[tensor.name] = {
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets,
        }  # fmt: skip
        at = offsets[1]
    return _file(json.dumps(header), b"".join(tensor.data for tensor in tensors))


def _digest(metadata: dict[str, str], tensors: list[_Tensor]) -> str:
    ordered = sorted(tensors, key=lambda tensor: tensor.name)
    about = [
        [[tensor.name, tensor.dtype, list(tensor.shape)] for tensor in ordered],
        sorted([key, value] for key, value in metadata.items() if key != DIGEST),
    ]
    digest = hashlib.sha256(json.dumps(about, separators=(",", ":")).encode())
    for tensor in ordered:
        digest.update(tensor.data)
    return digest.hexdigest()


def _file(header: str, body: bytes) -> bytes:
    raw = header.encode("utf-8", "surrogatepass")
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw + body


def tensor_changed(rng: Random, content: bytes) -> bytes:
    """A tensor of another type, shape, size, name or value."""
    metadata, tensors = _parsed(content)
    at = rng.randrange(len(tensors))
    tensor = tensors[at]
    match rng.randrange(8):
        case 0:
            same = [d for d, size in _BYTES.items() if size == _BYTES.get(tensor.dtype)]
            tensors[at] = replace(tensor, dtype=rng.choice(same or ["F32"]))
        case 1:
            count = math.prod(tensor.shape)
            shapes = [(count,), (1, count), (count, 1), (1, *tensor.shape), tensor.shape[::-1]]
            tensors[at] = replace(tensor, shape=rng.choice(shapes))
        case 2:
            tensors[at] = replace(tensor, shape=(0, *tensor.shape[1:]), data=b"")
        case 3 if tensor.shape and tensor.shape[0]:
            row = len(tensor.data) // tensor.shape[0]
            rows = rng.choice((1, tensor.shape[0] - 1, tensor.shape[0] + 1, 3 * tensor.shape[0]))
            data = (tensor.data * 3)[: rows * row]
            tensors[at] = replace(tensor, shape=(rows, *tensor.shape[1:]), data=data)
        case 4:
            other = rng.randrange(len(tensors))
            tensors[at] = replace(tensor, name=tensors[other].name)
            tensors[other] = replace(tensors[other], name=tensor.name)
        case 5:
            tensors[at] = replace(tensor, name=rng.choice((tensor.name + "x", "", "heads.9.a")))
        case 6:
            del tensors[at]
        case _:
            tensors[at] = replace(tensor, data=_troubled(rng, tensor))
    return _assembled(rng, metadata, tensors)


def _troubled(rng: Random, tensor: _Tensor) -> bytes:
    """Values of the same size, one of them or all of them out of the ordinary."""
    size = _BYTES.get(tensor.dtype, 1)
    count = len(tensor.data) // size
    element = rng.choice(
        _ELEMENTS.get(tensor.dtype, [b"\xff" * size, b"\x80" * size, b"\0" * size])
    )
    if rng.random() < 0.4 or not count:
        return element * count
    at = rng.randrange(count) * size
    return tensor.data[:at] + element + tensor.data[at + size :]


def metadata_changed(rng: Random, content: bytes) -> bytes:
    """A text of the metadata, or a value of the JSON in it, is another."""
    metadata, tensors = _parsed(content)
    key = rng.choice([key for key, text in metadata.items() if text[:1] == "{"] or [*metadata])
    if rng.random() < 0.1:
        del metadata[key]
    elif metadata[key][:1] == "{":
        metadata[key] = json_changed(rng, metadata[key].encode()).decode("utf-8", "replace")
    else:
        metadata[key] = str(any_value(rng))
    return _assembled(rng, metadata, tensors)


def header_changed(rng: Random, content: bytes) -> bytes:
    """The header's JSON with any value changed: offsets too."""
    (size,) = struct.unpack("<Q", content[:8])
    header = value_changed(rng, json.loads(content[8 : 8 + size]))
    return _file(written(header), content[8 + size :])


CHANGES: tuple[Change, ...] = (*(tensor_changed,) * 5, *(metadata_changed,) * 6, header_changed)
