"""An adapter on disk: the few weights that go on top of the shipped backbone, in fp16."""

import copy
import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from reloc.backbone.adapter import AdaptedBackbone, ContextAdapter
from reloc.backbone.network import ConvBackbone
from reloc.errors import MapError
from reloc.files import atomic_file

FORMAT = "reloc-adapter-1"
_MOST = 4096


def adapted(backbone: ConvBackbone, adapter: ContextAdapter) -> AdaptedBackbone:
    """The backbone with a copy of the adapter on top, under a fingerprint of the weights of both.

    Weights are as a file will hold them, in half precision.
    """
    adapter = copy.deepcopy(adapter).requires_grad_(False)
    for parameter in adapter.parameters():
        parameter.copy_(parameter.half())
    digest = hashlib.sha256(backbone.fingerprint.encode())
    for name, tensor in sorted(adapter.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.to("cpu", torch.float16).contiguous().numpy().tobytes())
    digest.update(json.dumps(adapter.windows).encode())
    network = AdaptedBackbone(backbone, adapter).eval()
    network.fingerprint = digest.hexdigest()[:16]
    return network


def save_adapter(network: AdaptedBackbone, path: Path) -> None:
    """Writes the adapter of a network, in fp16; the backbone below is named by its fingerprint.

    Raises:
        OutputError: the file cannot be written.
    """
    adapter = network.adapter
    sizes = {
        "inputs": adapter.inputs,
        "channels": adapter.channels,
        "hidden": adapter.hidden,
        "windows": adapter.windows,
    }
    metadata = {
        "format": FORMAT,
        "sizes": json.dumps(sizes),
        "backbone": network.backbone.fingerprint,
        "fingerprint": network.fingerprint,
    }
    state = {
        k: v.detach().to("cpu", torch.float16).contiguous() for k, v in adapter.state_dict().items()
    }
    content = save(state, metadata=metadata)
    with atomic_file(path) as file:
        file.write(content)


def load_adapter(path: Path, backbone: ConvBackbone) -> AdaptedBackbone:
    """The backbone with the adapter of a file on top, ready for inference (fp32, CPU).

    Raises:
        MapError: the file is damaged, no adapter, or made for another backbone.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise MapError(f"{path}: not an adapter of this version ({FORMAT})")
            if metadata["backbone"] != backbone.fingerprint:
                raise MapError(
                    f"{path}: belongs on backbone {metadata['backbone']}, not on "
                    f"{backbone.fingerprint}; train it again with `reloc meta-train`"
                )
            sizes = json.loads(metadata["sizes"])
            inputs, channels, hidden = (int(sizes[k]) for k in ("inputs", "channels", "hidden"))
            windows = tuple(int(side) for side in sizes["windows"])
            stacked = inputs * (1 + len(windows))
            # The file bounds the network: its largest layers must be there before any is made.
            for name, shape in (
                ("linear.weight", [channels, stacked]),
                ("inner.weight", [hidden, stacked]),
            ):
                if max(shape) > _MOST or file.get_slice(name).get_shape() != shape:
                    raise ValueError(f"{name} is not {shape}")
            if inputs != backbone.channels:
                raise ValueError("features of another length")
            adapter = ContextAdapter(
                inputs=inputs, channels=channels, hidden=hidden, windows=windows
            )
            adapter.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})
            if not all(torch.isfinite(p).all() for p in adapter.parameters()):
                raise ValueError("weights that are not finite")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise MapError(f"{path}: the adapter file is damaged; fetch or train it again") from error
    return adapted(backbone, adapter)
