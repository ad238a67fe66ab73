"""Backbone weights on disk: safetensors, fp16 or 8 bits, with a hash as identity."""

import hashlib
from collections.abc import Mapping
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from reloc.backbone import adapter_weights
from reloc.backbone.adapter import AdaptedBackbone
from reloc.backbone.network import ConvBackbone
from reloc.backbone.rounding import rounded_state, unrounded_state
from reloc.errors import MapError
from reloc.files import atomic_file

SHIPPED = "reloc-s8"
SHIPPED_CONTEXT = "reloc-s8-context"
# Those that come with the package beside the default, by the names that a user gives them.
NAMED = {"rooms": "reloc-s8-rooms"}
FORMAT = "reloc-backbone-1"
MAX_BYTES = 256 * 1024 * 1024


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


def save_backbone(network: ConvBackbone, path: Path, *, bits: Literal[8, 16] = 16) -> str:
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
    content = save(state, metadata=metadata)
    with atomic_file(path) as file:
        file.write(content)
    return metadata["fingerprint"]


def stored_state(network: ConvBackbone) -> dict[str, Tensor]:
    """The weights of a fused network as files hold them: fp16, by name."""
    state = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in network.state_dict().items()
    }
    if any("running_mean" in name for name in state):
        raise ValueError("fuse() the network before saving it")
    return state


def network_of(state: Mapping[str, Tensor], *, channels: int, width: int) -> ConvBackbone:
    """The fused network of stored weights, ready for inference, under its fingerprint.

    Args:
        state: from a file, not to be trusted; it bounds what is allocated.
        channels: length of a feature, as the file claims.
        width: channels inside, likewise.

    Raises:
        KeyError, ValueError, RuntimeError: they do not fit, or are not finite.
    """
    if not (0 < channels <= 4096 and 0 < width <= 4096):
        raise ValueError("impossible size")
    # The largest layers must be there before any is made.
    for name, shape in (
        ("out.weight", (channels, width, 1, 1)),
        ("local.conv.weight", (width, width, 3, 3)),
    ):
        if state[name].shape != shape:
            raise ValueError(f"{name} is not {shape}")
    network = ConvBackbone(channels=channels, width=width).fuse()
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    if not all(torch.isfinite(p).all() for p in network.parameters()):
        raise ValueError("weights that are not finite")
    network.fingerprint = fingerprint(network)
    return network.requires_grad_(False)


def load_backbone(
    path: str | PathLike[str] | None = None, *, serving: str | None = None
) -> ConvBackbone | AdaptedBackbone:
    """Loads a backbone ready for inference (fp32, CPU), by default the shipped one.

    Args:
        path: weights of a backbone, or of an adapter for the shipped one; or ``rooms``, the
            shipped one that has seen nothing but rendered rooms.
        serving: without a path, the fingerprint that a map asks for: whichever of the shipped
            backbones has it, the default if none does.

    Raises:
        MapError: no such file, damaged, or not a backbone.
    """
    if path is None:
        return _load_serving(serving)
    file = backbone_path(path)
    if _is_adapter(file):
        return adapter_weights.load_adapter(file, _load_plain(shipped_path()))
    return _load_plain(file)


def backbone_path(path: str | PathLike[str]) -> Path:
    """Where the weights are that a user calls so: a file, or those of a name in ``NAMED``."""
    path = Path(path)
    named = str(path) in NAMED and not path.exists()
    return shipped_path(NAMED[str(path)]) if named else path


def _load_serving(wanted: str | None) -> ConvBackbone | AdaptedBackbone:
    """The shipped backbone with a fingerprint; the default if none has it."""
    plain = _load_plain(shipped_path())
    if wanted in (None, plain.fingerprint):
        return plain
    others: list[ConvBackbone | AdaptedBackbone] = [
        _load_plain(shipped_path(name)) for name in NAMED.values()
    ]
    context = shipped_path(SHIPPED_CONTEXT)
    if context.is_file():
        others.append(adapter_weights.load_adapter(context, plain))
    return next((other for other in others if other.fingerprint == wanted), plain)


def load_context_backbone() -> AdaptedBackbone:
    """The shipped backbone with context, which maps in closed form need; see ``load_backbone``."""
    return adapter_weights.load_adapter(shipped_path(SHIPPED_CONTEXT), _load_plain(shipped_path()))


def _is_adapter(path: Path) -> bool:
    """Whether a file claims to be an adapter; what cannot be read is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == adapter_weights.FORMAT
    except (SafetensorError, OSError):
        return False


def _load_plain(path: Path) -> ConvBackbone:
    if not path.is_file():
        raise MapError(f"{path}: no such backbone; train one with `reloc pretrain`")
    if path.stat().st_size > MAX_BYTES:
        raise MapError(f"{path}: too large to be a backbone")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise MapError(f"{path}: not a backbone of this version ({FORMAT})")
            channels, width = int(metadata["channels"]), int(metadata["width"])
            if not (0 < channels <= 4096 and 0 < width <= 4096):
                raise MapError(f"{path}: the backbone claims an impossible size")
            state = unrounded_state({name: file.get_tensor(name) for name in file.keys()})
        return network_of(state, channels=channels, width=width)
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise MapError(f"{path}: the backbone file is damaged; fetch or train it again") from error
