"""``reloc map --method ridge`` as a user calls it."""

import pytest

from reloc.maps import SceneMap


@pytest.fixture
def ridge(reloc, tmp_path):
    """Maps a scene in closed form."""
    out = tmp_path / "map.safetensors"
    return lambda scene, *options: reloc(
        "map", scene, out, "--method", "ridge", "--device", "cpu", *options
    )


@pytest.mark.usefixtures("small_views")
def test_a_map_is_written_and_used_like_any_other(ridge, reloc, made_place, tmp_path):
    run = ridge(made_place)
    assert run.status == 0, run.err
    path = tmp_path / "map.safetensors"
    assert run.out.startswith(f"{path}: 7 frames, ")
    assert "lambda" in run.out
    made = SceneMap.load(path)
    assert made.info["method"] == "ridge"
    assert made.seconds > 0
    photo = sorted((made_place / "train" / "rgb").iterdir())[0]
    localized = reloc("localize", path, photo, "--device", "cpu")
    assert localized.status in (0, 1), localized.err
    assert "Traceback" not in localized.err


@pytest.mark.parametrize(
    "options",
    [("--resume",), ("--time-limit", "60"), ("--heads", "2")],
)
def test_options_of_a_training_are_refused(ridge, made_place, options):
    assert "ridge" in ridge(made_place, *options).refusal()


def test_targets_are_refused_without_ridge(reloc, made_place, tmp_path):
    run = reloc("map", made_place, tmp_path / "m.safetensors", "--targets", "depth")
    assert "--method ridge" in run.refusal()


def test_depth_is_asked_for_where_there_is_none(ridge, made_place):
    assert "depth" in ridge(made_place, "--targets", "depth").refusal()


def test_two_photos_are_too_few(ridge, place):
    for pose in sorted((place / "train" / "poses").iterdir())[2:]:
        pose.unlink()
    assert "2 usable mapping frames" in ridge(place).refusal()
