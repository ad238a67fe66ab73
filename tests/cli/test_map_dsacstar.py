"""``reloc map --method dsacstar`` as a user calls it."""

import pytest

from reloc.maps import SceneMap


@pytest.fixture
def dsacstar(reloc, made_place, tmp_path):
    out = tmp_path / "map.safetensors"
    return lambda *options: reloc(
        "map", made_place, out, "--method", "dsacstar", "--device", "cpu", "--quiet", *options
    )


@pytest.mark.usefixtures("small_views")
def test_a_map_brings_its_backbone_along(dsacstar, reloc, made_place, tmp_path):
    run = dsacstar("--steps", 2, "--width", 32, "--blocks", 0, "--landmarks", 0)
    assert run.status == 0, run.err
    assert "2 steps" in run.out
    assert "warning: the map finds 0 % of its own mapping frames" in run.out
    path = tmp_path / "map.safetensors"
    assert SceneMap.load(path).own_backbone is not None
    photo = sorted((made_place / "train" / "rgb").iterdir())[0]
    found = reloc("localize", path, photo, "--device", "cpu")
    assert "its own mapping frames" in found.out + found.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--supervision", "depth"), "no mapping frames have a depth image"),
        (("--steps", 0), "steps must be positive"),
        (("--heads", 2), "dsacstar trains one head"),
    ],
)
def test_bad_input_is_refused_in_one_line(dsacstar, options, reason):
    assert reason in dsacstar(*options).refusal()


def test_its_options_are_for_it_alone(reloc, made_place, tmp_path):
    run = reloc("map", made_place, tmp_path / "m", "--supervision", "rgbd")
    assert "--method dsacstar" in run.refusal()
