"""What landmarks alone say about a query, before any network has seen it.

Many landmarks all over an image agree with the right pose only: then nothing else is asked.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reloc.geometry import Camera
from reloc.localize.doubts import with_doubts
from reloc.localize.estimate import Estimate
from reloc.localize.landmark_solver import LandmarkSolution, LandmarkSolver
from reloc.localize.place import Place
from reloc.localize.query import PreparedQuery


@dataclass(frozen=True)
class FirstLook:
    """What came of matching a query with all landmarks of a map.

    Attributes:
        found: for each camera that may have taken it the pose that most landmarks agree with; None
            where there is no such pose.
        seconds: by stage, that it took.
        answer: the estimate, where landmarks are sure of a pose; else None.
    """

    found: Mapping[Camera, LandmarkSolution | None] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    answer: Estimate | None = None


def first_look(solver: LandmarkSolver, tries: Sequence[PreparedQuery], place: Place) -> FirstLook:
    """Matches a query with all landmarks, for each camera that may have taken it.

    How the query lies makes no difference to landmarks.

    Args:
        solver: for all landmarks of the map.
        tries: the query with each of its cameras, the likeliest first.
        place: the map.
    """
    by_camera: dict[Camera, PreparedQuery] = {}
    for one in tries:
        by_camera.setdefault(one.camera, one)
    began = time.perf_counter()
    keypoints = tries[0].keypoints()
    seen = time.perf_counter()
    found = {
        camera: solver.solve(keypoints, camera, None, depth=query.depth)
        for camera, query in by_camera.items()
    }
    seconds = {"keypoints": seen - began, "landmarks": time.perf_counter() - seen}
    solved = [(camera, pose) for camera, pose in found.items() if pose is not None]
    camera, best = max(solved, key=lambda pair: pair[1].inliers, default=(None, None))
    if camera is None or best is None or not solver.is_sure_alone(best):
        return FirstLook(found, seconds)
    query = by_camera[camera]
    answer = Estimate(
        query.name,
        localized=False,
        world_from_cam=best.world_from_cam,
        seconds={"read": sum(one.seconds for one in tries), **seconds},
        camera=camera,
        camera_source=query.camera_source,
        landmark_inliers=best.inliers,
        landmarks_alone=True,
    )
    evidence = place.judge.evidence_of_landmarks(best)
    judged = with_doubts(place.judge.judged(answer, evidence), best)
    return FirstLook(found, seconds, judged if judged.localized else None)
