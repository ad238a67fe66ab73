"""From images to poses in one map: reading, backbone and solver side by side."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import CameraError, ImageError, MapError
from reloc.files import StrPath
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.localize.pixels import Image
from reloc.localize.place import Candidate, Correspondences, Place, RankingOptions
from reloc.localize.query import DepthFile, PreparedQuery, Query, memory_for, read_query
from reloc.maps.scene_map import SceneMap
from reloc.pose.solver import SolverOptions
from reloc.scenes.depth import DepthMap
from reloc.scenes.scene import Depth

_Try = tuple[PreparedQuery, list[Candidate], dict[str, float]]


class Localizer:
    """Localizes images in one map. Reads nothing but its arguments; safe to keep for long.

    Args:
        scene_map: the map.
        backbone: the one that the map was made with, or its file; by default the map's own or the
            shipped one that it was made with.
        device: where the networks run; by default the best there is.
        solver: how poses are searched.
        ranking: how the right one of a map's regions is found, where it has several.

    Raises:
        MapError: the map was made with another backbone, or with none of the shipped ones where
            none is given.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        backbone: Backbone | StrPath | None = None,
        *,
        device: torch.device | str | None = None,
        solver: SolverOptions | None = None,
        ranking: RankingOptions | None = None,
    ) -> None:
        self.map = scene_map
        self.device = pick_device(device)
        network = scene_map.serving_backbone(backbone)
        self.extractor = FeatureExtractor(network, device=self.device)
        self.place = Place(
            scene_map,
            stride=self.extractor.stride,
            device=self.device,
            dtype=self.extractor.dtype,
            solver=solver or SolverOptions(),
            ranking=ranking or RankingOptions(),
        )

    @classmethod
    def from_file(
        cls,
        path: StrPath,
        backbone: Backbone | StrPath | None = None,
        *,
        device: torch.device | str | None = None,
        solver: SolverOptions | None = None,
        ranking: RankingOptions | None = None,
    ) -> "Localizer":
        """A localizer of a map file; arguments as of the class.

        Raises:
            MapError: the file is no map, or as the class.
        """
        scene_map = SceneMap.load(path)
        try:
            return cls(scene_map, backbone, device=device, solver=solver, ranking=ranking)
        except MapError as error:
            raise MapError(f"{path}: {error}") from error

    def localize(
        self,
        image: Image,
        camera: Camera | None = None,
        *,
        depth: Depth | DepthFile | DepthMap | None = None,
        name: str | None = None,
    ) -> Estimate:
        """Localizes one image.

        Args:
            image: a file; pixels (H, W) grey or (H, W, 3) RGB, uint8; or a tensor (H, W), (1, H, W)
                or (3, H, W), uint8 or floating point from 0 to 1.
            camera: intrinsics; without them those of the map and of the file's EXIF, see
                ``localize.cameras``.
            depth: measured depth of the same view, in the map's unit.
            name: what the estimate is called; by default as the file, or ``image``.

        Raises:
            CameraError: no camera is at hand, or it contradicts the image.
            ImageError: the file, the array or the tensor is no image.
        """
        if name is None:
            name = Path(image).name if isinstance(image, str | PathLike) else "image"
        return next(self.localize_many([Query(name, image, camera, depth)], strict=True))

    def correspondences(self, image: Image, camera: Camera) -> Correspondences:
        """Scene coordinates of all cells of an image, without solving for the pose.

        They are those of the region that the image most likely shows, where a map has several.

        Args:
            image: as ``localize``.
            camera: intrinsics at the image's size or of its shape.

        Raises:
            CameraError, ImageError: as ``localize``.
        """
        query = self._read(Query("image", image, camera))[0][0]
        best = self.place.candidates(self.extractor(query.view.image), query)[0]
        origin = self.map.regions[best.region].origin
        return replace(best.local, scene_coordinates=best.local.scene_coordinates + origin)

    def localize_many(
        self, queries: Iterable[Query], *, strict: bool = False, workers: int = 2
    ) -> Iterator[Estimate]:
        """Localizes images in order, reading and solving in threads beside the network.

        Args:
            queries: any number; they are read as needed.
            strict: raise on a bad query; otherwise it becomes an estimate that is not localized.
            workers: threads for reading and solving.

        Raises:
            CameraError, ImageError: only if ``strict``.
        """
        with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as solvers:
            reading = _ahead(
                ((query, readers.submit(self._read, query)) for query in queries), workers + 1
            )
            solving = (self._start(query, job, solvers, strict=strict) for query, job in reading)
            for job in _ahead(solving, workers + 1):
                yield job() if callable(job) else job

    def _start(
        self,
        query: Query,
        job: "Future[list[list[PreparedQuery]]]",
        solvers: ThreadPoolExecutor,
        *,
        strict: bool,
    ) -> "Callable[[], Estimate]":
        """Runs the networks on a query that was read; what it returns waits for the pose."""
        try:
            first, *others = job.result()
            with memory_for(query):
                seen = self._seen(first)
        except (ImageError, CameraError) as error:
            if strict:
                raise
            failed = _failed(query, error)
            return lambda: failed
        return solvers.submit(self._solved, query, seen, others, strict=strict).result

    def _seen(self, tries: "list[PreparedQuery]") -> list[_Try]:
        """What the networks see in one view, with each of the cameras that may have taken it."""
        began = time.perf_counter()
        features = self.extractor(tries[0].view.image)
        between = time.perf_counter()
        seen: list[_Try] = []
        for prepared in tries:
            candidates = self.place.candidates(features, prepared)
            seconds = {
                "read": prepared.seconds,
                "backbone": 0.0 if seen else between - began,
                "head": time.perf_counter() - between,
            }
            seen.append((prepared, candidates, seconds))
            between = time.perf_counter()
        return seen

    def _solved(
        self,
        query: Query,
        seen: list[_Try],
        others: "list[list[PreparedQuery]]",
        *,
        strict: bool,
    ) -> Estimate:
        """The pose that most of the image agrees with, over cameras and ways to lie."""
        try:
            with memory_for(query):
                estimates = [self.place.estimate(*one) for one in seen]
                for tries in others:
                    if max(e.inlier_share for e in estimates) >= self.place.ranking.sure:
                        break
                    estimates += [self.place.estimate(*one) for one in self._seen(tries)]
        except ImageError as error:
            if strict:
                raise
            return _failed(query, error)
        return most_agreed(estimates)

    def _read(self, query: Query) -> list[list[PreparedQuery]]:
        """The query with all cameras that are to be tried; those with one view together."""
        read, short_side = read_query(query), self.map.short_side

        def likely(turn: int) -> list[int]:
            view = read.view(turn, short_side=short_side)
            with memory_for(query):
                return self.place.likely(self.extractor(view.image))

        choices = self.place.cameras.choices(read.photo, query.camera, likely=likely)
        return read.prepared(choices, short_side=short_side)


def most_agreed(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate of an image that most of it agrees with, with the time that all took."""
    best = max(estimates, key=lambda estimate: estimate.inliers)
    seconds = {
        stage: sum(estimate.seconds[stage] for estimate in estimates) for stage in best.seconds
    }
    return replace(best, seconds=seconds)


def _failed(query: Query, error: Exception) -> Estimate:
    return Estimate(query.name, localized=False, world_from_cam=None, reason=str(error))


def _ahead(items: Iterable, count: int) -> Iterator:
    """The items in order, with up to ``count`` started before the first is handed out."""
    waiting: list = []
    for item in items:
        waiting.append(item)
        if len(waiting) >= count:
            yield waiting.pop(0)
    yield from waiting
