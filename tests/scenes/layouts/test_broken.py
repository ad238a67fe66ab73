"""Each layout damaged in transit: one line that names a file, or the frame is left out."""

import re
import zipfile
from pathlib import Path

import pytest

from reloc.errors import CameraError, SceneError
from reloc.scenes import open_scene
from tests.scenes.layouts import phones, programs
from tests.scenes.layouts.walks import hold, write

LAYOUTS = {
    "stray": (lambda walk: phones.stray(walk, as_images=True), "odometry.csv"),
    "polycam": (phones.polycam, "keyframes/corrected_cameras/98000400000.json"),
    "record3d": (lambda walk: phones.record3d(walk, exr=True), "metadata.json"),
    "nerfcapture": (phones.nerfcapture, "transforms.json"),
    "scanner-app": (phones.scanner_app, "frame_00004.json"),
    "scancapture": (phones.scancapture, "poses.txt"),
    "arkitscenes": (phones.arkitscenes, "lowres_wide.traj"),
    "scannet": (phones.scannet, "pose/7.txt"),
    "scannet++": (phones.scannetpp, "pose_intrinsic_imu.json"),
    "kapture": (programs.kapture, "sensors/trajectories.txt"),
    "lamar": (lambda walk: programs.kapture(walk, lamar=True), "trajectories.txt"),
    "euroc": (programs.euroc, "mav0/state_groundtruth_estimate0/data.csv"),
    "opensfm": (programs.opensfm, "reconstruction.json"),
    "bundler": (programs.bundler, "bundle.out"),
    "metashape": (programs.metashape, "cameras.xml"),
    "realitycapture": (programs.realitycapture, "cameras.csv"),
}


@pytest.fixture(params=LAYOUTS)
def layout(request, walk, tmp_path) -> tuple[Path, Path]:
    """The folder of a layout, and the file in it that has the poses."""
    writer, poses = LAYOUTS[request.param]
    root = write(tmp_path / "capture", writer(walk))
    return root, root / poses


@pytest.mark.parametrize("share", [0.4, 0.97])
def test_poses_that_are_cut_short(layout, share):
    root, path = layout
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    try:
        scene = open_scene(root)
    except (SceneError, CameraError) as error:
        assert "\n" not in str(error) and path.name in str(error)
    else:  # rows are whole, or a frame is lost: in either case it is told or the table ended
        assert len(scene.mapping) < 8 or share > 0.9


def test_poses_of_nan_cost_their_frame(layout, walk):
    root, path = layout
    text = path.read_text()
    # A stretch of the file that holds at least one whole pose.
    numbers = list(re.finditer(r"-?\d+\.\d{6,}", text))
    stretch = numbers[len(numbers) * 4 // 16 : len(numbers) * 7 // 16] or numbers
    for found in reversed(stretch):
        text = text[: found.start()] + "NaN" + text[found.end() :]
    path.write_text(text)
    try:
        scene = open_scene(root)
    except (SceneError, CameraError) as error:
        assert "\n" not in str(error)
    else:
        assert 4 <= len(scene.mapping) < 8
        assert len(scene.skipped) >= 8 - len(scene.mapping)


def test_images_that_are_missing_or_damaged(layout):
    root, _ = layout
    images = sorted(p for p in root.rglob("*.[jJpP]*[gG]") if _is_photo(p))[:8]
    images[1].unlink()
    images[2].write_bytes(b"")
    scene = open_scene(root)
    assert len(scene.mapping) >= 5
    assert all(frame.image not in images[1:3] for frame in scene.mapping)


def _is_photo(path: Path) -> bool:
    others = ("depth", "lowres_depth", "confidence", "images", "cameras")
    if path.parent.parent.name == "keyframes":
        return path.parent.name == "corrected_images"
    return path.parent.name not in others[:3] and not path.name.startswith(("depth_", "conf_"))


@pytest.mark.parametrize("name", ["kapture", "opensfm", "bundler", "metashape", "realitycapture"])
@pytest.mark.parametrize("way", ["../../etc/secret.jpg", "/etc/secret.jpg", "a\0b.jpg"])
def test_names_that_lead_out_of_the_folder(walk, tmp_path, name, way):
    writer, poses = LAYOUTS[name]
    lists = {"kapture": "sensors/records_camera.txt", "bundler": "list.txt"}
    first = {
        "kapture": "left/0000.jpg",
        "bundler": "./images/a 0000.jpg",
        "opensfm": "0000.jpg",
        "metashape": "DSC_0000",
        "realitycapture": "IMG_0000.jpg",
    }
    root = write(tmp_path / "capture", writer(walk))
    path = root / lists.get(name, poses)
    text = path.read_text()
    assert first[name] in text
    way = way.replace("\0", "\\u0000") if name == "opensfm" else way
    path.write_text(text.replace(first[name], way, 1))
    try:
        scene = open_scene(root)
    except SceneError as error:
        assert "\n" not in str(error) and path.name in str(error)
    else:
        assert len(scene.mapping) == 7
        assert all(root in frame.image.parents for frame in scene.mapping)


@pytest.mark.parametrize("top", ["", "my scan/", "a/b/"])
def test_archives_are_read_as_they_leave_the_phone(walk, tmp_path, top):
    path = tmp_path / "kitchen.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in phones.polycam(walk).items():
            archive.writestr(top + name, content)
    for _ in range(2):
        scene = open_scene(path)
        assert (scene.name, scene.layout) == ("kitchen", "polycam")
        hold(walk, scene, depths=8)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kitchen.zip", "kitchen.zip.reloc"]


def test_archives_that_are_cut_short_or_lead_out(walk, tmp_path):
    path = tmp_path / "kitchen.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../outside.txt", b"there")
    with pytest.raises(SceneError, match=r"kitchen\.zip: the entry .* leads out of the folder"):
        open_scene(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in phones.polycam(walk).items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SceneError, match=r"kitchen\.zip: .*damaged or cut short.*copy or export"):
        open_scene(path)
    assert [p.name for p in tmp_path.iterdir()] == ["kitchen.zip"]
