"""Localization in one map."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device, synchronize
from reloc.errors import MapError
from reloc.files import StrPath
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.localize.first_look import FirstLook, first_look
from reloc.localize.focal_search import searched_camera
from reloc.localize.pipeline import Attempt, LocalizingPipeline
from reloc.localize.pixels import Image
from reloc.localize.place import Place, RankingOptions
from reloc.localize.query import PreparedQuery, Query, ReadQuery, read_query
from reloc.maps.scene_map import SceneMap
from reloc.pose.correspondences import Correspondences
from reloc.pose.solver import SolverOptions


@dataclass(frozen=True)
class _Seen:
    """A query with all cameras that are to be tried.

    Attributes:
        tries: those with one view together, the likeliest first.
        may_roll: whether it may lie otherwise than the tries assume.
        first: what landmarks alone say; None where they are not asked before the heads.
    """

    tries: Sequence[Sequence[PreparedQuery]]
    may_roll: bool
    first: FirstLook | None


class Localizer(LocalizingPipeline[_Seen]):
    """Localizes images in one map. Reads nothing but its arguments; safe to keep for long.

    A query is matched with the landmarks of the map first. Only where these are not sure of a pose
    do the backbone and the heads look at it.

    Args:
        scene_map: the map.
        backbone: the one that the map was made with, or its file; by default the map's own or the
            shipped one that it was made with.
        device: where the networks run; by default the best there is.
        solver: how poses are searched.
        ranking: how the right one of a map's regions is found, where it has several.
        heads_always: heads look at all queries, also where landmarks are sure.

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
        heads_always: bool = False,
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
        landmarks = self.place.landmarks
        self._first = None
        # Where landmarks are asked by region, only the network can tell by which.
        if landmarks is not None and not landmarks.parted and not heads_always:
            self._first = landmarks.solver(())

    @classmethod
    def from_file(
        cls,
        path: StrPath,
        backbone: Backbone | StrPath | None = None,
        *,
        device: torch.device | str | None = None,
        solver: SolverOptions | None = None,
        ranking: RankingOptions | None = None,
        heads_always: bool = False,
    ) -> "Localizer":
        """A localizer of a map file; arguments as of the class.

        Raises:
            MapError: the file is no map, or as the class.
        """
        scene_map = SceneMap.load(path)
        try:
            return cls(
                scene_map,
                backbone,
                device=device,
                solver=solver,
                ranking=ranking,
                heads_always=heads_always,
            )
        except MapError as error:
            raise MapError(f"{path}: {error}") from error

    def correspondences(self, image: Image, camera: Camera) -> Correspondences:
        """Scene coordinates of all cells of an image, without solving for the pose.

        They are those of the region that the image most likely shows, where a map has several.

        Args:
            image: as ``localize``.
            camera: intrinsics at the image's size or of its shape.

        Raises:
            CameraError, ImageError: as ``localize``.
        """
        query = self._likeliest(Query("image", image, camera))
        best = self.place.candidates(self.extractor(query.view.image), query)[0]
        origin = self.map.regions[best.region].origin
        return replace(best.local, scene_coordinates=best.local.scene_coordinates + origin)

    def _likeliest(self, query: Query) -> PreparedQuery:
        """The query with its likeliest camera, ready for the network.

        Raises:
            CameraError, ImageError: as ``localize``.
        """
        return self._tries(read_query(query))[0][0]

    def _wants_keypoints(self) -> bool:
        return self.place.landmarks is not None and self._first is None

    def _prepared(self, read: ReadQuery) -> _Seen:
        tries = self._tries(read)
        first = None
        if self._first is not None:
            first = first_look(self._first, [one for alike in tries for one in alike], self.place)
        return _Seen(tries, self.place.cameras.may_roll(read.photo), first)

    def _tries(self, read: ReadQuery) -> list[list[PreparedQuery]]:
        """The query with each of the cameras that may have taken it."""
        short_side = self.map.short_side

        def likely(turn: int) -> list[int]:
            return self.place.likely(self.extractor(read.view(turn, short_side=short_side).image))

        def searched() -> Camera | None:
            if self._first is None:
                return None
            height, width = read.image.shape
            return searched_camera(self._first, read.keypoints(), width=width, height=height)

        choices = self.place.cameras.choices(
            read.photo, read.query.camera, likely=likely, searched=searched
        )
        return read.prepared(choices, short_side=short_side)

    def _answer(self, read: _Seen) -> Estimate | None:
        return None if read.first is None else read.first.answer

    def _attempts(self, read: _Seen) -> Iterator[list[Attempt]]:
        """One for each camera; those in another turn are needed where the first ones fail.

        Cameras of very different focal lengths want views of their own. All of them are looked at:
        chance alone makes a large share of the few cells of a small view agree.
        """
        spent = {} if read.first is None else read.first.seconds
        for _, alike in groupby(read.tries, key=lambda tries: tries[0].turn):
            attempts = [a for tries in alike for a in self._attempts_in_one_view(tries, read.first)]
            # What was spent on all of them counts for the first.
            yield [replace(attempts[0], seconds={**attempts[0].seconds, **spent}), *attempts[1:]]
            spent = {}

    def _last_attempts(self, read: _Seen) -> Iterator[list[Attempt]]:
        """The likeliest cameras in the other quarter turns, upside down first."""
        seen = {tries[0].turn for tries in read.tries}
        first = read.tries[0]
        for quarters in (2, 1, 3) if read.may_roll else ():
            if (first[0].turn + quarters) % 4 not in seen:
                turned = [one.turned(quarters) for one in first]
                yield self._attempts_in_one_view(turned, FirstLook())

    def _attempts_in_one_view(
        self, tries: Sequence[PreparedQuery], first: FirstLook | None
    ) -> list[Attempt]:
        """One for each camera.

        Args:
            tries: the query with each of them.
            first: what matching landmarks with all of the image gave; None if that is to be done.
        """
        began = time.perf_counter()
        features = self.extractor(tries[0].view.image)
        synchronize(self.device)
        seconds = {"read": 0.0, "backbone": time.perf_counter() - began, "head": 0.0}
        attempts = []
        for prepared in tries:
            began = time.perf_counter()
            candidates = self.place.candidates(features, prepared)
            finalists = [candidate.region for candidate in candidates]
            regions = [] if first else self.place.searched(features, finalists)
            found = None if first is None else first.found.get(prepared.camera)
            seconds["read"] = prepared.seconds
            seconds["head"] = time.perf_counter() - began
            attempts.append(
                Attempt(
                    self.place, prepared, candidates, dict(seconds), regions=regions, found=found
                )
            )
            seconds["backbone"] = 0.0
        return attempts
