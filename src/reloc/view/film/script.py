"""The script of the film: what is seen when."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.evaluation.figures import (
    degrees_text,
    error_ticks,
    landmarks_text,
    length_scale,
    length_text,
)
from reloc.evaluation.metrics import Evaluation
from reloc.geometry import Camera
from reloc.images.files import read_image
from reloc.landmarks import Landmarks
from reloc.progress import Progress, silent
from reloc.reconstruct.point_cloud import PointCloud
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, posed, poses_of
from reloc.view.density import point_spacing, size_octaves
from reloc.view.film.arrivals import Arrival, arrivals_of, recall_so_far
from reloc.view.film.captions import Caption
from reloc.view.film.draw import draw_points, draw_pyramid, draw_rays, draw_segment
from reloc.view.film.recording import Recording
from reloc.view.film.stage import Stage
from reloc.view.film.video import FPS
from reloc.view.placement import placed
from reloc.view.style import ERROR_COLORS

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

# Seconds.
GROWING, SHARPENING, ARRIVING, RESTING = 9.0, 2.0, 7.0, 2.5
# How large things are drawn: points in distances to their neighbours, cells of a recording in radii
# of the place.
POINT, CELL = 0.7, 0.006
CAMERA_COLOR, TRUE_COLOR = (120, 170, 235), (235, 238, 242)


def film_frames(
    *,
    title: str,
    mapping: Sequence[Frame],
    cloud: PointCloud,
    recording: Recording | None = None,
    evaluation: Evaluation | None = None,
    queries: Sequence[Frame] = (),
    landmarks: Landmarks | None = None,
    size: tuple[int, int] = (1280, 720),
    progress: Progress = silent,
) -> Iterator[Picture]:
    """The pictures of the film, ``FPS`` in a second.

    First the cells of the recording move from noise to where the finished map sees them; without a
    recording the film begins with the cloud. Then the cloud takes their place, and the queries come
    in: what was estimated in the colour of its error, with rays to the landmarks that it shows, the
    truth beside it in white.

    Args:
        title: name of the place.
        mapping: the posed mapping frames.
        cloud: the finished map's points.
        recording: what the network believed on the way.
        evaluation: how the queries went; None for no queries.
        queries: the frames of the evaluation, for cameras and photos.
        landmarks: of the map.
        size: width and height of a picture, even numbers.
        progress: told after every picture.
    """
    poses = poses_of(mapping)
    scene = _Scene(title, mapping, cloud, recording, poses, size)
    arrivals = arrivals_of(evaluation, queries, landmarks) if evaluation is not None else []
    parts = [
        (scene.growing, GROWING if recording is not None else 0.0),
        (scene.sharpening, SHARPENING),
        (lambda part: scene.arriving(part, arrivals, evaluation), ARRIVING if arrivals else 0.0),
        (lambda _: scene.arriving(1.0, arrivals, evaluation), RESTING),
    ]
    total = sum(round(seconds * FPS) for _, seconds in parts)
    done = 0
    for picture_at, seconds in parts:
        count = round(seconds * FPS)
        for number in range(count):
            scene.look(done / max(total - 1, 1))
            yield picture_at(number / max(count - 1, 1))
            done += 1
            progress("film", done, total)


class _Scene:
    """Draws the place at the parts of the film."""

    def __init__(
        self,
        title: str,
        mapping: Sequence[Frame],
        cloud: PointCloud,
        recording: Recording | None,
        poses: Array,
        size: tuple[int, int],
    ) -> None:
        self.title, self.recording = title, recording
        width, height = size
        self.camera = Camera.pinhole(width=width, height=height, fx=1.1 * height)
        placement = placed(cloud.points, poses)
        shuffled = np.random.default_rng(0).permutation(np.flatnonzero(placement.kept))
        self.points, self.colors = cloud.points[shuffled], cloud.colors[shuffled]
        self.normals = cloud.normals[shuffled].astype(np.float64)
        spacing = point_spacing(self.points)
        self.radii = POINT * spacing * np.exp2(size_octaves(self.points, spacing))
        self.stage = Stage.of(placement, self.points, self.normals, poses, self.camera)
        known = posed(mapping)
        self.cameras = [(f.camera, f.world_from_cam) for f in evenly(known, 60)]
        self.pose = np.eye(4)

    def look(self, part: float) -> None:
        """Moves the camera to where it stands at a part of the film."""
        self.pose = self.stage.pose(part)

    def growing(self, part: float) -> Picture:
        """The cells of the recording; time runs slowly at first, when most happens."""
        assert self.recording is not None
        record = self.recording
        position = part * (len(record.points) - 1)
        picture = self._cells(position)
        self._draw_mapping(picture, 0.55)
        now = record.snapshots[round(position)]
        caption = Caption(picture)
        caption.title(self.title, "a network learns where every pixel lies")
        caption.figures(
            [
                (f"{now.seconds:.0f} s", "mapping"),
                (f"{now.steps:,}", "steps"),
                (f"{now.loss:.1f} px", "loss"),
                (f"{100 * now.inlier_share:.0f} %", "of points within 10 px"),
            ]
        )
        caption.curve(
            [s.median_error for s in record.snapshots],
            part,
            f"median error  {now.median_error:.1f} px",
        )
        return caption.pixels()

    def sharpening(self, part: float) -> Picture:
        """The cloud takes the place of the cells."""
        smooth = part * part * (3 - 2 * part)
        count = round(smooth * len(self.points))
        cells = None
        if self.recording is not None:
            cells = (self.recording.at(len(self.recording.points) - 1), 1 - smooth)
        picture = self._cloud(count, cells)
        self._draw_mapping(picture, 0.55 - 0.3 * smooth)
        caption = Caption(picture)
        caption.title(self.title, "the map: every point seen alike from several sides")
        caption.figures([(f"{count:,}", "points")])
        return caption.pixels()

    def arriving(
        self, part: float, arrivals: Sequence[Arrival], evaluation: Evaluation | None
    ) -> Picture:
        """The queries that have come in so far, the newest larger than the rest."""
        picture = self._cloud(len(self.points), None)
        caption_title = "the finished map"
        if not arrivals or evaluation is None:
            caption = Caption(picture)
            caption.title(self.title, caption_title)
            return caption.pixels()
        position = part * len(arrivals)
        come = arrivals[: min(int(position) + 1, len(arrivals))]
        for number, arrival in enumerate(come):
            age = (position - number) * ARRIVING / len(arrivals)
            self._draw_query(picture, arrival, fresh=float(np.exp(-4 * age)))
        caption = Caption(picture)
        rays = ", by the landmarks that they show" if any(len(a.landmarks) for a in come) else ""
        caption.title(self.title, f"new photos find their place{rays}")
        judged = [r for r in evaluation.frames if r.translation_error is not None]
        found = judged[: come[-1].number] if part < 1 else judged
        caption.figures(
            [(f"{len(found)} of {len(judged)}", "photos"), *recall_so_far(found, evaluation)]
        )
        unit = length_scale(evaluation)[1]
        ticks = error_ticks(evaluation)
        bar = [tuple(int(255 * c) for c in ERROR_COLORS(x)[:3]) for x in np.linspace(0, 1, 64)]
        caption.scale(
            [(r, g, b) for r, g, b in bar],
            [f"{ticks[0]:g}", f"{np.sqrt(ticks[0] * ticks[-1]):.1g}", f"{ticks[-1]:g}"],
            f"error ({unit}), truth in white",
        )
        if part < 1:
            self._show_photo(caption, come[-1], evaluation)
        return caption.pixels()

    def _cells(self, position: float) -> Picture:
        assert self.recording is not None
        points = self.recording.at(position)
        facing = self.recording.eyes - points
        return draw_points(
            points, self.recording.colors, facing, self.camera, self.pose,
            radius=CELL * self.stage.radius,
        )  # fmt: skip

    def _cloud(self, count: int, cells: tuple[Array, float] | None) -> Picture:
        points, colors, facing = self.points[:count], self.colors[:count], self.normals[:count]
        # Of few points each stands for more.
        radii = self.radii[:count] * np.sqrt(len(self.points) / max(count, 1))
        if cells is not None and self.recording is not None:
            keep = np.random.default_rng(0).uniform(size=len(cells[0])) < cells[1]
            points = np.concatenate([points, cells[0][keep]])
            colors = np.concatenate([colors, self.recording.colors[keep]])
            facing = np.concatenate([facing, (self.recording.eyes - cells[0])[keep]])
            radii = np.concatenate([radii, np.full(keep.sum(), CELL * self.stage.radius)])
        return draw_points(points, colors, facing, self.camera, self.pose, radius=radii)

    def _draw_mapping(self, picture: Picture, strength: float) -> None:
        for camera, pose in self.cameras:
            if pose is not None:
                draw_pyramid(
                    picture, self.camera, self.pose, of=camera, at=pose,
                    size=0.045 * self.stage.radius, color=CAMERA_COLOR, strength=strength,
                )  # fmt: skip

    def _draw_query(self, picture: Picture, arrival: Arrival, *, fresh: float) -> None:
        size = self.stage.radius * (0.05 + 0.06 * fresh)
        result = arrival.result
        known = [
            (result.true_world_from_cam, TRUE_COLOR, 1),
            (result.world_from_cam, arrival.color, 2),
        ]
        if result.world_from_cam is not None and fresh > 0.1:
            draw_rays(
                picture, self.camera, self.pose, result.world_from_cam[:3, 3], arrival.landmarks,
                color=arrival.color, strength=0.5 * fresh**2,
            )  # fmt: skip
        ends = [pose for pose, _, _ in known if pose is not None]
        if len(ends) == 2:
            centers = np.array([pose[:3, 3] for pose in ends])
            draw_segment(picture, self.camera, self.pose, centers, arrival.color)
        for pose, color, width in known:
            if pose is not None:
                draw_pyramid(
                    picture, self.camera, self.pose, of=arrival.frame.camera, at=pose, size=size,
                    color=color, strength=0.6 + 0.4 * fresh, width=width,
                )  # fmt: skip

    def _show_photo(self, caption: Caption, arrival: Arrival, evaluation: Evaluation) -> None:
        try:
            photo = read_image(arrival.frame.image)
        except ImageError:
            return
        result = arrival.result
        label = "lost"
        if result.localized:
            told = (
                length_text(result.translation_error, evaluation),
                degrees_text(result.rotation_error_deg),
                landmarks_text(result),
            )
            label = ", ".join(filter(None, told))
        caption.photo(photo, arrival.color, label)
