"""``reloc convert``."""

import pytest

from reloc.cli.convert import convert
from reloc.errors import OutputError
from reloc.scenes import open_scene


@pytest.mark.parametrize("to", ["ace", "colmap", "transforms"])
def test_scenes_are_written_and_summed_up(capsys, small_scene, tmp_path, to):
    out = tmp_path / "out"
    convert(small_scene, out, to=to)
    scene = open_scene(out)
    assert (scene.layout, len(scene.mapping), len(scene.queries)) == (to, 2, 2)
    text = capsys.readouterr().out
    assert "1 frames cannot be used" in text
    assert text.splitlines()[-1] == f"{out}: 2 mapping and 2 query frames"


def test_quiet_shows_no_progress(capsys, small_scene, tmp_path):
    convert(small_scene, tmp_path / "a", to="colmap")
    assert "images: " in capsys.readouterr().err
    convert(small_scene, tmp_path / "b", to="colmap", quiet=True)
    assert capsys.readouterr().err == ""


def test_a_taken_folder_is_refused(small_scene, tmp_path):
    with pytest.raises(OutputError, match="already there"):
        convert(small_scene, small_scene, to="colmap")
