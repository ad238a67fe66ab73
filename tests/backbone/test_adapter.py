"""The adapter: windows, where it begins, and its file."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional

from reloc.backbone import (
    ContextAdapter,
    ConvBackbone,
    FeatureExtractor,
    find_backbone,
    load_backbone,
    load_context_backbone,
)
from reloc.backbone.adapter import averaged
from reloc.backbone.adapter_weights import FORMAT, adapted, load_adapter, save_adapter
from reloc.errors import MapError
from reloc.tensor_files import DIGEST, write_tensors


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    network = ConvBackbone(channels=8, width=8).fuse().requires_grad_(False)
    network.fingerprint = "toy"
    return network


def adapter_of(seed=0, **sizes):
    torch.manual_seed(seed)
    adapter = ContextAdapter(inputs=8, channels=6, hidden=5, windows=(3, 5), **sizes)
    torch.nn.init.normal_(adapter.outer.weight, std=0.1)
    return adapter


def test_parts_are_the_feature_and_the_means_around_it():
    features = torch.randn(2, 8, 7, 9)
    stacked = adapter_of().stack(features)
    assert stacked.shape == (2, 7, 9, 24)
    unit = functional.normalize(features, dim=1)
    torch.testing.assert_close(stacked[..., :8], unit.permute(0, 2, 3, 1))
    middle = functional.normalize(unit[1, :, 2:5, 3:6].mean(dim=(1, 2)), dim=0)
    torch.testing.assert_close(stacked[1, 3, 4, 8:16], middle)
    corner = functional.normalize(unit[0, :, :2, :2].mean(dim=(1, 2)), dim=0)
    torch.testing.assert_close(stacked[0, 0, 0, 8:16], corner)


def test_it_begins_with_cosines_of_the_stacked_features():
    adapter = ContextAdapter(inputs=8, channels=24, hidden=5, windows=(3, 5))
    stacked = adapter.stack(torch.randn(1, 8, 12, 12)).flatten(0, 2)
    adapter.begin_at(stacked, context=0.5)
    with torch.no_grad():
        found = adapter(stacked)
    shares = torch.tensor([1.0] * 8 + [0.5] * 16)
    expected = (stacked * shares) @ (stacked * shares).T
    torch.testing.assert_close(found @ found.T, expected, rtol=1e-4, atol=1e-4)


def test_fewer_channels_keep_the_strongest_directions():
    adapter = ContextAdapter(inputs=8, channels=4, hidden=5, windows=(3,))
    basis = torch.randn(4, 16)
    stacked = torch.randn(200, 4) @ basis
    adapter.begin_at(stacked, context=1.0)
    with torch.no_grad():
        found = adapter(stacked)
    torch.testing.assert_close(found @ found.T, stacked @ stacked.T, rtol=1e-3, atol=1e-3)


def test_even_windows_are_refused():
    with pytest.raises(ValueError, match="odd"):
        ContextAdapter(inputs=8, windows=(4,))


def test_a_file_gives_back_the_network(backbone, tmp_path):
    network = adapted(backbone, adapter_of())
    path = tmp_path / "adapter.safetensors"
    save_adapter(network, path)
    loaded = load_adapter(path, backbone)
    assert loaded.fingerprint == network.fingerprint
    assert adapted(backbone, adapter_of(1)).fingerprint != network.fingerprint
    assert (loaded.channels, loaded.stride) == (6, 8)
    images = torch.rand(1, 1, 40, 56)
    torch.testing.assert_close(loaded(images), network(images), rtol=1e-2, atol=1e-2)
    lengths = loaded(images).square().sum(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 6.0))


def test_an_extractor_runs_it(backbone):
    extractor = FeatureExtractor(adapted(backbone, adapter_of()), device=torch.device("cpu"))
    image = torch.randint(0, 256, (40, 56), dtype=torch.uint8).numpy()
    assert extractor(image).shape == (35, 6)


def test_files_that_do_not_fit_are_refused(backbone, tmp_path):
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapted(backbone, adapter_of()), path)
    backbone.fingerprint = "another"
    with pytest.raises(MapError, match="another"):
        load_adapter(path, backbone)
    backbone.fingerprint = "toy"
    weights = load_file(path)
    for broken, metadata in (
        (weights, {"format": "something"}),
        (weights, {"format": "reloc-adapter-1", "backbone": "toy"}),
        (weights, {"format": "reloc-adapter-1", "backbone": "toy", "sizes": "[]"}),
        (
            weights,
            {
                "format": "reloc-adapter-1",
                "backbone": "toy",
                "sizes": '{"inputs": 8, "channels": 99999, "hidden": 5, "windows": [3, 5]}',
            },
        ),
    ):
        save_file(broken, path, metadata=metadata)
        with pytest.raises(MapError, match=r"not an adapter|damaged"):
            load_adapter(path, backbone)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(MapError):
        load_adapter(path, backbone)


@pytest.mark.parametrize(
    "sizes",
    [
        {"channels": True},
        {"channels": 6.0},
        {"hidden": "5"},
        {"hidden": 10**30},
        {"inputs": 7},
        {"windows": [3, 4]},
        {"windows": [3, -5]},
        {"windows": [3] * 999},
        {"windows": "35"},
    ],
)
def test_sizes_that_make_no_sense_are_refused(backbone, tmp_path, sizes):
    path = tmp_path / "adapter.safetensors"
    network = adapted(backbone, adapter_of())
    save_adapter(network, path)
    known = {"inputs": 8, "channels": 6, "hidden": 5, "windows": [3, 5]}
    metadata = {"format": FORMAT, "backbone": "toy"}
    write_tensors(path, load_file(path), {**metadata, "sizes": json.dumps(known)})
    assert load_adapter(path, backbone).fingerprint == network.fingerprint
    write_tensors(path, load_file(path), {**metadata, "sizes": json.dumps({**known, **sizes})})
    with pytest.raises(MapError, match="damaged"):
        load_adapter(path, backbone)


def test_damage_is_refused(backbone, tmp_path, damaged):
    path = tmp_path / "adapter.safetensors"
    save_adapter(adapted(backbone, adapter_of()), path)
    content = path.read_bytes()
    for seed in range(50):
        broken = damaged(content, seed)
        path.write_bytes(broken)
        if broken != content:
            with pytest.raises(MapError):
                load_adapter(path, backbone)
    # As it was before there were digests, the fingerprint tells.
    path.write_bytes(content)
    weights = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = {k: v for k, v in file.metadata().items() if k != DIGEST}
    save_file(weights, path, metadata=metadata)
    assert load_adapter(path, backbone).fingerprint == metadata["fingerprint"]
    weights["outer.bias"][0] += 1
    save_file(weights, path, metadata=metadata)
    with pytest.raises(MapError, match="damaged"):
        load_adapter(path, backbone)


def test_the_mean_of_two_is_halfway_and_leaves_them_alone():
    first, second = adapter_of(0), adapter_of(1)
    kept = first.linear.weight.clone()
    middle = averaged(first, second)
    expected = (first.linear.weight + second.linear.weight) / 2
    torch.testing.assert_close(middle.linear.weight, expected)
    assert torch.equal(first.linear.weight, kept)


def test_the_shipped_one_serves_the_maps_made_with_it():
    plain, context = load_backbone(), load_context_backbone()
    assert context.fingerprint != plain.fingerprint
    assert context.stride == plain.stride
    for backbone in (plain, context):
        assert find_backbone(backbone.fingerprint).fingerprint == backbone.fingerprint
