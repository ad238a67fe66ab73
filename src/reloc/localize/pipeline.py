"""From queries to estimates, in one map or in many: reading, networks and solver side by side."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from reloc.errors import CameraError, ImageError
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.localize.landmark_solver import LandmarkSolution
from reloc.localize.pixels import Image
from reloc.localize.place import Candidate, Place
from reloc.localize.query import (
    DepthFile,
    PreparedQuery,
    Query,
    ReadQuery,
    memory_for,
    read_query,
)
from reloc.localize.reasons import Reason
from reloc.prefetching import prefetched
from reloc.scenes.depth import DepthMap
from reloc.scenes.scene import Depth

Read = TypeVar("Read")

# A landmark that agrees tells as much as such a share of the cells of a view, which err together:
# ten of those of a photo of 640x480.
SHARE_OF_LANDMARK = 10 / 4800
# So many landmarks agree with the right pose in the right map only.
SURE_LANDMARKS = 60
# Searches the pose, or raises why the query cannot be localized.
Solve = Callable[[], Estimate]


@dataclass(frozen=True)
class Attempt:
    """One way to explain an image: a map, a camera, and what heads of the map see with it.

    Attributes:
        place: the map.
        query: the image with one of the cameras that may have taken it.
        candidates: what heads see, the most likely region first.
        seconds: by stage, that were spent on this attempt and on no other.
        name: of the map in its library; None where there is but one map.
        regions: whose landmarks are matched with all of the image, the likeliest first. Empty where
            that was done before; then landmarks are looked for near the pose only.
        found: the pose that matching them with all of the image gave, if it was done before.
    """

    place: Place
    query: PreparedQuery
    candidates: Sequence[Candidate]
    seconds: dict[str, float] = field(default_factory=dict)
    name: str | None = None
    regions: Sequence[int] = ()
    found: LandmarkSolution | None = None

    def estimate(self) -> Estimate:
        """The pose by which most of the image agrees with one of the candidates."""
        estimate = self.place.estimate(
            self.query, self.candidates, self.seconds, regions=self.regions, found=self.found
        )
        return replace(estimate, place=self.name)


class LocalizingPipeline(ABC, Generic[Read]):
    """Localizes images. Subclasses say how an image is read and which attempts it is worth."""

    @abstractmethod
    def _wants_keypoints(self) -> bool:
        """Whether keypoints will be asked for after the networks ran, as far as that is known."""

    @abstractmethod
    def _prepared(self, read: ReadQuery) -> Read:
        """What else comes before the networks; called in a thread.

        Raises:
            CameraError, ImageError: the query cannot be localized.
        """

    @abstractmethod
    def _answer(self, read: Read) -> Estimate | None:
        """The estimate, where it is beyond doubt before any network runs."""

    @abstractmethod
    def _attempts(self, read: Read) -> Iterator[Sequence[Attempt]]:
        """Runs the networks: attempts in groups, of which a later one is asked for in doubt only.

        The first group is computed in the thread of the caller, the others in that of the solver.

        Raises:
            CameraError, ImageError: the query cannot be localized.
        """

    @abstractmethod
    def _last_attempts(self, read: Read) -> Iterator[Sequence[Attempt]]:
        """More groups for an image that none of those before could localize, in other rolls."""

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
                or (3, H, W), uint8 or floating point from 0 to 1. A file can say more: its EXIF
                tells of the lens and of how the camera was held.
            camera: intrinsics; by default those of the map or by EXIF, see ``localize.cameras``.
            depth: measured depth of the same view, see ``Query``.
            name: what the estimate is called; by default the path, or "image" for pixels.

        Raises:
            CameraError: no camera is at hand, or it contradicts the image.
            ImageError: the file, the array or the tensor is no image.
        """
        if name is None:
            name = Path(image).as_posix() if isinstance(image, str | PathLike) else "image"
        return next(self.localize_many([Query(name, image, camera, depth)], strict=True))

    def localize_many(
        self, queries: Iterable[Query], *, strict: bool = False, workers: int = 2
    ) -> Iterator[Estimate]:
        """Localizes images in order, reading and solving in threads beside the network.

        Args:
            queries: any number; they are read as needed.
            strict: raise on a bad query; otherwise it becomes an estimate that is not localized.
            workers: threads for reading and solving, each.

        Raises:
            CameraError, ImageError: only if ``strict``.
        """
        with (
            ThreadPoolExecutor(workers, "keypoints") as looking,
            prefetched(
                partial(self._ready, looking), queries, ahead=workers + 1, workers=workers
            ) as reading,
            prefetched(
                _solved,
                (self._begun(query, job) for query, job in reading),
                ahead=workers + 1,
                workers=workers,
            ) as solving,
        ):
            for (query, _), solved in solving:
                try:
                    estimate = solved.result()
                except (ImageError, CameraError) as error:
                    if strict:
                        raise
                    estimate = Estimate(
                        query.name, False, None, reason=str(error), reason_kind=Reason.BAD_INPUT
                    )
                yield estimate

    def _ready(self, looking: ThreadPoolExecutor, query: Query) -> Read:
        read = read_query(query)
        if self._wants_keypoints():
            # Beside the network. Should it fail, it does so again where the keypoints are needed.
            looking.submit(read.keypoints)
        with memory_for(query):
            return self._prepared(read)

    def _begun(self, query: Query, job: "Future[Read]") -> tuple[Query, Solve]:
        """Runs the networks on a query that was read, unless it is answered already."""
        try:
            read = job.result()
            if (answer := self._answer(read)) is not None:
                return query, lambda: answer
            groups = self._attempts(read)
            with memory_for(query):
                first = next(groups)
        except (ImageError, CameraError) as error:
            return query, partial(_failed, error)
        return query, partial(_found, query, first, groups, self._last_attempts(read))


def _solved(begun: tuple[Query, Solve]) -> Estimate:
    return begun[1]()


def _failed(error: Exception) -> NoReturn:
    raise error


def _found(
    query: Query,
    first: Sequence[Attempt],
    others: Iterator[Sequence[Attempt]],
    last: Iterator[Sequence[Attempt]],
) -> Estimate:
    """The pose that most of the image agrees with, over all attempts that have to be made."""
    if not first:
        return Estimate(
            query.name,
            False,
            None,
            reason="no map of the library fits",
            reason_kind=Reason.NOT_THIS_PLACE,
        )
    sure = first[0].place.ranking.sure
    with memory_for(query):
        estimates = _made(first)
        while not any(_is_sure(e, sure) for e in estimates) and (group := next(others, None)):
            estimates += _made(group)
        while not any(_is_placed(e) for e in estimates) and (group := next(last, None)):
            estimates += _made(group)
    return most_agreed(estimates)


def _made(attempts: Sequence[Attempt]) -> list[Estimate]:
    """The estimates, but for other maps than one in which enough landmarks agree."""
    estimates: list[Estimate] = []
    for attempt in attempts:
        if not any(
            e.landmark_inliers >= SURE_LANDMARKS and e.place != attempt.name for e in estimates
        ):
            estimates.append(attempt.estimate())
    return estimates


def _is_sure(estimate: Estimate, share: float) -> bool:
    """Whether no other attempt can be better."""
    return estimate.inlier_share >= share or estimate.landmark_inliers >= SURE_LANDMARKS


def _is_placed(estimate: Estimate) -> bool:
    """Whether the place and the roll of an image are known, if not the pose."""
    known = (Reason.INTRINSICS, Reason.AMBIGUOUS)
    return estimate.localized or estimate.contradicted or estimate.reason_kind in known


def most_agreed(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate of an image that most of it agrees with, with the time that all took.

    Views of one image may have different numbers of cells, so that shares of them are compared.
    """
    best = max(
        estimates,
        key=lambda e: (e.localized, e.inlier_share + SHARE_OF_LANDMARK * e.landmark_inliers),
    )
    seconds: dict[str, float] = {}
    for estimate in estimates:
        for stage, spent in estimate.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    return replace(best, seconds=seconds)
