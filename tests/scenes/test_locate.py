"""Finding image files that lie a little elsewhere than a list says."""

import pytest

from reloc.errors import SceneError
from reloc.scenes.locate import Locator, find_folder


@pytest.fixture
def files(tmp_path):
    """Makes empty files; gives their folder."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def _names(locator, listed):
    return [located and located.name for located in map(locator.find, listed)]


@pytest.mark.parametrize(
    ("listed", "file"),
    [
        ("images/0001", "images/0001.JPG"),
        ("images/0001", "images/0001.jpeg"),
        ("images/0001.jpg", "images/0001.JPG"),
        ("images/0001.jpg", "images/0001.png"),
        ("images/0001.HEIC", "images/0001.jpg"),
        ("images/a.b.0001", "images/a.b.0001.tif"),
        ("images/IMG_1.JPG", "images/img_1.jpg"),
    ],
)
def test_the_only_file_of_a_stem_is_found_and_told_once(files, listed, file):
    root = files(file, "images/other.png", "images/notes.txt", f"images/._{file[7:]}")
    locator = Locator(root, [listed])
    assert _names(locator, [listed, listed]) == [file, file]
    suffixless = file.endswith((".jpeg", ".tif"))
    assert [note[:9] for note in locator.notes()] == ([] if suffixless else ["2 frames:"])


def test_several_files_of_a_stem_are_not_guessed_among(files):
    root = files("images/1.JPG", "images/1.TIF")
    locator = Locator(root, ["images/1.png"])
    assert not locator.find("images/1.png").path.exists()
    assert locator.notes() == ()


@pytest.mark.parametrize("first", ["images/1.png", "images/1"])
def test_a_file_that_is_listed_itself_stands_for_no_other(files, first):
    root = files("images/1.JPG")
    listed = [first, "images/1.JPG"]
    locator = Locator(root, listed)
    assert [locator.find(name).path.exists() for name in listed] == [False, True]


def test_the_name_itself_wins(files):
    root = files("images/1.png", "images/1.jpg", "1.png", "images_2/1.png")
    locator = Locator(root, ["1.png"], folders=("images", ""))
    assert _names(locator, ["1.png", "images/1.png"]) == ["images/1.png", "images/1.png"]
    assert locator.notes() == ()


@pytest.mark.parametrize(
    "start", ["C:\\Users\\me\\fox\\", "/home/me/fox/", "//server/share/fox/", "D:/fox/"]
)
def test_paths_of_another_machine_fit_by_their_longest_end(files, start):
    root = files("images/a/1.jpg", "images/b/1.jpg", "1.jpg")
    names = ["images/a/1.jpg", "images/b/1.jpg"]
    slash = "\\" if "\\" in start else "/"
    listed = [start + name.replace("/", slash) for name in names]
    locator = Locator(root, listed)
    assert _names(locator, listed) == names
    (note,) = locator.notes()
    assert note.startswith("2 frames: ") and note.endswith(f"images/a/1.jpg for {listed[0]}")


def test_names_that_differ_are_not_cut_until_they_are_one(files):
    root = files("1.jpg")
    listed = ["/data/a/1.jpg", "/data/b/1.jpg"]
    assert _names(Locator(root, listed), listed) == [None, None]
    assert _names(Locator(root, listed[:1]), listed[:1]) == ["1.jpg"]
    others = ["/etc/hostname", "D:\\x.jpg"]
    assert _names(Locator(root, listed[:1] + others), listed[:1]) == ["1.jpg"]


def test_absolute_paths_of_this_folder_are_its_own(files):
    root = files("images/1.jpg")
    locator = Locator(root, [f"{root}/images/1.jpg"], folders=("images", ""))
    assert _names(locator, [f"{root}/images/1.jpg"]) == ["images/1.jpg"]
    assert locator.notes() == ()


@pytest.mark.parametrize("listed", ["../1.jpg", "a/../../1.jpg", "..\\1.jpg", "a\0.jpg", "."])
def test_names_that_lead_out_are_not_followed(files, listed):
    root = files("scene/images/x.jpg", "1.jpg") / "scene"
    assert Locator(root, [listed]).find(listed) is None


def test_smaller_images_stand_in_where_there_are_no_others(files):
    root = files("images_8/1.jpg", "images_4/1.png", "images_4/2.png", "images_best/1.jpg")
    locator = Locator(root, ["1.jpg", "2.jpg"], folders=("images", ""))
    one, two = locator.find("1.jpg"), locator.find("2.jpg")
    assert [one.name, two.name] == ["images_4/1.png", "images_4/2.png"]
    assert one.smaller and one.path == root / "images_4/1.png"
    assert len(locator.notes()) == 1
    assert _names(Locator(root, ["images/1.jpg"]), ["images/1.jpg"]) == ["images_4/1.png"]


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("1.jpg", "1.jpg"),
        ("images/1.jpg", "1.jpg"),
        ("../images/1.jpg", "1.jpg"),
        ("/data/rgb/1.png", "1.jpg"),
        ("images/b/1.jpg", "b/1.jpg"),
    ],
)
def test_a_given_folder_takes_the_place_of_the_usual_ones(files, listed, name):
    root = files("scene/images/1.jpg", "photos/1.jpg", "photos/b/1.jpg")
    locator = Locator(root / "scene", [listed], given=root / "photos")
    located = locator.find(listed)
    assert (located.name, located.path) == (name, root / "photos" / name)


def test_names_in_a_given_folder_of_the_scene_are_below_the_scene(files):
    root = files("mapping/1.jpg")
    locator = Locator(root, ["1.jpg"], given=root / "mapping")
    assert _names(locator, ["1.jpg"]) == ["mapping/1.jpg"]


def test_a_folder_is_looked_for_as_given_then_below_the_scene(files, monkeypatch):
    root = files("scene/photos/1.jpg", "else/photos/1.jpg")
    monkeypatch.chdir(root)
    assert find_folder(root / "scene", root / "else/photos") == root / "else/photos"
    assert find_folder(root / "scene", "photos") == root / "scene/photos"
    with pytest.raises(SceneError, match="neither as given nor below"):
        find_folder(root / "scene", "none")
