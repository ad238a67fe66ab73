"""That the emulation can fail: it does with any of these calls left out of the package."""

import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor, descriptor
from reloc.backbone.adapter import ContextAdapter
from reloc.heads import MlpHead
from reloc.heads.batched import BatchedHeads
from reloc.localize import Localizer
from reloc.localize.place import Place
from reloc.mapping.stereo_survey import StereoSurvey
from reloc.mapping.views import prepare_view
from reloc.maps.scene_map import Region
from reloc.methods.ace.batches import BatchSampler
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.pose.ransac import RansacOptions, solve
from reloc.stereo import sweep

from ..localize.test_localizer import LANDSCAPE, ORIGIN, Oracle, made_map, photo
from ..pose.ransac.conftest import made_problem
from .emulation import emulated
from .emulator import DeviceFault
from .mutation import without


@pytest.fixture
def seen(backbone):
    """Features of a photo, and what it looks like."""

    def run(device):
        features = FeatureExtractor(backbone, device=device)(np.full((50, 61), 100, np.uint8))
        return descriptor.global_descriptor(features)

    return run


@pytest.fixture
def localized():
    heads = [MlpHead(channels=3, width=16, blocks=1).requires_grad_(False) for _ in range(2)]
    known = made_map(regions=tuple(Region(head, ORIGIN) for head in heads))

    def run(device):
        return Localizer(known, Oracle(), device=device).correspondences(photo(), LANDSCAPE)

    return run


@pytest.fixture
def surveyed(ring, backbone):
    """How far two frames see."""

    def run(device):
        extractor = FeatureExtractor(backbone, device=device)
        survey = StereoSurvey(ring.mapping, stride=8)
        for number in range(3):
            view = prepare_view(ring.mapping[number], number, kind="plain", short_side=64, stride=8)
            survey.add(view, extractor(view.image))
        return list(survey.sweep(depth=2.0))

    return run


@pytest.fixture
def drawn():
    """A batch of features that lie on the host."""

    def run(device):
        features = torch.zeros(9, 8)
        buffer = FeatureBuffer.empty(
            9, channels=8, cam_from_world=torch.eye(3, 4)[None], device=device, features=features
        )
        buffer.append(torch.zeros(9, 8), torch.zeros(9, 2), 80.0, 0, torch.zeros(9))
        sampler = BatchSampler([buffer], size=5, seed=0)
        batch = sampler.batch(sampler.numbers(0))
        return batch.features[0, :, :4] @ batch.cam_from_world[0, 0].T

    return run


@pytest.fixture
def searched():
    def run(device):
        matches, _ = made_problem(images=1, dtype=torch.float32)
        return solve.solve_poses(matches.to(device), options=RansacOptions(hypotheses=4))

    return run


@pytest.fixture
def adapted():
    def run(device):
        adapter = ContextAdapter(inputs=8, channels=8, hidden=8, windows=()).to(device)
        adapter.begin_at(torch.randn(20, 8).to(device))

    return run


EVERYWHERE, ON_MPS = ("cuda", "mps"), ("mps",)
FAULTS = [
    ("seen", FeatureExtractor, "__init__", "to", EVERYWHERE),
    ("seen", FeatureExtractor, "with_local", "to_device", EVERYWHERE),
    ("seen", descriptor, "global_descriptor", "to_device", EVERYWHERE),
    ("seen", descriptor, "global_descriptor", "cpu", EVERYWHERE),
    ("localized", FeatureExtractor, "_by_cell", "to", EVERYWHERE),
    ("localized", BatchedHeads, "__init__", "to", EVERYWHERE),
    ("localized", Place, "seen", "cpu", EVERYWHERE),
    ("surveyed", sweep, "_places", "to_device", EVERYWHERE),
    ("surveyed", sweep, "_best_rung", "cpu", EVERYWHERE),
    ("surveyed", StereoSurvey, "_choose_directions", "to", EVERYWHERE),
    ("surveyed", StereoSurvey, "_choose_directions", "cpu", ON_MPS),
    ("drawn", BatchSampler, "batch", "to_device", EVERYWHERE),
    ("drawn", FeatureBuffer, "empty", "to", EVERYWHERE),
    ("searched", solve, "_with_float64", "float64_device", ON_MPS),
    ("adapted", ContextAdapter, "begin_at", "cpu", EVERYWHERE),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "owner", "name", "call", "kind"),
    [(*fault, kind) for *fault, kinds in FAULTS for kind in kinds],
    ids=[f"{n}-{c}-{k}" for _, _, n, c, kinds in FAULTS for k in kinds],
)
def test_a_call_that_is_left_out_is_noticed(
    scenario, owner, name, call, kind, request, monkeypatch
):
    run = request.getfixturevalue(scenario)
    with emulated(kind) as world:
        run(world.device)
        assert not world.refused
        monkeypatch.setattr(owner, name, without(getattr(owner, name), call))
        with pytest.raises(DeviceFault):
            run(world.device)
