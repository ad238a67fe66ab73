"""Which camera a photo is given, by what it and the mapping photos say of their lenses."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.geometry.turns import turned_camera
from reloc.images.lens import Lens
from reloc.localize.cameras import MAX_CHOICES, QueryCameras, QueryPhoto
from reloc.maps import MappingCamera

# 26 mm on film are 601 pixels of the diagonal of 1000: the calibrated one is 3 % off that.
OWN = Camera("OPENCV", 800, 600, (620, 621, 410, 290, -0.1, 0.02, 0.001, 0.002))
MAIN = Lens("Acme", "Phone", 4.25, 26.0)
OTHER = Lens("Other", "Phone", 4.25, 26.0)


def mapping(*entries):
    """Frames of (camera, lens)."""
    return [MappingCamera(f"rgb/{n}.jpg", np.eye(4), *entry) for n, entry in enumerate(entries)]


def tried(photo_lens, *entries, size=(800, 600), name="a.jpg", given=None):
    cameras = QueryCameras(mapping(*(entries or [(OWN, MAIN)])))
    return cameras.choices(QueryPhoto(name, size[0], size[1], photo_lens), given)


def chosen(*args, **options):
    (choice,) = tried(*args, **options)
    return choice


def focals(choices):
    return [(c.source, round(c.camera.focal / OWN.focal, 3)) for c in choices]


@pytest.mark.parametrize("lens", [None, Lens(), MAIN, replace(MAIN, turn=0)])
@pytest.mark.parametrize("query", [Lens(), MAIN, replace(MAIN, turn=0), Lens("Acme", "Phone")])
def test_the_maps_camera_is_that_of_its_own_lens_and_of_photos_that_say_nothing(query, lens):
    choice = chosen(query, (OWN, lens), (OWN, lens))
    assert (choice.camera, choice.source, choice.turn) == (OWN, "map", 0)
    twice = chosen(query, (OWN, lens), size=(1600, 1200))
    assert (twice.camera, twice.source) == (OWN.resized(1600, 1200), "map")


@pytest.mark.parametrize("size", [(800, 600), (1600, 1200)])
def test_another_lens_of_the_device_gets_the_maps_focal_length_scaled(size):
    choice = chosen(replace(MAIN, focal_mm=2.2, equivalent_mm=13.0), size=size)
    assert choice.source == "scaled"
    assert choice.camera.focal == pytest.approx(OWN.resized(*size).focal / 2)
    assert choice.camera.model == "PINHOLE"  # how that lens distorts nobody knows


@pytest.mark.parametrize("equivalent", [26.0, 52.0])
def test_a_digital_zoom_counts_once_whether_or_not_the_equivalent_counts_it(equivalent):
    choice = chosen(replace(MAIN, zoom=2.0, equivalent_mm=equivalent))
    assert choice.source == "scaled"
    assert choice.camera.distortion == OWN.distortion
    # A magnified picture shows the middle of the whole one.
    rays = OWN.rays([[300, 250], [400, 300], [500, 350]])
    np.testing.assert_allclose(choice.camera.pixels(rays), [[200, 200], [400, 300], [600, 400]])


def test_where_the_zoom_may_be_counted_or_not_both_are_tried():
    query = replace(MAIN, focal_mm=2.2, equivalent_mm=13.0, zoom=1.5)
    assert focals(tried(query)) == [("scaled", 0.5), ("scaled", 0.75)]
    by_exif = tried(replace(OTHER, equivalent_mm=52.0, zoom=2.0))
    assert [c.source for c in by_exif] == ["exif", "exif"]
    assert by_exif[1].camera.focal == pytest.approx(2 * by_exif[0].camera.focal)


def test_millimetres_serve_where_there_is_no_equivalent():
    camera = Lens("Acme", "SLR", 18.0)
    choice = chosen(replace(camera, focal_mm=36.0), (OWN, camera))
    assert focals([choice]) == [("scaled", 2.0)]
    # Of another device they say nothing without the size of its sensor.
    assert chosen(Lens("Other", "SLR", 36.0), (OWN, camera)).source == "map"


def test_a_wrong_equivalent_that_all_photos_share_does_no_harm():
    """Cropped and shrunk before mapping: calibration says 620, EXIF says 300."""
    wrong = Lens("Acme", "Phone", 4.25, 13.0)
    assert chosen(wrong, (OWN, wrong)).camera == OWN
    assert focals([chosen(replace(wrong, zoom=2.0), (OWN, wrong))]) == [("scaled", 2.0)]


def test_a_foreign_device_gets_the_maps_camera_only_if_that_agrees():
    assert chosen(OTHER).source == "map"
    far = chosen(replace(OTHER, equivalent_mm=30.0))
    assert far.source == "exif"
    assert far.camera.focal == pytest.approx(30 / 43.27 * 1000)


@pytest.mark.parametrize("lens", [None, Lens()])
@pytest.mark.parametrize("size", [(800, 600), (1600, 1200)])
def test_a_map_that_says_nothing_leaves_doubts_to_the_image(lens, size):
    assert chosen(MAIN, (OWN, lens), size=size).source == "map"
    both = tried(replace(MAIN, equivalent_mm=14.0), (OWN, lens), size=size)
    assert [c.source for c in both] == ["exif", "map"]


def test_exif_serves_where_no_camera_of_the_map_has_the_shape():
    assert chosen(MAIN, size=(900, 500)).source == "exif"
    with pytest.raises(CameraError, match=r"a\.jpg.*800x600 of another shape") as caught:
        tried(Lens(), size=(900, 500))
    assert "\n" not in str(caught.value)
    with pytest.raises(CameraError, match=r"a\.jpg: no camera at hand"):
        QueryCameras([]).choices(QueryPhoto("a.jpg", 4, 4))


TELE = replace(OWN, params=(1240, 1242, *OWN.params[2:]))
SMALL = OWN.resized(400, 300)
PORTRAIT = Camera.pinhole(width=600, height=800, fx=700)


def test_of_several_cameras_the_size_decides_then_the_lens():
    entries = [(OWN, MAIN), (PORTRAIT, None), (SMALL, None)]
    assert chosen(Lens(), *entries).camera == OWN
    assert chosen(Lens(), *entries, size=(600, 800)).camera == PORTRAIT
    assert chosen(Lens(), *entries, size=(400, 300)).camera == SMALL
    zoomed = [(OWN, MAIN), (TELE, OTHER)]
    assert chosen(MAIN, *zoomed).camera == OWN
    assert chosen(OTHER, *zoomed).camera == TELE
    assert chosen(Lens("Other", "Phone"), *zoomed).camera == TELE


def test_where_it_stays_open_each_is_tried_the_most_frequent_first():
    found = tried(Lens(), (OWN, None), (TELE, None), (TELE, None))
    assert [(c.camera, c.source) for c in found] == [(TELE, "map"), (OWN, "map")]


def per_photo(focals, lens=None):
    return [(Camera.pinhole(width=800, height=600, fx=f), lens) for f in focals]


def test_a_camera_for_each_photo_is_one_camera_where_they_agree():
    many = per_photo(np.linspace(600, 630, 101))
    choice = chosen(Lens(), *many)
    assert choice.source == "map (median of 101)"
    assert choice.camera.fx == pytest.approx(615)
    own = chosen(Lens(), *many, name="place/rgb/7.jpg")
    assert (own.camera, own.source) == (many[7][0], "map")


def test_photos_of_two_zooms_are_two_cameras():
    many = [*per_photo(np.linspace(600, 630, 11), MAIN), *per_photo(np.linspace(900, 940, 7))]
    found = tried(Lens(), *many)
    assert [c.source for c in found] == ["map (median of 11)", "map (median of 7)"]
    assert chosen(MAIN, *many).source == "map (median of 11)"


def test_a_few_bad_calibrations_are_no_lenses_of_their_own():
    many = per_photo([*np.linspace(600, 630, 90), 560, 565, 690, 720, 540])
    choice = chosen(Lens(), *many)
    assert choice.source == "map (median of 95)"
    assert choice.camera.fx == pytest.approx(615, rel=0.01)


def test_cameras_that_do_not_agree_at_all_are_told():
    with pytest.raises(CameraError, match=r"for 800x600 do not agree.*--camera") as caught:
        tried(Lens(), *per_photo(np.geomspace(300, 3000, 60)))
    assert "\n" not in str(caught.value)


# Six captures, each with a camera of its own, of which a region is made from two.
CAPTURES = [camera for camera, _ in per_photo(500 * 1.2 ** np.arange(6))]
REGIONS = [(0, 1, 6), (2, 3), (4, 5, 1)]


def of_captures(likely, *, photo=Lens(), regions=REGIONS, lens=None, size=(800, 600)):  # noqa: B008
    asked = []

    def told(turn):
        asked.append(turn)
        return likely

    cameras = QueryCameras(mapping(*((c, lens) for c in [*CAPTURES, CAPTURES[1]])), regions)
    found = cameras.choices(QueryPhoto("a.jpg", size[0], size[1], photo), likely=told)
    return [CAPTURES.index(turned_camera(c.camera, c.turn)) for c in found], asked


@pytest.mark.parametrize(
    ("likely", "expected"),
    [((1, 0, 2), [2, 3, 1, 0]), ((2, 0, 1), [1, 4, 5, 0]), ((0, 2, 1), [1, 0, 4, 5])],
)
def test_of_too_many_cameras_those_of_the_likely_regions_are_tried(likely, expected):
    assert of_captures(likely) == (expected, [0])
    with pytest.raises(CameraError, match="do not agree"):
        tried(Lens(), *((camera, None) for camera in CAPTURES))


def test_regions_are_asked_for_in_the_turn_in_which_the_photo_is_looked_at():
    found, asked = of_captures((1, 0, 2), photo=Lens(turn=1), lens=Lens(), size=(600, 800))
    assert (found, asked) == ([2, 3], [1])


def test_regions_are_not_asked_for_where_all_cameras_can_be_tried():
    cameras = QueryCameras(mapping((OWN, None), (TELE, None)), [(0,), (1,)])
    assert (
        len(
            cameras.choices(QueryPhoto("a.jpg", 800, 600), likely=lambda turn: pytest.fail("asked"))
        )
        == 2
    )


def test_regions_of_all_frames_or_a_single_one_narrow_nothing():
    with pytest.raises(CameraError, match="do not agree"):
        of_captures((0,), regions=[None])
    with pytest.raises(CameraError, match="do not agree"):
        of_captures((1, 0), regions=[None, None])


def test_the_cameras_of_a_region_are_grouped_by_themselves():
    """Not with those of other regions, whose camera may be nearly the same."""
    several = per_photo([*np.linspace(600, 604, 11), *np.linspace(610, 614, 31)])
    others = per_photo([800, 1000, 1300, 1700])
    regions = [range(11), range(11, 42), range(42, 46)]
    cameras = QueryCameras(mapping(*several, *others), regions)
    found = cameras.choices(QueryPhoto("a.jpg", 800, 600), likely=lambda _: (0, 1, 2))
    assert [round(c.camera.fx) for c in found[:2]] == [602, 612]


def test_a_mapping_photos_name_does_not_hide_another_lens():
    entries = [(OWN, MAIN), (TELE, OTHER)]
    assert chosen(Lens(), *entries, name="rgb/0.jpg").camera == OWN
    assert len(tried(Lens(), *entries, name="other/0.jpg")) == 2
    assert chosen(OTHER, *entries, name="rgb/0.jpg").camera == TELE


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_pictures_stored_turned_are_brought_to_lie_as_those_of_the_map(turn):
    size = (600, 800) if turn % 2 else (800, 600)
    found = tried(Lens(turn=turn), (OWN, Lens()), size=size)
    assert (found[0].camera, found[0].turn) == (turned_camera(OWN, -turn), turn)
    # The tag may be wrong, so a picture of the shape of the map's is tried as it is as well.
    assert [c.turn for c in found[1:]] == ([0] if turn == 2 else [])


def test_mapping_photos_that_lie_are_not_stood_up():
    lying = replace(MAIN, turn=1)
    assert [c.turn for c in tried(lying, (OWN, lying))] == [0]
    assert [c.turn for c in tried(replace(MAIN, turn=0), (OWN, lying))] == [3, 0]
    assert [c.turn for c in tried(MAIN, (OWN, lying))] == [0]
    assert [c.turn for c in tried(lying, (OWN, lying), (OWN, MAIN))] == [0]
    # The sensor's camera is the sensor's whichever way the device was held.
    assert {c.camera for c in tried(lying, (OWN, MAIN))} == {OWN}


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_given_camera_is_of_the_stored_or_of_the_upright_picture_by_its_shape(turn):
    stored = turned_camera(OWN, -turn)
    lens, size = Lens(turn=turn), (stored.width, stored.height)
    for given in (stored, OWN) if turn % 2 else (stored,):
        found = tried(lens, size=size, given=given)
        assert {(c.camera, c.source) for c in found} == {(stored, "given")}
        assert [c.turn for c in found] == [turn, 0]
    with pytest.raises(CameraError, match="another shape"):
        tried(lens, size=size, given=Camera.pinhole(width=90, height=90, fx=80))


def test_no_more_than_a_few_are_tried():
    entries = per_photo([300, 400, 500, 600, 700])
    assert len(tried(Lens(turn=2), *entries[:MAX_CHOICES])) <= MAX_CHOICES
