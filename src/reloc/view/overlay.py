"""The proof on the photo: what the map says should be seen from the estimated pose."""

from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from reloc.errors import MapError
from reloc.geometry import Camera, inverted, transformed
from reloc.landmarks.matching import LandmarkMatcher
from reloc.localize.estimate import Estimate
from reloc.maps.scene_map import SceneMap
from reloc.view.agreement import agreeing_landmarks
from reloc.view.ground import Ground, find_ground
from reloc.view.points import not_hidden, visible_points

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

CUBE = 0.16  # its side, in units of the typical depth of the scene
GRID = 36  # cells along the longer side of the image, in which one point can hide another
AXES = ((240, 70, 70), (90, 210, 90), (80, 140, 255))
CUBE_COLOR = (255, 200, 60)
LANDMARK_COLOR, LANDMARK_EDGE = (255, 255, 255), (20, 20, 20)
GOOD, BAD = (120, 230, 150), (255, 110, 100)


@dataclass(frozen=True)
class Overlay:
    """What a map can draw on any photo.

    Attributes:
        points: (N, 3) of the map's preview points, world frame.
        colors: (N, 3) their RGB.
        ground: where the cube stands.
        unit: typical depth of the scene, scene units.
        matcher: of the map's landmarks; None where it has none.
    """

    points: Array
    colors: Image
    ground: Ground
    unit: float
    matcher: LandmarkMatcher | None = None

    @classmethod
    def of(cls, scene_map: SceneMap) -> "Overlay":
        """What a map has to draw.

        Raises:
            MapError: the map has no preview points.
        """
        if scene_map.preview is None or not scene_map.cameras:
            raise MapError(
                "the map holds no points to draw on photos; make it again with `reloc map`"
            )
        poses = np.array([camera.world_from_cam for camera in scene_map.cameras])
        preview = scene_map.preview
        ground = find_ground(preview.points, poses)
        known = scene_map.landmarks
        matcher = None if known is None else LandmarkMatcher(known)
        return cls(preview.points, preview.colors, ground, scene_map.scale, matcher)

    def drawn(self, photo: Image, camera: Camera, estimate: Estimate) -> Image:
        """A copy of a photo with the map on it; darkened where there is no pose.

        Points of the map are discs in the map's own colours with a rim by depth, from yellow for
        near to violet for far: where pose and camera are right they melt into the photo. White
        crosses are keypoints of the photo at which it shows landmarks of the map. A cube stands on
        the ground with the axes of the world: x red, y green, z blue. Where no ground is in view,
        the axes alone start from a point near the middle of the photo.

        Args:
            photo: (H, W, 3) RGB.
            camera: intrinsics of the photo, at its size.
            estimate: the answer for it.
        """
        if estimate.world_from_cam is None:
            return _labeled((photo * 0.35).astype(np.uint8), estimate)
        # Muted, so that what is drawn stands out; colours still tell what is what.
        gray = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        image = np.asarray(cv2.addWeighted(photo, 0.6, gray, 0.25, 0), np.uint8)
        pose = estimate.world_from_cam
        pixels, depth, rows = visible_points(self.points, camera, pose)
        seen = not_hidden(pixels, depth, max(camera.width, camera.height) / GRID)
        if len(rows):
            _draw_points(image, pixels, depth, self.colors[rows], seen)
        if self.matcher is not None:
            _draw_crosses(image, agreeing_landmarks(self.matcher, photo, pose, camera)[0])
        if not len(rows):
            return _labeled(image, estimate)
        spot = self._spot(self.ground.spots, camera, pose)
        if spot is not None:
            self._draw_cube(image, camera, pose, spot)
        else:
            spot = self._spot(self.points[rows[seen]], camera, pose)
        if spot is not None:
            self._draw_axes(image, camera, pose, spot)
        return _labeled(image, estimate)

    def _spot(self, spots: Array, camera: Camera, pose: Array) -> Array | None:
        """Of the spots in view, at a fitting distance, the one nearest to the image's middle."""
        in_camera = transformed(inverted(pose), spots)
        good = (in_camera[:, 2] > 2 * CUBE * self.unit) & (in_camera[:, 2] < 4 * self.unit)
        if not good.any():
            return None
        pixels = camera.project(in_camera[good])
        middle = np.array([camera.width, camera.height]) / 2
        away = np.abs(pixels - middle) / middle
        best = int(away.max(axis=1).argmin())
        nearest: Array = spots[good][best]
        return nearest if away[best].max() < 0.9 else None

    def _draw_cube(self, image: Image, camera: Camera, pose: Array, spot: Array) -> None:
        frame = np.concatenate([self.ground.across, self.ground.up[None]]) * CUBE * self.unit
        corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
        corners[:, :2] -= 0.5
        edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)]
        _draw_faces(image, camera, pose, spot + corners @ frame)
        for a, b in edges:
            ends = spot + corners[[a, b]] @ frame
            _line(image, camera, pose, ends, CUBE_COLOR, _line_width(camera))

    def _draw_axes(self, image: Image, camera: Camera, pose: Array, spot: Array) -> None:
        for axis, color in zip(np.eye(3), AXES, strict=True):
            ends = np.stack([spot, spot + 1.3 * CUBE * self.unit * axis])
            _line(image, camera, pose, ends, color, 2 * _line_width(camera))


def _draw_points(
    image: Image, pixels: Array, depth: Array, colors: Image, seen: NDArray[np.bool_]
) -> None:
    """Discs at the pixels (N, 2) that are ``seen`` (N,), the nearest last."""
    order = np.flatnonzero(seen)[np.argsort(-depth[seen])]
    near, far = np.percentile(np.log(depth[seen]), [5, 95])
    shade = 1 - np.clip((np.log(depth) - near) / max(far - near, 1e-9), 0, 1)
    rims = (255 * matplotlib.colormaps["plasma"](0.05 + 0.9 * shade)[:, :3]).astype(int)
    radius = max(2, round(min(image.shape[:2]) / 130))
    for index in order:
        at = _fixed(pixels[index])
        cv2.circle(image, at, radius * 16, rims[index].tolist(), -1, cv2.LINE_AA, 4)
        inner = max(radius - max(1, radius // 3), 1)
        cv2.circle(image, at, inner * 16, colors[index].tolist(), -1, cv2.LINE_AA, 4)


def _draw_crosses(image: Image, pixels: Array) -> None:
    """Crosses at pixels (N, 2), with a dark edge."""
    size = min(image.shape[:2]) / 480
    arm, width = max(3.0, 3.5 * size), max(1, round(size))
    arms = arm * np.array([[[-1, 0], [1, 0]], [[0, -1], [0, 1]]])
    for color, thickness in ((LANDMARK_EDGE, width + 2), (LANDMARK_COLOR, width)):
        for pixel in pixels:
            for ends in pixel + arms:
                cv2.line(image, _fixed(ends[0]), _fixed(ends[1]), color, thickness, cv2.LINE_AA, 4)


def _line_width(camera: Camera) -> int:
    return max(1, round(min(camera.width, camera.height) / 220))


def _draw_faces(image: Image, camera: Camera, pose: Array, corners: Array) -> None:
    """Fills the silhouette of a cube lightly."""
    in_camera = transformed(inverted(pose), corners)
    if in_camera[:, 2].min() <= 0:
        return
    pixels = camera.project(in_camera).astype(np.float32)
    hull = np.rint(cv2.convexHull(pixels)).astype(np.int32)
    filled = cv2.fillConvexPoly(image.copy(), hull, CUBE_COLOR, cv2.LINE_AA)
    cv2.addWeighted(filled, 0.3, image, 0.7, 0, dst=image)


def _line(
    image: Image, camera: Camera, pose: Array, ends: Array, color: tuple[int, int, int], width: int
) -> None:
    """A line of the world (2, 3), bent as the lens bends it, if it lies before the camera."""
    along = np.linspace(0, 1, 12)[:, None]
    in_camera = transformed(inverted(pose), ends[0] + along * (ends[1] - ends[0]))
    if in_camera[:, 2].min() <= 0:
        return
    pixels = camera.project(in_camera)
    if np.abs(pixels).max() > 10 * max(camera.width, camera.height):
        return
    points = np.rint((pixels - 0.5) * 16).astype(np.int32)
    cv2.polylines(image, [points], False, color, width, cv2.LINE_AA, 4)


def _fixed(pixel: Array) -> tuple[int, int]:
    """A pixel with four binary places, as cv2 draws with; its centres are at whole numbers."""
    x, y = np.rint((pixel - 0.5) * 16).astype(int)
    return int(x), int(y)


def _labeled(image: Image, estimate: Estimate) -> Image:
    """The image with one line on how sure the estimate is."""
    text = f"confidence {estimate.confidence:.2f}"
    if not estimate.landmarks_alone:
        text = f"{100 * estimate.inlier_share:.0f}% inliers, {text}"
    if estimate.landmark_inliers:
        text = f"{estimate.landmark_inliers} landmarks, {text}"
    if not estimate.localized:
        text = f"not localized, {text}" if estimate.world_from_cam is not None else "no pose"
    size = max(min(image.shape[:2]) / 720, 0.4)
    at, font = (round(14 * size), image.shape[0] - round(16 * size)), cv2.FONT_HERSHEY_DUPLEX
    strip = image[at[1] - round(30 * size) :]
    strip[:] = strip // 3
    color = GOOD if estimate.localized else BAD
    cv2.putText(image, text, at, font, size * 0.8, color, max(1, round(size)), cv2.LINE_AA)
    return image
