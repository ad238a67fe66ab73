"""WGS84 against published values, and poses on Earth."""

import numpy as np
import pytest

from reloc.alignment import Alignment, Geodetic, Similarity
from reloc.alignment.earth import ecef, enu, from_enu, geodetic
from reloc.errors import OptionError
from reloc.geometry import pose_from, rotation_from_quaternion

A, B = 6378137.0, 6356752.314245179
# Of the tests of pymap3d, which agree with the Mapping Toolbox of Matlab.
HERE, XYZ = Geodetic(42, -82, 200), (660675.2518247, -4700948.68316, 4245737.66222)
THERE, ENU = Geodetic(42.002582, -81.997752, 1139.7018), (186.277521, 286.84222, 939.69262)


@pytest.mark.parametrize(
    ("place", "xyz"),
    [
        (HERE, XYZ),
        (Geodetic(0, 0, 0), (A, 0, 0)),
        (Geodetic(0, 90, -1), (0, A - 1, 0)),
        (Geodetic(90, 0, 7), (0, 0, B + 7)),
        (Geodetic(-90, 0, -1), (0, 0, 1 - B)),
    ],
)
def test_positions_are_the_published_ones(place, xyz):
    np.testing.assert_allclose(ecef(place), xyz, atol=1e-5)
    back = geodetic(xyz)
    assert back.latitude == pytest.approx(place.latitude, abs=1e-10)
    assert back.height == pytest.approx(place.height, abs=1e-5)
    if abs(place.latitude) < 90:
        assert back.longitude == pytest.approx(place.longitude, abs=1e-10)


def test_east_north_up_is_the_published_one():
    np.testing.assert_allclose(enu(THERE, HERE), ENU, atol=0.1)


def test_positions_come_back_from_anywhere():
    rng = np.random.default_rng(0)
    for _ in range(50):
        place = Geodetic(rng.uniform(-90, 90), rng.uniform(-180, 180), rng.uniform(-400, 9000))
        offset = rng.normal(0, 1000, 3)
        np.testing.assert_allclose(enu(from_enu(offset, place), place), offset, atol=1e-6)


def test_pyproj_agrees():
    pyproj = pytest.importorskip("pyproj")
    to_ecef = pyproj.Transformer.from_crs(4979, 4978, always_xy=True)
    for latitude in (-90, -33.3, 0, 60.123, 89.999):
        xyz = to_ecef.transform(12.5, latitude, 321.0)
        np.testing.assert_allclose(ecef(Geodetic(latitude, 12.5, 321.0)), xyz, atol=1e-6)


@pytest.mark.parametrize("place", [(91, 0, 0), (0, 181, 0), (0, 0, 1e7), (float("nan"), 0, 0)])
def test_what_is_not_on_earth_is_refused(place):
    with pytest.raises(OptionError, match="no position on Earth"):
        Geodetic(*place)


def turned(pose):
    quaternion = pose["quaternion"]
    return rotation_from_quaternion([quaternion[name] for name in "wxyz"])


def test_a_level_camera_that_looks_east_has_the_geopose_without_a_turn():
    alignment = Alignment(Similarity(2.0), origin=HERE)
    # Right is south, down is down, forward is east.
    looking_east = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    pose = alignment.geopose(pose_from(looking_east, np.zeros(3)))
    assert pose["position"] == pytest.approx({"lat": 42, "lon": -82, "h": 200})
    np.testing.assert_allclose(turned(pose), np.eye(3), atol=1e-9)
    far = alignment.geopose(pose_from(looking_east, (500, 0, 0)))
    np.testing.assert_allclose(
        enu(Geodetic(*far["position"].values()), HERE), (1000, 0, 0), atol=1e-6
    )
    # What is straight on to the east bends south: the longitude times sin(latitude).
    turn = np.radians(far["position"]["lon"] + 82) * np.sin(np.radians(42))
    assert turned(far)[1, 0] == pytest.approx(-turn, rel=1e-3)
    assert alignment.geopose(pose_from(looking_east, (1e9, 0, 0))) is None
    assert Alignment(Similarity()).geopose(np.eye(4)) is None
