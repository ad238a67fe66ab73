"""Running a backbone for inference."""

import numpy as np
import pytest
import torch

from reloc.backbone import AdaptedBackbone, ContextAdapter, FeatureExtractor

CPU = torch.device("cpu")


def test_features_come_cell_by_cell_and_row_by_row(small_backbone):
    network = small_backbone(channels=5).fuse()
    image = np.random.default_rng(0).integers(0, 256, (50, 61), dtype=np.uint8)
    features = FeatureExtractor(network, device=CPU)(image)
    assert features.shape == (7 * 8, 5)
    with torch.no_grad():
        grid = network(torch.from_numpy(image).float()[None, None] / 255)[0]
    expected = torch.stack([grid[:, i, j] for i in range(7) for j in range(8)])
    # It may run in bfloat16, where the processor is fast at it.
    torch.testing.assert_close(features.float(), expected, rtol=0.1, atol=0.1)


def test_the_callers_network_stays_as_it_is(small_backbone):
    network = small_backbone().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    extractor = FeatureExtractor(network, device=CPU)
    extractor(np.zeros((64, 64), np.uint8))
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
        assert tensor.dtype == before[name].dtype
    assert (extractor.channels, extractor.stride) == (network.channels, network.stride)
    assert extractor.fingerprint == network.fingerprint


def test_no_gradient_is_kept(small_backbone):
    features = FeatureExtractor(small_backbone(), device=CPU)(np.zeros((64, 64), np.uint8))
    assert not features.requires_grad


def test_local_features_are_those_without_context(small_backbone):
    image = np.random.default_rng(0).integers(0, 256, (50, 61), dtype=np.uint8)
    network = small_backbone().fuse()
    plain = FeatureExtractor(network, device=CPU)
    features, local = plain.with_local(image)
    assert torch.equal(features, local)
    adapter = ContextAdapter(inputs=8, channels=6, windows=(3,))
    wide = FeatureExtractor(AdaptedBackbone(network, adapter), device=CPU)
    adapted, below = wide.with_local(image)
    assert torch.equal(below, local)
    assert adapted.shape == (7 * 8, 6)
    assert torch.equal(adapted, wide(image))


@pytest.mark.parametrize("shape", [(8, 8), (9, 70)])
def test_any_callable_with_the_attributes_will_do(shape):
    class Mean:
        channels, stride, fingerprint = 1, 8, "mean"

        def __call__(self, images):
            assert images.shape == (1, 1, *shape)
            return torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True)

    features = FeatureExtractor(Mean(), device=CPU)(np.full(shape, 255, np.uint8))
    cells = -(-shape[0] // 8) * -(-shape[1] // 8)
    torch.testing.assert_close(features.float(), torch.ones(cells, 1))
