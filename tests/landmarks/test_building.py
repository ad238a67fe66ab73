import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.geometry import pose_error
from reloc.images.files import read_image
from reloc.landmarks.building import LandmarkOptions, build_landmarks
from reloc.landmarks.keypoints import detect_keypoints, unit_descriptors
from reloc.landmarks.matching import LandmarkMatcher, seen_keypoints
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.solver import SolverOptions, solve_pose

pytestmark = pytest.mark.usefixtures("keypoints_once")


@pytest.fixture(scope="module")
def built(wall_frames):
    return build_landmarks(wall_frames[::2], depth=3.0, options=LandmarkOptions(count=400))


def test_landmarks_lie_on_the_wall(built):
    landmarks, counts = built
    assert len(landmarks) == counts.kept == 400
    assert counts.matches > counts.confirmed >= 3 * counts.points / 2
    assert np.median(np.abs(landmarks.points[:, 2] - 3)) < 0.01
    assert np.quantile(np.abs(landmarks.points[:, 2] - 3), 0.95) < 0.05
    assert (landmarks.directions[:, 2] < -0.5).all()
    assert (landmarks.spreads < 1).all()


def test_they_give_the_pose_of_another_photo(built, wall_frames):
    landmarks, _ = built
    frame = wall_frames[3]
    keypoints = detect_keypoints(read_image(frame.image, gray=True))
    seen = seen_keypoints(keypoints, frame.camera, landmarks)
    keys, rows = LandmarkMatcher(landmarks).among_all(seen)
    found = solve_pose(
        Correspondences.of_kind(
            Kind.LANDMARK, landmarks.points[rows], seen.rays[keys], frame.camera.focal
        ),
        options=SolverOptions(threshold=4, refine_scale=1),
    )
    distance, angle = pose_error(found.world_from_cam, frame.world_from_cam)
    assert found.inliers.sum() > 50
    assert distance < 0.01
    assert angle < 0.1


def test_the_unit_of_length_changes_nothing(built, wall_frames):
    from dataclasses import replace

    scaled = []
    for frame in wall_frames[::2]:
        pose = frame.world_from_cam.copy()
        pose[:3, 3] = 100 * pose[:3, 3] + 5000
        scaled.append(replace(frame, world_from_cam=pose))
    landmarks, counts = build_landmarks(scaled, depth=300.0, options=LandmarkOptions(count=400))
    assert counts == built[1]
    assert np.abs((landmarks.points - 5000) / 100 - built[0].points).max() < 1e-5
    assert (landmarks.descriptors == built[0].descriptors).all()


@pytest.mark.slow
def test_larger_photos_give_as_many_landmarks_with_errors_as_of_smaller_ones(wall_frames):
    from dataclasses import replace

    import cv2

    def made(times):
        frames = [
            replace(f, camera=f.camera.resized(times * f.camera.width, times * f.camera.height))
            for f in wall_frames[::2]
        ]

        def enlarged(path):
            return cv2.resize(read_image(path, gray=True), None, fx=times, fy=times)

        options = LandmarkOptions(keypoints=400)
        return build_landmarks(frames, depth=3.0, options=options, read=enlarged)[0]

    small, large = made(2), made(8)
    assert len(large) > 0.9 * len(small) > 100
    # Both are searched at the same size.
    assert np.median(large.deviations) == pytest.approx(np.median(small.deviations), rel=0.1)


def test_frames_that_cannot_be_read_are_left_out(built, wall_frames, tmp_path):
    from dataclasses import replace

    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    larger = replace(wall_frames[3], camera=wall_frames[3].camera.resized(640, 480))
    frames = [*wall_frames[::2], replace(wall_frames[1], image=broken), larger]
    landmarks, counts = build_landmarks(frames, depth=3.0, options=LandmarkOptions(count=400))
    assert counts.views == len(wall_frames[::2])
    assert len(landmarks) == 400


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_frames_make_no_landmarks(wall_frames, count):
    landmarks, counts = build_landmarks(wall_frames[:count], depth=3.0, options=LandmarkOptions())
    assert len(landmarks) == counts.points == 0


@pytest.mark.slow
def test_a_camera_that_only_turns_makes_none(wall_frames):
    from dataclasses import replace

    spot = wall_frames[4].world_from_cam[:3, 3]
    frames = []
    for frame in wall_frames:
        pose = frame.world_from_cam.copy()
        pose[:3, 3] = spot
        frames.append(replace(frame, world_from_cam=pose))
    landmarks, _ = build_landmarks(frames, depth=3.0, options=LandmarkOptions())
    assert len(landmarks) == 0


@pytest.mark.slow
def test_descriptors_are_those_of_the_photos(built, wall_frames):
    landmarks, _ = built
    frame = wall_frames[0]
    units = unit_descriptors(detect_keypoints(read_image(frame.image, gray=True)).descriptors)
    codes = landmarks.basis.coordinates(units)
    far = np.linalg.norm(codes[:, None] - landmarks.descriptors[None].astype(np.float32), axis=2)
    typical = np.linalg.norm(landmarks.descriptors.astype(np.float32), axis=1).mean()
    assert np.quantile(far.min(axis=0), 0.3) < 0.5 * typical


@pytest.mark.parametrize(
    "options", [{"count": -1}, {"count": 10**6}, {"keypoints": 0}, {"tolerance": 0.0}]
)
def test_impossible_options_are_refused(options):
    with pytest.raises(OptionError):
        LandmarkOptions(**options)
