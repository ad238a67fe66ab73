"""``reloc convert``."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from reloc.cli.convert import convert
from reloc.cli.options import ProgressOptions
from reloc.errors import OutputError
from reloc.images.metadata import tells_position
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


def test_positions_in_photos_are_told_or_left_out(capsys, small_scene, tmp_path):
    tags = Image.Exif()
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    photo = small_scene / "train" / "rgb" / "0.png"
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(photo, exif=tags.tobytes())
    convert(small_scene, tmp_path / "a", to="colmap")
    notes = [line for line in capsys.readouterr().out.splitlines() if "GPS" in line]
    assert len(notes) == 1 and "1 of 4 images" in notes[0] and "--strip-metadata" in notes[0]
    assert sum(map(tells_position, (tmp_path / "a").rglob("*.png"))) == 1
    convert(small_scene, tmp_path / "b", to="colmap", strip_metadata=True)
    assert "GPS" not in capsys.readouterr().out
    assert not any(map(tells_position, (tmp_path / "b").rglob("*.png")))


def test_quiet_shows_no_progress(capsys, small_scene, tmp_path):
    convert(small_scene, tmp_path / "a", to="colmap")
    assert "images: " in capsys.readouterr().err
    convert(small_scene, tmp_path / "b", to="colmap", log=ProgressOptions(quiet=True))
    assert capsys.readouterr().err == ""


def test_a_taken_folder_is_refused(small_scene, tmp_path):
    with pytest.raises(OutputError, match="already there"):
        convert(small_scene, small_scene, to="colmap")
