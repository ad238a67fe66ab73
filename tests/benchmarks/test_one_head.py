"""One head with a global feature and a position decoder: what each adds to a plain one."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import Backbone
from reloc.geometry import Camera
from reloc.heads import HEADS, MlpHead
from reloc.methods.ace import training
from reloc.scenes import Frame, Scene


@pytest.fixture
def one_head(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("one_head")


def head_of(module, *, global_feature=0, places=0):
    torch.manual_seed(0)
    return module.OneHead(
        channels=12, global_feature=global_feature,
        places=torch.arange(3.0 * places).reshape(-1, 3),
        width=16, blocks=1, scale=2.0,
    )  # fmt: skip


def test_without_help_it_is_the_plain_head(one_head) -> None:
    helped, plain = head_of(one_head), MlpHead(channels=12, width=16, blocks=1, scale=2.0)
    state = helped.state_dict()
    assert state.pop("point_places").shape == (0, 3)
    plain.load_state_dict(state)
    features = torch.randn(7, 12)
    torch.testing.assert_close(helped(features), plain(features))


def test_the_decoder_adds_the_mixture_that_its_outputs_ask_for(one_head) -> None:
    head, features = head_of(one_head, places=3), torch.randn(7, 12)
    offsets = head_of(one_head, places=3)
    offsets.load_state_dict(head.state_dict())
    offsets.point_places.data.zero_()
    with torch.no_grad():
        head.point.bias[4:] = torch.tensor([0.0, 99.0, 0.0])
        offsets.point.bias[4:] = head.point.bias[4:]
    near = (head(features) - offsets(features)).detach()
    torch.testing.assert_close(near, head.point_places[1].expand(7, 3))


def test_noise_is_on_the_global_feature_alone_and_while_learning_alone(one_head) -> None:
    features = torch.randn(5, 12)
    head = head_of(one_head, global_feature=4)
    assert not torch.equal(head(features), head(features))
    with torch.no_grad():
        head.inlet.weight[:, 8:] = 0
    torch.testing.assert_close(head(features), head(features))
    head = head_of(one_head, global_feature=4).eval()
    assert torch.equal(head(features), head(features))


def test_a_file_gives_an_equal_head(one_head) -> None:
    head = head_of(one_head, global_feature=4, places=3)
    again = one_head.OneHead.from_spec(head.spec(), scale=2.0, weights=10**6)
    again.load_state_dict(head.state_dict())
    head.eval(), again.eval()
    features = torch.randn(5, 12)
    assert torch.equal(again(features), head(features))


@pytest.fixture
def scene(tmp_path) -> Scene:
    """Six posed frames, three of one picture and three of another."""
    rng, frames = np.random.default_rng(0), []
    camera = Camera.pinhole(width=96, height=64, fx=80)
    for number in range(6):
        if number % 3 == 0:
            pixels = rng.integers(0, 256, (64, 96), dtype=np.uint8)
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), pixels)
        pose = np.eye(4)
        pose[0, 3] = number
        frames.append(Frame(path.name, path, camera, pose))
    return Scene("six", tmp_path, "test", tuple(frames))


class Patches(torch.nn.Module):
    """A backbone whose features are the pixels of each cell."""

    channels, stride, fingerprint = 64, 8, "patches"

    def forward(self, images):
        return torch.nn.functional.pixel_unshuffle(images, 8) - 0.5


def test_features_are_followed_by_what_the_image_looks_like(one_head, scene) -> None:
    backbone = Patches()
    looking = one_head.LookingBackbone.of(scene, backbone, short_side=64)
    assert isinstance(looking, Backbone)
    images = torch.stack([torch.full((1, 64, 96), 0.2), torch.rand(1, 64, 96)])
    with torch.no_grad():
        features, plain = looking(images), backbone(images)
    assert features.shape == (2, looking.channels, 8, 12)
    assert torch.equal(features[:, :64], plain)
    global_feature = features[:, 64:]
    assert torch.equal(global_feature, global_feature[..., :1, :1].expand_as(global_feature))
    assert not torch.allclose(global_feature[0], global_feature[1])


def test_only_a_helped_mapping_makes_helped_heads(one_head, scene) -> None:
    sizes: dict[str, Any] = {"channels": 8, "width": 16, "blocks": 1, "scale": 1.0, "seed": 0}
    with one_head.mapping_with(one_head.VARIANTS["one head"], scene, 8):
        assert type(vars(training)["new_head"](**sizes)) is MlpHead
    with one_head.mapping_with(one_head.VARIANTS["position decoder"], scene, 8):
        head = vars(training)["new_head"](**sizes)
        assert HEADS[head.kind] is one_head.OneHead
    assert head.kind not in HEADS
    # Around the mean of all cameras, as the head's coordinates are.
    assert abs(float(head.point_places.mean())) < 3
    assert len(head.point_places) >= 1


def test_rows_that_are_there_are_not_measured_again(one_head, tmp_path, monkeypatch) -> None:
    made = []

    def measured(scene, name, options, progress):
        made.append(name)
        names = (*one_head.COLUMNS, *one_head.RECALLS)
        return dict.fromkeys(names, 1.0) | {"median_deg": float("inf")}

    monkeypatch.setattr(one_head, "measured", measured)
    monkeypatch.setattr(one_head, "opened", lambda name, folder: Scene(name, tmp_path, "test", ()))
    options = one_head.Options(scene=tmp_path / "hall", only=("both",), out=tmp_path)
    one_head.run(options)
    one_head.run(options)
    assert made == ["both"]
    rows = json.loads((tmp_path / "one-head.json").read_text())["rows"]
    assert rows[0]["median_deg"] is None
    assert "| hall | both | 1 |" in one_head.table(rows)
