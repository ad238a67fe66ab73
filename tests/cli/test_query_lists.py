"""Lists of query images: hloc's and LaMAR's, with their cameras."""

import pytest

from reloc.cli.queries import queries_of
from reloc.cli.query_lists import expanded
from reloc.errors import CameraError, ImageError
from reloc.geometry import Camera
from reloc.images.sources import NamedImage


@pytest.fixture
def dataset(tmp_path):
    """A benchmark's folder: images, and lists in a folder beside them."""
    for name in ("query/day/a.jpg", "query/b.jpg"):
        file = tmp_path / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "queries").mkdir()
    return tmp_path


def test_a_list_of_hloc_gives_images_and_cameras(dataset):
    listing = dataset / "queries" / "day.txt"
    listing.write_text(
        "# from hloc\nquery/day/a.jpg SIMPLE_RADIAL 1600 1200 1469.2 800 600 -0.03\nquery/b.jpg\n"
    )
    other = dataset / "more"
    paths, told = expanded([other, listing], root=None)
    folder = dataset / "queries" / "../images"
    assert paths == [other, folder / "query/day/a.jpg", folder / "query/b.jpg"]
    entry = told[paths[1]]
    assert entry.name == "query/day/a.jpg"
    assert entry.camera == Camera("SIMPLE_RADIAL", 1600, 1200, (1469.2, 800, 600, -0.03))
    assert told[paths[2]].camera is None
    assert expanded([listing], root=dataset / "images")[0][0] == dataset / "images/query/day/a.jpg"


def test_queries_are_called_as_in_the_list_and_have_its_cameras(dataset):
    listing = dataset / "queries" / "day.txt"
    listing.write_text("query/day/a.jpg PINHOLE 64 48 50 50 32 24\n")
    paths, told = expanded([listing], root=None)
    expected: list[NamedImage] = []
    (query,) = queries_of(
        paths, every=1, camera="99", depth=None, expect=expected.append, listed=told
    )
    assert (query.name, query.camera.fx) == ("query/day/a.jpg", 50)
    assert [item.name for item in expected] == ["query/day/a.jpg"]


def test_a_session_of_lamar_gives_sensors_and_times(tmp_path):
    (tmp_path / "raw_data" / "images").mkdir(parents=True)
    (tmp_path / "raw_data" / "images" / "7.jpg").touch()
    (tmp_path / "images.txt").write_text(
        "# timestamp, sensor_id, image_path\n77994, ios/cam_7, images/7.jpg\n"
    )
    (tmp_path / "sensors.txt").write_text(
        "# sensor_id, name, sensor_type, [sensor_params]+\nios/bt, , bluetooth\n"
        "ios/cam_7, iPad, camera, PINHOLE, 1920, 1440, 1600.5, 1601, 960, 720\n"
    )
    (path,), told = expanded([tmp_path / "images.txt"], root=None)
    assert path == tmp_path / "raw_data" / "images" / "7.jpg"
    assert told[path].name == "ios/cam_7/77994"
    assert told[path].camera == Camera("PINHOLE", 1920, 1440, (1600.5, 1601, 960, 720))


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("query/b.jpg LENS 3 4 5", CameraError, "line 1: no `MODEL"),
        ("query/b.jpg PINHOLE 64 48 50", CameraError, "line 1"),
        ("query/b.jpg PINHOLE 64 x 50 50 32 24", CameraError, "line 1"),
        ("else.jpg", ImageError, "--images DIR"),
        ("query/b.jpg\nelse.jpg", ImageError, "no 'else.jpg' in"),
        ("# nothing", ImageError, "lists no image"),
        ("1, 2, query/b.jpg\n3, 4", ImageError, "line 2"),
    ],
)
def test_lists_that_say_nothing_are_one_line(dataset, text, error, says):
    listing = dataset / "queries" / "day.txt"
    listing.write_text(text)
    with pytest.raises(error, match=says) as caught:
        expanded([listing], root=None)
    assert "\n" not in str(caught.value)
    assert str(listing) in str(caught.value)
