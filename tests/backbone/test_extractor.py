"""Running a backbone for inference."""

import numpy as np
import pytest
import torch

from reloc.backbone import AdaptedBackbone, ContextAdapter, FeatureExtractor
from reloc.backbone.preprocessing import LEAST_MEAN

CPU = torch.device("cpu")


def test_features_come_cell_by_cell_and_row_by_row(small_backbone, picture):
    network = small_backbone(channels=5).fuse()
    features = FeatureExtractor(network, device=CPU)(picture)
    assert features.shape == (7 * 8, 5)
    with torch.no_grad():
        grid = network(torch.from_numpy(picture).float()[None, None] / 255)[0]
    expected = torch.stack([grid[:, i, j] for i in range(7) for j in range(8)])
    # It may run in bfloat16, where the processor is fast at it.
    torch.testing.assert_close(features.float(), expected, rtol=0.1, atol=0.1)


def test_features_of_a_dark_picture_are_those_of_a_brighter_one(small_backbone, picture):
    extractor = FeatureExtractor(small_backbone().fuse(), device=CPU)
    dark = picture // 20
    bright = extractor((dark * (LEAST_MEAN / dark.mean())).round().astype(np.uint8))
    torch.testing.assert_close(extractor(dark), bright, rtol=0.05, atol=0.05)


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


def test_local_features_are_those_without_context(small_backbone, picture):
    network = small_backbone().fuse()
    plain = FeatureExtractor(network, device=CPU)
    features, local = plain.with_local(picture)
    assert torch.equal(features, local)
    adapter = ContextAdapter(inputs=8, channels=6, windows=(3,))
    wide = FeatureExtractor(AdaptedBackbone(network, adapter), device=CPU)
    adapted, below = wide.with_local(picture)
    assert torch.equal(below, local)
    assert adapted.shape == (7 * 8, 6)
    assert torch.equal(adapted, wide(picture))


@pytest.mark.parametrize("shape", [(8, 8), (9, 70)])
def test_any_callable_with_the_attributes_will_do(shape):
    class Mean:
        channels, stride, fingerprint = 1, 8, "mean"

        def __call__(self, pictures):
            assert pictures.shape == (1, 1, *shape)
            return torch.nn.functional.avg_pool2d(pictures, 8, ceil_mode=True)

    features = FeatureExtractor(Mean(), device=CPU)(np.full(shape, 102, np.uint8))
    cells = -(-shape[0] // 8) * -(-shape[1] // 8)
    torch.testing.assert_close(features.float(), torch.full((cells, 1), 0.4), rtol=0.01, atol=0)
