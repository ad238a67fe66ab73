"""``reloc refine`` as a user calls it."""

import json

import pytest

from reloc.cli.main import main
from reloc.maps import SceneMap
from reloc.methods.ace import PRESETS

from .conftest import TOY

SHORT = ("--steps", 3, "--views", 3, "--hypotheses", 4, "--quiet")


@pytest.fixture(scope="module")
def small_map(made_place, tmp_path_factory):
    """A map of a few steps; not to be written to."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "draft", TOY)
        options = ("--method", "mlp", "--preset", "draft", "--landmarks", "0", "--quiet")
        assert main(["map", str(made_place), str(path), *options]) == 0
    return path


def test_a_map_is_refined_and_tells_of_it(reloc, small_map, made_place, tmp_path):
    out, metrics = tmp_path / "new" / "refined.safetensors", tmp_path / "metrics.jsonl"
    run = reloc("refine", small_map, made_place, out, *SHORT, "--json-log", metrics)
    assert run.status == 0, run.err
    assert "3 steps" in run.out
    told = SceneMap.load(out).info["refined"]
    assert told["steps"] == 3
    assert told["options"]["hypotheses"] == 4
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [line["done"] for line in lines if line["stage"] == "refining"][-1] == 3
    assert not list(out.parent.glob("*.partial"))
    assert reloc("localize", out, made_place / "test" / "rgb").status == 0


@pytest.mark.slow
def test_a_backbone_may_be_trained_along(reloc, small_map, made_place, tmp_path):
    out = tmp_path / "refined.safetensors"
    arguments = ("refine", small_map, made_place, out, "--train-backbone", *SHORT)
    run = reloc(*arguments, "--device", "cpu")
    assert run.status == 0, run.err
    before, after = SceneMap.load(small_map), SceneMap.load(out)
    assert before.own_backbone is None
    assert after.own_backbone is not None
    assert after.backbone != before.backbone
    assert reloc("localize", out, made_place / "test" / "rgb").status == 0


def test_bad_input_is_refused_in_one_line(reloc, small_map, made_place, tmp_path):
    out = tmp_path / "refined.safetensors"
    gone = reloc("refine", tmp_path / "gone", made_place, out)
    assert "no such map" in gone.refusal()
    assert (
        "steps must be positive"
        in reloc("refine", small_map, made_place, out, "--steps", 0).refusal()
    )
    assert (
        "time-limit must be between"
        in reloc("refine", small_map, made_place, out, "--time-limit", 1).refusal()
    )
    assert "is a folder" in reloc("refine", small_map, made_place, tmp_path).refusal()
    assert not out.exists()
