"""Backbone files: their identity, and what is refused."""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from reloc.backbone import find_backbone, load_backbone, load_context_backbone, save_backbone
from reloc.backbone.network import ConvBackbone
from reloc.backbone.weights import FORMAT, backbone_path, fingerprint, known_channels
from reloc.errors import MapError
from reloc.tensor_files import DIGEST, write_tensors


@pytest.fixture
def saved(small_backbone, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_backbone(small_backbone().fuse(), path)
    return path


def rewritten(path, *, metadata=None, **tensors):
    """The file with some of its content changed; None removes a tensor."""
    state = {**load_file(path), **tensors}
    known = {"format": FORMAT, "channels": "8", "width": "8"}
    # Whoever makes such a file computes its digest, too: the other checks stand alone.
    write_tensors(
        path,
        {name: tensor for name, tensor in state.items() if tensor is not None},
        {**known, **(metadata or {})},
    )
    return path


def test_what_is_saved_is_what_is_loaded(small_backbone, tmp_path):
    network = small_backbone(channels=6, width=10).fuse()
    path = tmp_path / "new" / "weights.safetensors"
    name = save_backbone(network, path)
    loaded = load_backbone(path)
    assert isinstance(loaded, ConvBackbone)
    assert (loaded.channels, loaded.width, loaded.fingerprint) == (6, 10, name)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    images = torch.rand(1, 1, 40, 48)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images), rtol=0.02, atol=0.02)
    # Once through fp16, nothing changes any more.
    assert save_backbone(loaded, tmp_path / "again.safetensors") == name
    again = load_file(tmp_path / "again.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in load_file(path).items())


def test_eight_bits_are_half_the_bytes_and_nearly_the_same(small_backbone, tmp_path):
    network = small_backbone(channels=32, width=64).fuse()
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    name = save_backbone(network, whole)
    rounded = save_backbone(network, half, bits=8)
    loaded = load_backbone(half)
    assert isinstance(loaded, ConvBackbone)
    assert loaded.fingerprint == rounded != name
    assert half.stat().st_size < 0.56 * whole.stat().st_size
    images = torch.rand(1, 1, 40, 48)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images), rtol=0, atol=0.1)
    # Rounded weights stay as they are when they are written in fp16 or rounded once more.
    assert save_backbone(loaded, tmp_path / "again.safetensors") == rounded


@pytest.mark.parametrize("scales", [None, torch.ones(7).half(), torch.full((8,), torch.nan).half()])
def test_eight_bits_with_scales_that_do_not_fit_are_refused(small_backbone, tmp_path, scales):
    path = tmp_path / "weights.safetensors"
    save_backbone(small_backbone().fuse(), path, bits=8)
    assert "damaged" in refused(rewritten(path, **{"out.weight.scales": scales}))


def test_the_one_of_rendered_rooms_goes_by_its_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rooms = load_backbone(Path("rooms"))
    assert load_backbone("rooms").fingerprint == rooms.fingerprint
    assert rooms.fingerprint != load_backbone().fingerprint
    # A map that was made with it finds it by itself.
    assert find_backbone(rooms.fingerprint).fingerprint == rooms.fingerprint
    with pytest.raises(MapError, match="does not come with reloc; pass its file"):
        find_backbone("that of another")
    # What a user names is what is taken, whoever checks it.
    assert find_backbone("that of another", "rooms").fingerprint == rooms.fingerprint
    # Workers in other folders are told where it is.
    assert backbone_path(Path("rooms")).is_absolute()
    assert backbone_path(Path("own")) == Path("own")
    # A file of that name is meant where there is one.
    Path("rooms").write_bytes(b"something else")
    assert "rooms" in refused(Path("rooms"))


def test_the_fingerprint_tells_weights_apart(small_backbone):
    network = small_backbone().fuse()
    name = fingerprint(network)
    assert len(name) == 16
    assert int(name, 16) >= 0
    assert fingerprint(small_backbone().fuse()) == name
    assert fingerprint(small_backbone(seed=1).fuse()) != name
    with torch.no_grad():
        network.out.bias[3] += 0.01
    assert fingerprint(network) != name


def test_the_fingerprint_is_of_the_weights_not_of_what_the_file_claims(saved):
    before = load_backbone(saved).fingerprint
    assert load_backbone(rewritten(saved)).fingerprint == before
    assert "damaged" in refused(rewritten(saved, metadata={"fingerprint": "f" * 16}))


def test_only_fused_weights_are_saved(small_backbone, tmp_path):
    with pytest.raises(ValueError, match="fuse"):
        save_backbone(small_backbone(), tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def refused(path):
    with pytest.raises(MapError) as caught:
        load_backbone(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    assert "no such backbone" in refused(tmp_path / "none.safetensors")
    assert "no such backbone" in refused(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.9, 0.999])
def test_a_file_cut_short_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    assert "damaged" in refused(saved)


@pytest.mark.parametrize(
    "content",
    [b"\0" * 64, b"PK\x03\x04" + b"\0" * 99, struct.pack("<Q", 2**60) + b"{}", b"\x80\x04." * 20],
)
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": "reloc-backbone-9"},
        {"format": "reloc-map-1"},
        {"channels": "9"},
        {"channels": "eight"},
        {"width": "-8"},
        {"width": "0"},
        {"width": "10000000"},
    ],
)
def test_claims_that_do_not_fit_are_refused(saved, metadata):
    refused(rewritten(saved, metadata=metadata))


def test_safetensors_without_metadata_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    assert FORMAT in refused(path)


def test_a_small_file_cannot_claim_a_huge_network(saved, monkeypatch):
    """The claim must be checked against the tensors before memory is taken for it."""

    def never(**sizes):
        raise AssertionError(f"built a network of {sizes}")

    path = rewritten(saved, metadata={"channels": "4096", "width": "4096"})
    monkeypatch.setattr("reloc.backbone.weights.ConvBackbone", never)
    refused(path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"out.bias": None},
        {"out.bias": torch.zeros(9)},
        {"extra": torch.zeros(3)},
        {"out.bias": torch.full((8,), float("nan"))},
        {"out.weight": torch.full((8, 8, 1, 1), float("inf"))},
    ],
)
def test_tensors_that_do_not_fit_are_refused(saved, tensors):
    assert "damaged" in refused(rewritten(saved, **tensors))


def test_a_header_that_lies_about_its_tensors_is_refused(saved):
    content = saved.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    header["out.bias"]["shape"] = [2**40]
    text = json.dumps(header).encode()
    saved.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])
    assert "damaged" in refused(saved)


@pytest.mark.parametrize("bits", [8, 16])
def test_damage_is_refused(small_backbone, tmp_path, damaged, bits):
    path = tmp_path / "weights.safetensors"
    save_backbone(small_backbone().fuse(), path, bits=bits)
    content = path.read_bytes()
    for seed in range(20):
        broken = damaged(content, seed)
        path.write_bytes(broken)
        if broken != content:
            refused(path)


def test_damage_of_a_file_without_a_digest_shows_in_its_fingerprint(saved):
    with safe_open(saved, framework="pt") as file:
        metadata = {k: v for k, v in file.metadata().items() if k != DIGEST}
    state = load_file(saved)
    save_file(state, saved, metadata=metadata)
    assert load_backbone(saved).fingerprint == metadata["fingerprint"]
    state["out.bias"][3] += 0.01
    save_file(state, saved, metadata=metadata)
    assert "damaged" in refused(saved)


@pytest.mark.parametrize(
    ("metadata", "tensors"),
    [
        ({}, {"out.bias": torch.zeros(8)}),
        ({}, {"out.weight": torch.zeros(8, 8, 1, 1, dtype=torch.int8)}),
        ({}, {"out.bias.scales": torch.zeros(8).half()}),
        ({"channels": "8.0"}, {}),
        ({"channels": " 8"}, {}),
        ({"width": "\u0668"}, {}),
    ],
)
def test_what_is_not_as_it_is_written_is_refused(saved, metadata, tensors):
    assert "damaged" in refused(rewritten(saved, metadata=metadata, **tensors))


def test_the_length_of_features_is_known_of_shipped_backbones():
    shipped = load_backbone()
    assert known_channels(shipped.fingerprint) == shipped.channels
    context = load_context_backbone()
    assert known_channels(context.fingerprint) == context.channels == 384
    assert known_channels("another") is None
