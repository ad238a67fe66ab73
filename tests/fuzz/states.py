"""Changes of checkpoints: other values in the state, and damage inside a sound archive."""

import io
import zipfile
from random import Random
from typing import Any

import torch

from reloc.checkpoint import sealed
from tests.fuzz import raw_bytes
from tests.fuzz.archives import zip_entries
from tests.fuzz.raw_bytes import Change


def state_changed(rng: Random, content: bytes) -> bytes:
    """A part of the state is missing, of another type, shape or value."""
    state = torch.load(io.BytesIO(content), weights_only=True)
    places = [(holder, key) for holder, key in _places(state) if key != "identity"]
    holder, key = rng.choice(places)
    old = holder[key]
    if isinstance(old, torch.Tensor) and rng.random() < 0.7:
        holder[key] = _troubled(rng, old)
    elif isinstance(holder, dict) and rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(
            (
                *(None, True, -1, 0, 2**31, 2**62, 10**30, float("nan"), float("inf"), 1e308, ""),
                *("abc", [], {}, [None], {0: 0}, (), torch.zeros(0), torch.zeros(2, 3)),
                *(torch.tensor(float("nan")), [old], {"a": old}),
            )
        )
    return _stored(state)


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            if key != "identity":
                yield from _places(value[key])


def _troubled(rng: Random, tensor: torch.Tensor) -> torch.Tensor:
    match rng.randrange(7):
        case 0:
            return torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else -tensor
        case 1:
            return tensor.flatten()
        case 2:
            return tensor[None]
        case 3:
            return tensor.to(rng.choice((torch.float64, torch.int64, torch.bool, torch.complex64)))
        case 4:
            return torch.zeros(0, dtype=tensor.dtype)
        case 5:
            return tensor.to_sparse() if tensor.ndim else tensor[None]
        case _:
            return torch.full_like(tensor, rng.choice((0, 1, -1, 100)))


def _stored(state: Any) -> bytes:
    made = io.BytesIO()
    torch.save(state, made)
    return sealed(made.getvalue())


def record_changed(rng: Random, content: bytes) -> bytes:
    """A record of the archive, the pickle among them, has other bytes and the right checksum."""
    entries = zip_entries(content)
    pickles = [n for n, (name, _) in enumerate(entries) if name.endswith("data.pkl")]
    at = rng.choice(pickles) if pickles and rng.random() < 0.6 else rng.randrange(len(entries))
    name, record = entries[at]
    entries[at] = (name, rng.choice(raw_bytes.CHANGES)(rng, record))
    if rng.random() < 0.1:
        del entries[at]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, record in entries:
            archive.writestr(zipfile.ZipInfo(name), record)
    return sealed(made.getvalue())


CHANGES: tuple[Change, ...] = (*(state_changed,) * 4, *(record_changed,) * 3)
