"""``reloc library`` and ``reloc localize LIBRARY``, as a user calls them."""

import json

import numpy as np
import pytest

from reloc.heads import MlpHead
from reloc.maps import Region, SceneMap


@pytest.fixture
def plain_map(tmp_path):
    """A map that knows nothing."""
    path = tmp_path / "plain.safetensors"
    head = MlpHead(channels=4, width=8, blocks=0)
    SceneMap((Region(head, np.zeros(3)),), "toy", 240, 4.0, "metre", ()).save(path)
    return path


@pytest.fixture
def shelf(reloc, made_map, tmp_path):
    path = tmp_path / "shelf"
    run = reloc(
        "library", "add", path, made_map, "--name", "attic", "--place", "home",
        "--position=51.5,-0.12",
    )  # fmt: skip
    assert run.status == 0, run.err
    assert reloc("library", "add", path, made_map, "--name", "twin").status == 0
    return path


def test_maps_are_listed_and_removed(reloc, shelf):
    assert "2 maps" in reloc("library", "list", shelf).out
    near = reloc("library", "list", shelf, "--near=51.5,-0.12,100").out
    assert "attic" in near
    assert "twin" not in near
    assert reloc("library", "remove", shelf, "attic").status == 0
    assert "1 maps" in reloc("library", "list", shelf).out


def test_a_place_may_be_called_anything(reloc, plain_map, tmp_path):
    shelf = tmp_path / "plain"
    for place in ("[/x]", "[red]wall[/red]"):
        assert reloc("library", "add", shelf, plain_map, "--place", place).status == 0
        run = reloc("library", "list", shelf)
        assert run.status == 0, run.err
        assert place in run.out
    assert "place" in reloc("library", "add", shelf, plain_map, "--place", "a\x1b[2J").refusal()


def test_a_library_where_a_file_stands_is_refused_before_a_map_is_read(
    reloc, plain_map, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(SceneMap, "load", pytest.fail)
    assert "cannot be written" in reloc("library", "add", tmp_path / "file", plain_map).refusal()


def test_a_repair_says_what_it_finds_and_what_is_left(reloc, plain_map, tmp_path):
    shelf = tmp_path / "plain"
    for name in ("attic", "twin"):
        assert reloc("library", "add", shelf, plain_map, "--name", name).status == 0
    assert "all is well; mended 0" in reloc("library", "repair", shelf).out
    (file,) = shelf.glob("twin@*")
    file.unlink()
    run = reloc("library", "repair", shelf)
    assert "1 of 1" in run.refusal()
    assert "twin: its file is missing" in run.out
    assert "2 maps" in reloc("library", "list", shelf).out


@pytest.mark.parametrize("options", [[], ["--place", "home"], ["--near=51.5,-0.12,100"]])
def test_photos_find_their_map(reloc, shelf, made_place, options):
    photo = made_place / "train" / "rgb" / "00003.jpg"
    run = reloc("localize", shelf, photo, *options, "--device", "cpu")
    assert run.status == 0, run.err
    record = json.loads(run.out)
    assert record["localized"]
    assert record["place"] in (("attic", "twin") if not options else ("attic",))


def test_what_cannot_be_is_one_clear_line(reloc, shelf, made_map, made_place, tmp_path):
    photo = made_place / "train" / "rgb" / "00003.jpg"
    assert "no library" in reloc("library", "list", tmp_path / "none").refusal()
    assert "no maps given" in reloc("library", "add", shelf).refusal()
    assert "position" in reloc("library", "add", shelf, made_map, "--position=north").refusal()
    assert "latitude" in reloc("library", "add", shelf, made_map, "--position=95,0").refusal()
    assert "library" in reloc("localize", made_map, photo, "--place", "home").refusal()
    assert "hint" in reloc("localize", shelf, photo, "--place", "abroad").refusal()
    assert "near" in reloc("localize", shelf, photo, "--near=1,2").refusal()
    assert "buckets" in reloc("library", "list", "nonsense://a/b").refusal()
