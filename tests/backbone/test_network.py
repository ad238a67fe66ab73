"""The network from grey images to features."""

import copy

import pytest
import torch

from reloc.backbone import Backbone, ConvBackbone


def test_it_is_what_mapping_asks_of_a_backbone(small_backbone):
    network = small_backbone()
    assert isinstance(network, Backbone)
    assert (network.channels, network.stride, network.fingerprint) == (8, 8, "untrained")


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (61, 75), (8, 8), (1, 9), (17, 16), (57, 65)])
def test_there_is_a_cell_for_every_part_of_the_image(small_backbone, size):
    network = small_backbone(channels=12)
    with torch.no_grad():
        features = network(torch.rand(2, 1, *size))
    assert features.shape == (2, 12, -(-size[0] // 8), -(-size[1] // 8))
    assert torch.isfinite(features).all()


def test_features_have_unit_variance_on_average(small_backbone):
    with torch.no_grad():
        features = small_backbone()(torch.rand(1, 1, 64, 64))
    torch.testing.assert_close(features.square().mean(dim=1), torch.ones(1, 8, 8))


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_black_or_white_image_gives_finite_features(small_backbone, level):
    with torch.no_grad():
        assert torch.isfinite(small_backbone()(torch.full((1, 1, 40, 40), level))).all()


def test_fusing_changes_nothing_but_the_number_of_layers(small_backbone):
    network = small_backbone()
    images = torch.rand(2, 1, 48, 56)
    with torch.no_grad():
        before = network(images)
        fused = copy.deepcopy(network).fuse()
        torch.testing.assert_close(fused(images), before, rtol=1e-4, atol=1e-4)
        # Fusing twice must not apply the statistics twice.
        torch.testing.assert_close(fused.fuse()(images), before, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    assert not any("running" in name for name in fused.state_dict())


def test_fusing_ends_training_mode(small_backbone):
    assert not small_backbone().train().fuse().training


def test_a_batch_is_its_images_one_by_one(small_backbone):
    network = small_backbone()
    images = torch.rand(3, 1, 40, 48)
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-4)


def test_moving_the_image_by_a_context_cell_moves_the_features(small_backbone):
    network = small_backbone()
    image = torch.rand(1, 1, 512, 512)
    with torch.no_grad():
        whole = network(image)
        moved = network(image[:, :, 16:, 32:])
    # Far enough from the border, which both see differently.
    inner = slice(22, 38)
    torch.testing.assert_close(
        moved[:, :, inner, inner],
        whole[:, :, inner.start + 2 : inner.stop + 2, inner.start + 4 : inner.stop + 4],
        rtol=1e-3,
        atol=1e-3,
    )


def test_the_default_is_the_published_size():
    count = sum(p.numel() for p in ConvBackbone().parameters())
    assert 3e6 < count < 5e6


@pytest.mark.parametrize("size", [(136, 184), (131, 179), (144, 177)])
def test_what_a_cell_looks_at_does_not_depend_on_the_size_of_the_image(small_backbone, size):
    network = small_backbone().eval()
    image = torch.rand(1, 1, 192, 256)
    with torch.no_grad():
        whole = network(image)[..., :8, :12]
        part = network(image[..., : size[0], : size[1]])[..., :8, :12]
    torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-4)
