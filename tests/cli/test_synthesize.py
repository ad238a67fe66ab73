"""``reloc synthesize``."""

import pytest

from reloc.scenes import open_scene

pytestmark = pytest.mark.usefixtures("coarse")


def test_a_scene_is_written_and_told(reloc, tmp_path):
    out = tmp_path / "room"
    size = ("--width", 48, "--height", 32, "--mapping", 6, "--queries", 2)
    run = reloc("synthesize", out, *size, "--seed", 0)
    assert run.status == 0
    assert run.out == f"{out}: 6 mapping frames, 2 queries\n"
    assert "rendering: 8/8" in run.err
    scene = open_scene(out)
    assert (len(scene.mapping), len(scene.queries)) == (6, 2)
    assert (scene.mapping[0].camera.width, scene.mapping[0].camera.height) == (48, 32)


@pytest.mark.slow
def test_a_campus_is_written_and_told(reloc, tmp_path):
    out = tmp_path / "campus"
    size = ("--width", 48, "--height", 32, "--mapping", 2, "--queries", 1)
    run = reloc("synthesize", out, *size, "--rooms", 2)
    assert run.status == 0
    assert run.out == f"{out}: 8 mapping frames, 4 queries\n"
    assert "rendering: 12/12" in run.err
    names = {frame.image.name[:-10] for frame in open_scene(out).mapping}
    assert names == {"room-000", "room-001", "corridor-000"}


def test_a_taken_folder_is_refused_and_stays_as_it_is(reloc, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert str(tmp_path) in reloc("synthesize", tmp_path).refusal()
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "option",
    [
        ("--mapping", 0), ("--queries", -1), ("--seed", -1), ("--width", 0), ("--rooms", 0),
        ("--rooms", 1001),
    ],
)  # fmt: skip
def test_impossible_numbers_are_refused(reloc, tmp_path, option):
    reloc("synthesize", tmp_path / "room", "=".join(map(str, option))).refusal()
    assert not (tmp_path / "room").exists()


def test_a_folder_below_a_file_is_refused(reloc, tmp_path):
    (tmp_path / "file").write_text("whole")
    size = ("--width", 48, "--height", 32, "--mapping", 1, "--queries", 0)
    message = reloc("synthesize", tmp_path / "file" / "room", *size).refusal()
    assert str(tmp_path / "file" / "room") in message
