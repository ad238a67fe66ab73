"""What programs for structure from motion and data sets of rigs leave."""

import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene
from tests.scenes.layouts import programs
from tests.scenes.layouts.walks import hold, write


@pytest.mark.parametrize("rig", [False, True])
def test_kapture_leads_from_the_world(walk, tmp_path, rig):
    scene = open_scene(write(tmp_path, programs.kapture(walk, rig=rig)))
    assert (scene.layout, scene.unit) == ("kapture", "unknown")
    hold(walk, scene)
    assert scene.mapping[0].name == "sensors/records_data/left/0000.jpg"


@pytest.mark.parametrize("rig", [False, True])
def test_lamar_leads_the_other_way(walk, tmp_path, rig):
    scene = open_scene(write(tmp_path, programs.kapture(walk, rig=rig, lamar=True)))
    assert (scene.layout, scene.unit) == ("lamar", "metre")
    hold(walk, scene)
    assert scene.mapping[1].time - scene.mapping[0].time == pytest.approx(0.2)


def test_kapture_without_trajectories_is_for_queries(walk, tmp_path):
    root = write(tmp_path, programs.kapture(walk))
    (root / "sensors/trajectories.txt").unlink()
    scene = open_scene(root)
    assert (len(scene.mapping), len(scene.queries), scene.skipped) == (0, 8, ())


def test_kapture_with_rigs_in_a_circle_and_unknown_cameras(walk, tmp_path):
    root = write(tmp_path, programs.kapture(walk))
    path = root / "sensors/rigs.txt"
    path.write_text("a, cam0, 1, 0, 0, 0, 0, 0, 0\ncam0, a, 1, 0, 0, 0, 0, 0, 0\n")
    with pytest.raises(SceneError, match=r"no pose in trajectories\.txt"):
        open_scene(root)
    sensors = root / "sensors/sensors.txt"
    sensors.write_text("cam0, , camera, UNKNOWN_CAMERA, 96, 72\n")
    with pytest.raises(SceneError, match="no intrinsics"):
        open_scene(root)


def test_euroc_between_two_poses_of_the_body(walk, tmp_path):
    scene = open_scene(write(tmp_path, programs.euroc(walk)))
    assert (scene.layout, scene.unit) == ("euroc", "metre")
    hold(walk, scene)


def test_opensfm_reads_the_largest_part(walk, tmp_path):
    scene = open_scene(write(tmp_path, programs.opensfm(walk, others=3)))
    assert (scene.layout, scene.unit) == ("opensfm", "unknown")
    hold(walk, scene)
    assert scene.notes[0].startswith("read the largest of 2 reconstructions")


def test_bundler_looks_along_minus_z(walk, tmp_path):
    scene = open_scene(write(tmp_path, programs.bundler(walk)))
    assert (scene.layout, scene.unit) == ("bundler", "unknown")
    hold(walk, scene, camera=programs.square(walk))
    assert [entry.reason for entry in scene.skipped] == ["the image was not registered"]


def test_metashape_in_the_world_of_its_project(walk, tmp_path):
    scene = open_scene(write(tmp_path, programs.metashape(walk)))
    assert (scene.layout, scene.unit) == ("metashape", "unknown")
    hold(walk, scene, world=programs.WORLD_FROM_ROOM)
    assert [entry.reason for entry in scene.skipped] == ["the camera was not aligned"]


def test_tangential_distortion_of_metashape_is_the_other_way_round(walk, tmp_path):
    root = write(tmp_path, programs.metashape(walk))
    path = root / "cameras.xml"
    path.write_text(path.read_text().replace("<p1>0</p1><p2>0</p2>", "<p1>3e-3</p1><p2>1e-3</p2>"))
    camera = open_scene(root).mapping[0].camera
    # x' = x + P1 (r^2 + 2 x^2) + 2 P2 x y, y' = y + P2 (r^2 + 2 y^2) + 2 P1 x y
    x, y = 0.3, -0.2
    p1, p2, square = 3e-3, 1e-3, x * x + y * y
    bent = (x + p1 * (square + 2 * x * x) + 2 * p2 * x * y,
            y + p2 * (square + 2 * y * y) + 2 * p1 * x * y)  # fmt: skip
    (pixel,) = camera.pixels([(x, y)])
    assert pixel[0] == pytest.approx(46.5 + 80.5 * bent[0], abs=1e-9)
    assert pixel[1] == pytest.approx(37.25 + 79.25 * bent[1], abs=1e-9)


def test_realitycapture_by_heading_pitch_and_roll(walk, tmp_path):
    scene = open_scene(write(tmp_path, programs.realitycapture(walk)))
    assert (scene.layout, scene.unit) == ("realitycapture", "unknown")
    hold(walk, scene, camera=programs.square(walk))


def test_nerf_synthetic_by_its_angle_and_parts(walk, tmp_path):
    scene = open_scene(write(tmp_path, programs.blender(walk)))
    assert (scene.layout, len(scene.queries)) == ("transforms", 2)
    hold(walk, scene, numbers=range(6), camera=programs.square(walk))


def test_documents_that_would_grow_are_refused(walk, tmp_path):
    root = write(tmp_path, programs.metashape(walk))
    text = (root / "cameras.xml").read_text()
    entity = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    (root / "cameras.xml").write_text(text.replace("<document", entity + "<document", 1))
    with pytest.raises(SceneError, match=r"cameras\.xml: has a document type"):
        open_scene(root)


def test_bundler_that_is_cut_short(walk, tmp_path):
    root = write(tmp_path, programs.bundler(walk))
    path = root / "bundle.out"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(SceneError, match=r"bundle\.out: cut short"):
        open_scene(root)
    path.write_text("# Bundle file v0.3\n0 0\n")
    with pytest.raises(SceneError, match=r"has 0 cameras, but list\.txt has 9 images"):
        open_scene(root)
