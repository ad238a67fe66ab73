"""Backbone weights on disk: safetensors, fp16 or 8 bits, with a hash as identity."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Literal, overload

import torch
from torch import Tensor, nn

from reloc.backbone import adapter_weights
from reloc.backbone.adapter import AdaptedBackbone
from reloc.backbone.network import Backbone, ConvBackbone, ConvBlock
from reloc.backbone.registered import (
    backbone_with,
    is_registered,
    registered_backbone,
)
from reloc.backbone.rounding import rounded_layouts, rounded_state, unrounded_state
from reloc.errors import MapError
from reloc.files import StrPath
from reloc.tensor_files import Layout, TensorFile, open_tensors, write_tensors
from reloc.untrusted import parsed_json

SHIPPED = "reloc-s8"
SHIPPED_CONTEXT = "reloc-s8-context"
# Those that come with the package beside the default, by the names that a user gives them.
NAMED = {"rooms": "reloc-s8-rooms"}
FORMAT = "reloc-backbone-1"
MAX_BYTES = 256 * 1024 * 1024
# Of the network's features and of its layers: sixteen times the work of the shipped one.
MAX_SIZE = 1024
_KEYS = frozenset({"format", "channels", "width", "fingerprint"})


def shipped_path(name: str = SHIPPED) -> Path:
    """The weights that come with the package."""
    return Path(str(resources.files("reloc.backbone") / "data" / f"{name}.safetensors"))


def fingerprint(network: ConvBackbone) -> str:
    """16 hex digits of the SHA-256 of all weights in fp16, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_backbone(network: ConvBackbone, path: StrPath, *, bits: Literal[8, 16] = 16) -> str:
    """Writes fused weights and returns the fingerprint of what will be read.

    Args:
        network: stays as it is.
        path: of the file.
        bits: for each weight: fp16, or 8 bits, which is another backbone, a little.

    Raises:
        OutputError: the file cannot be written.
    """
    state = stored_state(network)
    if bits == 8:
        state = rounded_state(state)
        sizes = {"channels": network.channels, "width": network.width}
        network = network_of(unrounded_state(state), **sizes)
    metadata = {
        "format": FORMAT,
        "channels": str(network.channels),
        "width": str(network.width),
        "fingerprint": fingerprint(network),
    }
    write_tensors(path, state, metadata)
    return metadata["fingerprint"]


def stored_state(network: ConvBackbone) -> dict[str, Tensor]:
    """The weights of a fused network as files hold them: fp16, by name."""
    state = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in network.state_dict().items()
    }
    if any("running_mean" in name for name in state):
        raise ValueError("fuse() the network before saving it")
    return state


def backbone_layouts(
    found: Mapping[str, Layout], *, channels: int, width: int
) -> dict[str, Layout]:
    """Every tensor that a file has to hold for a network of these sizes.

    Args:
        found: what the file holds, not to be trusted; it bounds what is made.
        channels: length of a feature, as the file claims.
        width: channels inside, likewise.

    Raises:
        KeyError, ValueError: impossible sizes, or layers that are not there.
    """
    if not (0 < channels <= MAX_SIZE and 0 < width <= MAX_SIZE):
        raise ValueError("a backbone of impossible size")
    # The largest layers must be there before any is made.
    for name, shape in (
        ("out.weight", (channels, width, 1, 1)),
        ("local.conv.weight", (width, width, 3, 3)),
    ):
        if found[name].shape != shape:
            raise ValueError("a backbone of another size than it says")
    state = _without_weights(channels, width).state_dict()
    return rounded_layouts({name: tuple(t.shape) for name, t in state.items()}, found)


def network_of(state: Mapping[str, Tensor], *, channels: int, width: int) -> ConvBackbone:
    """The fused network of stored weights, ready for inference, under its fingerprint.

    Args:
        state: fp16, of the shapes that ``backbone_layouts`` tells.
        channels: length of a feature.
        width: channels inside.

    Raises:
        ValueError: weights that are not finite.
    """
    network = _without_weights(channels, width)
    network.load_state_dict({n: tensor.float() for n, tensor in state.items()}, assign=True)
    if not all(torch.isfinite(p).all() for p in network.parameters()):
        raise ValueError("weights that are not finite")
    network.fingerprint = fingerprint(network)
    return network.requires_grad_(False)


def _without_weights(channels: int, width: int) -> ConvBackbone:
    """A fused network that has shapes alone and takes no memory."""
    with torch.device("meta"):
        network = ConvBackbone(channels=channels, width=width)
    # There is nothing to fold in; to compute with shapes alone PyTorch loads for over a second.
    for block in network.modules():
        if isinstance(block, ConvBlock):
            block.norm = nn.Identity()
    return network.eval()


@overload
def load_backbone(path: None = None) -> ConvBackbone: ...


@overload
def load_backbone(path: StrPath) -> Backbone: ...


def load_backbone(path: StrPath | None = None) -> Backbone:
    """Loads a backbone ready for inference (fp32, CPU), by default the shipped one.

    Args:
        path: weights of a backbone, or of an adapter for the shipped one; or ``rooms``, the
            shipped one that has seen nothing but rendered rooms; or the name of a registered one,
            see ``register_backbone``.

    Raises:
        MapError: no such file, damaged, or not a backbone.
        PluginError: a registered one cannot be loaded.
    """
    if path is None:
        return _load_plain(shipped_path())
    file = backbone_path(path)
    if not file.exists() and is_registered(str(file)):
        return registered_backbone(str(file))
    if _is_adapter(file):
        return adapter_weights.load_adapter(file, _load_plain(shipped_path()))
    return _load_plain(file)


def backbone_path(path: StrPath) -> Path:
    """Where the weights are that a user calls so: a file, or those of a name in ``NAMED``."""
    path = Path(path)
    named = str(path) in NAMED and not path.exists()
    return shipped_path(NAMED[str(path)]) if named else path


def find_backbone(fingerprint: str, given: Backbone | StrPath | None = None) -> Backbone:
    """The backbone that something was made with: the given one, a shipped or a registered one.

    Args:
        fingerprint: of the backbone that is wanted.
        given: a backbone or its file, if the user has named one. Whether it is the wanted one is
            for the caller to check.

    Raises:
        MapError: the given file cannot be read, or none was given and none that is known is wanted.
    """
    if given is not None:
        return load_backbone(given) if isinstance(given, str | PathLike) else given
    if fingerprint in _shipped():
        return load_backbone(shipped_path(_shipped()[fingerprint][0]))
    found, faults = backbone_with(fingerprint)
    if found is not None:
        return found
    unknown = "".join(f"; {fault}" for fault in faults)
    raise MapError(
        f"made with backbone {fingerprint}, which does not come with reloc; pass its file "
        f"(--backbone FILE, or backbone= in Python){unknown}"
    )


def load_context_backbone() -> AdaptedBackbone:
    """The shipped backbone with context, which maps in closed form need; see ``load_backbone``."""
    return adapter_weights.load_adapter(shipped_path(SHIPPED_CONTEXT), _load_plain(shipped_path()))


@lru_cache(maxsize=1)
def _shipped() -> dict[str, tuple[str, int]]:
    """The shipped backbones by fingerprint: name, and length of features, as their files say."""
    known = {}
    for name in (SHIPPED, *NAMED.values(), SHIPPED_CONTEXT):
        # One that is missing or damaged is told of where it is to be used.
        with suppress(ValueError, KeyError), open_tensors(shipped_path(name)) as file:
            found = file.metadata
            sizes = parsed_json(found["sizes"]) if "sizes" in found else found
            known[found["fingerprint"]] = (name, int(sizes["channels"]))
    return known


def known_channels(fingerprint: str) -> int | None:
    """Length of the features of a shipped backbone; None for any other."""
    found = _shipped().get(fingerprint)
    return None if found is None else found[1]


def _is_adapter(path: Path) -> bool:
    """Whether a file claims to be an adapter; what cannot be read is none."""
    try:
        with open_tensors(path) as file:
            return file.metadata.get("format") == adapter_weights.FORMAT
    except ValueError:
        return False


def _load_plain(path: Path) -> ConvBackbone:
    if not path.is_file():
        raise MapError(f"{path}: no such backbone; train one with `reloc pretrain`")
    if path.stat().st_size > MAX_BYTES:
        raise MapError(f"{path}: too large to be a backbone")
    try:
        with open_tensors(path) as file:
            if file.metadata.get("format") != FORMAT:
                raise MapError(f"{path}: not a backbone of this version ({FORMAT})")
            return _network_in(file)
    except (KeyError, ValueError, RuntimeError) as error:
        raise MapError(f"{path}: the backbone file is damaged; fetch or train it again") from error


def _network_in(file: TensorFile) -> ConvBackbone:
    channels, width = _size(file.metadata["channels"]), _size(file.metadata["width"])
    expected = backbone_layouts(file.layouts, channels=channels, width=width)
    state = unrounded_state(file.read(expected, plain=_KEYS))
    network = network_of(state, channels=channels, width=width)
    # The only sign of damage in files from before there were digests.
    if file.metadata.get("fingerprint", network.fingerprint) != network.fingerprint:
        raise ValueError("other weights than were written")
    return network


def _size(digits: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", digits):
        raise ValueError("a backbone of impossible size")
    return int(digits)
