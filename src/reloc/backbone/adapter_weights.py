"""An adapter on disk: the few weights that go on top of the shipped backbone, in fp16."""

import copy
import hashlib
import json
from pathlib import Path

import torch

from reloc.backbone.adapter import MAX_WINDOW, AdaptedBackbone, ContextAdapter
from reloc.backbone.network import ConvBackbone
from reloc.errors import MapError
from reloc.tensor_files import Layout, TensorFile, open_tensors, write_tensors
from reloc.untrusted import integer, items, parsed_json, record

FORMAT = "reloc-adapter-1"
MAX_BYTES = 256 * 1024 * 1024
_MOST = 4096
_MOST_WINDOWS = 15
_KEYS = frozenset({"format", "sizes", "backbone", "fingerprint"})


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
    write_tensors(path, state, metadata)


def load_adapter(path: Path, backbone: ConvBackbone) -> AdaptedBackbone:
    """The backbone with the adapter of a file on top, ready for inference (fp32, CPU).

    Raises:
        MapError: the file is damaged, no adapter, or made for another backbone.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MapError(f"{path}: too large to be an adapter")
        with open_tensors(path) as file:
            metadata = file.metadata
            if metadata.get("format") != FORMAT:
                raise MapError(f"{path}: not an adapter of this version ({FORMAT})")
            if metadata["backbone"] != backbone.fingerprint:
                raise MapError(
                    f"{path}: belongs on backbone {metadata['backbone']!r:.40}, not on "
                    f"{backbone.fingerprint}; train it again with `reloc meta-train`"
                )
            network = adapted(backbone, _adapter_in(file, inputs=backbone.channels))
        # The only sign of damage in files from before there were digests.
        if metadata.get("fingerprint", network.fingerprint) != network.fingerprint:
            raise ValueError("other weights than were written")
    except (KeyError, ValueError, OSError, RuntimeError) as error:
        raise MapError(f"{path}: the adapter file is damaged; fetch or train it again") from error
    return network


def _adapter_in(file: TensorFile, *, inputs: int) -> ContextAdapter:
    """The adapter of a file for features of a length.

    Raises:
        KeyError, ValueError: sizes and weights that do not fit, or are not finite.
    """
    sizes = record(parsed_json(file.metadata["sizes"]), "sizes")
    integer(sizes["inputs"], "inputs", least=inputs, most=inputs)
    channels = integer(sizes["channels"], "channels", least=1, most=_MOST)
    hidden = integer(sizes["hidden"], "hidden", least=1, most=_MOST)
    windows = tuple(
        integer(side, "window", least=1, most=MAX_WINDOW)
        for side in items(sizes["windows"], "windows", most=_MOST_WINDOWS)
    )
    # On this device a module has shapes alone, and takes no memory.
    with torch.device("meta"):
        adapter = ContextAdapter(inputs=inputs, channels=channels, hidden=hidden, windows=windows)
    expected = {n: Layout("F16", tuple(t.shape)) for n, t in adapter.state_dict().items()}
    state = {name: tensor.float() for name, tensor in file.read(expected, plain=_KEYS).items()}
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise ValueError("weights that are not finite")
    adapter.load_state_dict(state, assign=True)
    return adapter
