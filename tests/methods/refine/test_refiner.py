"""Refinement of a map whose head errs in a way that only poses tell."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from reloc.errors import MapError, OptionError, SceneError
from reloc.maps import SceneMap
from reloc.maps.compress import compressed
from reloc.methods.refine import RefineMapOptions, refine_map
from reloc.methods.refine.heads import seen_by_head
from reloc.methods.refine.pose_trainer import POSE_CLAMP, PoseTrainer
from reloc.methods.refine.view_collection import ViewFeatures
from reloc.pose.ransac import Matches
from reloc.pose.ransac.motion import rotation_from_vector

SHORT = RefineMapOptions(steps=4, views=4, cells=48, batch=2, hypotheses=4)


def known_views(count=12, cells=60):
    """Views whose features are the scene coordinates, a little off in a way to be unlearned."""
    generator = torch.Generator().manual_seed(0)
    rays = torch.rand((count, cells, 2), generator=generator) - 0.5
    depth = 1 + 3 * torch.rand((count, cells, 1), generator=generator)
    seen = torch.cat([rays, torch.ones_like(depth)], dim=-1) * depth
    rotation = rotation_from_vector(torch.randn((count, 3), generator=generator) * 0.3)
    translation = torch.randn((count, 3, 1), generator=generator) * 0.3
    points = (seen - translation.mT) @ rotation
    poses = torch.cat([rotation, translation], dim=-1)
    return ViewFeatures(
        points, rays, torch.ones(count, cells, dtype=torch.bool), torch.full((count,), 500.0), poses
    )


class Slanted(torch.nn.Module):
    """A head that turns and shifts what it is given."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        with torch.no_grad():
            self.linear.weight.copy_(rotation_from_vector(torch.tensor([0.0, 0.02, 0.01])))
            self.linear.bias.copy_(torch.tensor([0.05, 0.0, -0.05]))

    def forward(self, features):
        return self.linear(features)


def trainer_of(head, views, options):
    """A head trained on those views."""
    return PoseTrainer(
        [(head, options.learning_rate)],
        seen_by_head(head, views, batch=options.batch, amp=torch.float32),
        options,
        meter=1.0,
        short_side=480,
        device=torch.device("cpu"),
    )


@pytest.mark.slow
def test_the_expected_pose_loss_falls():
    head, views = Slanted(), known_views()
    options = RefineMapOptions(batch=4, hypotheses=4, cells=60, learning_rate=1e-2)
    trainer = trainer_of(head, views, options)

    def losses():
        seen = Matches(head(views.features), views.rays, views.focals, views.usable)
        return [value.mean().item() for value in trainer.losses(seen, views.cam_from_world)]

    before = losses()
    for step in range(40):
        trainer.step(step / 40)
    after = losses()
    assert before[0] > 5 and before[1] > 2
    assert after[0] < 0.6 * before[0] and after[1] < before[1]


def test_views_far_off_hardly_count():
    views, lengths = known_views(), []
    for meters in (0.05, 2.0):
        head = Slanted()
        with torch.no_grad():
            head.linear.bias.copy_(torch.tensor([meters, 0.0, 0.0]))
        trainer = trainer_of(head, views, replace(SHORT, reprojection=0.0))
        seen = Matches(head(views.features), views.rays, views.focals, views.usable)
        losses = trainer.losses(seen, views.cam_from_world)[0]
        losses.mean().backward()
        lengths.append(head.linear.bias.grad.norm())
        assert losses.max() <= POSE_CLAMP
    assert lengths[1] < 0.01 * lengths[0]


def test_a_hopeless_head_stays_finite():
    head = Slanted()
    trainer = trainer_of(head, known_views(), replace(SHORT, reprojection=0.0))
    with torch.no_grad():
        head.linear.weight.zero_()
    before = {n: p.clone() for n, p in head.named_parameters()}
    trainer.step(0.0)
    assert all(torch.equal(before[n], p) for n, p in head.named_parameters())


@pytest.mark.slow
def test_the_seed_decides_and_the_map_handed_in_stays(place):
    scene_map, scene, backbone = place
    before = [p.clone() for p in scene_map.head.parameters()]
    results = [
        refine_map(scene_map, scene, backbone, options=replace(SHORT, seed=seed), device="cpu")
        for seed in (1, 1, 2)
    ]
    weights = [list(r.scene_map.head.parameters()) for r in results]
    assert all(map(torch.equal, weights[0], weights[1]))
    assert all(map(torch.equal, before, scene_map.head.parameters()))
    assert results[0].steps == 4
    assert results[0].scene_map.info["refined"]["options"]["seed"] == 1


def test_an_interrupted_refinement_goes_on_to_the_same_map(place, tmp_path):
    scene_map, scene, backbone = place
    path = tmp_path / "state"
    whole = refine_map(scene_map, scene, backbone, options=SHORT, device="cpu")

    def stop(stage, done, total, **_):
        if stage == "refining" and done == 2:
            raise KeyboardInterrupt

    arguments: Any = {"options": SHORT, "device": "cpu", "checkpoint": str(path)}
    with pytest.raises(KeyboardInterrupt):
        refine_map(scene_map, scene, backbone, progress=stop, **arguments)
    assert path.exists()
    with pytest.raises(MapError, match="other options"):
        other = arguments | {"options": replace(SHORT, seed=9)}
        refine_map(scene_map, scene, backbone, resume=True, **other)
    resumed = refine_map(scene_map, scene, backbone, resume=True, **arguments)
    assert all(
        map(torch.equal, whole.scene_map.head.parameters(), resumed.scene_map.head.parameters())
    )


def test_a_checkpoint_of_another_map_is_told_by_its_weights_not_by_their_sum(place, tmp_path):
    scene_map, scene, backbone = place
    arguments = {"options": SHORT, "device": "cpu", "checkpoint": tmp_path / "state"}
    refine_map(scene_map, scene, backbone, **arguments)
    mirrored = copy.deepcopy(scene_map.head)
    for weight in mirrored.parameters():
        weight.data.neg_()
    other = replace(scene_map, regions=(replace(scene_map.regions[0], head=mirrored),))
    with pytest.raises(MapError, match="another map") as refused:
        refine_map(other, scene, backbone, resume=True, **arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 2])
def test_a_refinement_that_was_finished_is_not_done_again(request, tmp_path, monkeypatch, heads):
    scene_map, scene, backbone = request.getfixturevalue("place" if heads == 1 else "two_heads")
    arguments = {"options": SHORT, "device": "cpu", "checkpoint": tmp_path / "state"}
    whole = refine_map(scene_map, scene, backbone, **arguments)
    monkeypatch.setattr(PoseTrainer, "step", None)
    again = refine_map(scene_map, scene, backbone, resume=True, **arguments)
    assert all(map(torch.equal, all_weights(whole.scene_map), all_weights(again.scene_map)))
    assert (again.steps, again.loss) == (whole.steps, whole.loss)


def all_weights(scene_map):
    return [
        torch.cat([p.detach().flatten() for p in region.head.parameters()])
        for region in scene_map.regions
    ]


def test_each_head_learns_from_its_own_frames(two_heads):
    scene_map, scene, backbone = two_heads
    result = refine_map(scene_map, scene, backbone, options=SHORT, device="cpu")
    assert result.steps == SHORT.steps
    for before, after in zip(all_weights(scene_map), all_weights(result.scene_map), strict=True):
        assert not torch.equal(before, after)
    # A frame that the second head alone was made from changes nothing for the first.
    fewer = replace(scene, mapping=scene.mapping[:2])
    first, second = all_weights(
        refine_map(scene_map, fewer, backbone, options=SHORT, device="cpu").scene_map
    )
    assert torch.equal(first, all_weights(result.scene_map)[0])
    assert not torch.equal(second, all_weights(result.scene_map)[1])
    with pytest.raises(SceneError, match="none of the frames"):
        fewer = replace(scene, mapping=scene.mapping[:1])
        refine_map(scene_map, fewer, backbone, options=SHORT, device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("head", [0, 1])
def test_an_interrupted_refinement_of_several_heads_goes_on(two_heads, tmp_path, head):
    scene_map, scene, backbone = two_heads
    path = tmp_path / "state"
    whole = refine_map(scene_map, scene, backbone, options=SHORT, device="cpu")
    left = [head]

    def stop(stage, done, total, **_):
        if stage == "refining" and done == 1:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

    arguments = {"options": SHORT, "device": "cpu", "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        refine_map(scene_map, scene, backbone, progress=stop, **arguments)
    resumed = refine_map(scene_map, scene, backbone, resume=True, **arguments)
    assert all(map(torch.equal, all_weights(whole.scene_map), all_weights(resumed.scene_map)))


def test_a_compressed_map_keeps_what_it_learned(place, tmp_path):
    scene_map, scene, backbone = place
    small = compressed(scene_map, bits=8)
    assert small.regions[0].packed is not None
    refined = refine_map(small, scene, backbone, options=SHORT, device="cpu").scene_map
    path = tmp_path / "refined.safetensors"
    refined.save(path)
    for made, read in zip(
        refined.head.parameters(), SceneMap.load(path).head.parameters(), strict=True
    ):
        torch.testing.assert_close(made, read, atol=1e-3, rtol=1e-3)


def test_a_doubtful_map_is_checked_again(place):
    scene_map, scene, backbone = place
    doubtful = replace(scene_map, reliability=0.4)
    refined = refine_map(doubtful, scene, backbone, options=SHORT, device="cpu").scene_map
    assert refined.reliability == 0.0


@pytest.mark.slow
def test_time_may_end_it(place):
    scene_map, scene, backbone = place
    options = replace(SHORT, steps=10**9, time_limit=5.0)
    assert refine_map(scene_map, scene, backbone, options=options, device="cpu").steps >= 1


def test_what_cannot_be_refined_is_refused(place):
    scene_map, scene, backbone = place
    with pytest.raises(MapError, match="made with backbone"):
        refine_map(replace(scene_map, backbone="other"), scene, backbone, options=SHORT)
    with pytest.raises(SceneError, match="no mapping frame has a pose"):
        refine_map(scene_map, replace(scene, mapping=()), backbone, options=SHORT)
    with pytest.raises(OptionError, match="learning-rate must be positive"):
        RefineMapOptions(learning_rate=0)
