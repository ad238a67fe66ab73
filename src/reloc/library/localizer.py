"""Localization among many maps: one pass of the backbone, a few candidate maps, the best pose."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.backbone.descriptor import image_descriptor
from reloc.devices import pick_device
from reloc.errors import CameraError, ImageError, MapError
from reloc.geometry import Camera
from reloc.library.entry import Hint
from reloc.library.library import MapLibrary
from reloc.localize.estimate import Estimate
from reloc.localize.place import Place, RankingOptions
from reloc.localize.query import PreparedQuery, Query, fitting_camera, prepared_query
from reloc.pose.solver import SolverOptions


@dataclass(frozen=True)
class _Match:
    """A region of a map and how many probed cells agree on a pose in it."""

    name: str
    place: Place
    region: int
    agreeing: int
    query: PreparedQuery


class LibraryLocalizer:
    """Finds out which map of a library shows an image, and where it was taken there.

    Args:
        library: the maps.
        backbone: the one that they were made with.
        hint: what is known about where the images were taken.
        candidates: maps that are tried, those that look most like the image.
        device: where the networks run; by default the best there is.
        solver: how poses are searched.
        ranking: how regions are.

    Raises:
        MapError: the library has no map that the hint allows, or its maps were made with another
            backbone.
    """

    def __init__(
        self,
        library: MapLibrary,
        backbone: Backbone,
        *,
        hint: Hint | None = None,
        candidates: int = 5,
        device: torch.device | str | None = None,
        solver: SolverOptions | None = None,
        ranking: RankingOptions | None = None,
    ) -> None:
        entries = library.entries(hint)
        if not entries:
            raise MapError(f"{library.location}: has no map that the hint allows")
        if entries[0].backbone != backbone.fingerprint:
            raise MapError(
                f"{library.location}: its maps were made with backbone {entries[0].backbone}, not "
                f"with {backbone.fingerprint}; name its backbone file"
            )
        self.library = library
        self.device = pick_device(device)
        self.extractor = FeatureExtractor(backbone, device=self.device)
        self._names = [entry.name for entry in entries]
        self._allowed = None if hint is None else set(self._names)
        self._short_side = entries[0].short_side
        self._count = candidates
        self._solver = solver or SolverOptions()
        self._ranking = ranking or RankingOptions()
        self._places: dict[str, Place] = {}

    def localize_many(self, queries: Iterable[Query]) -> Iterator[Estimate]:
        """Localizes images in order; a bad query becomes an estimate that is not localized."""
        for query in queries:
            try:
                yield self._localized(query)
            except (ImageError, CameraError) as error:
                yield Estimate(query.name, False, None, reason=str(error))

    def candidates(self, features: torch.Tensor) -> list[str]:
        """Names of the maps to try for an image, the most similar first.

        Where the hint leaves no more than would be tried anyway, it is those.

        Args:
            features: (cells, channels) of a view of the image.
        """
        if len(self._names) <= self._count:
            return self._names
        looks = image_descriptor(features)
        similar = self.library.similar(looks, count=self._count, among=self._allowed)
        return [name for name, _ in similar]

    def _localized(self, query: Query) -> Estimate:
        # Without a camera each map's own is tried; features need none.
        stand_in = None if query.camera else _any_camera(query)
        prepared = prepared_query(query, camera=stand_in, short_side=self._short_side)
        seconds = {"read": prepared.seconds}
        began = time.perf_counter()
        features = self.extractor(prepared.view.image)
        seconds["backbone"] = time.perf_counter() - began
        began = time.perf_counter()
        matches: list[_Match] = []
        for name in self.candidates(features):
            try:
                place = self._place(name)
            except MapError:
                if self.library.entry(name) is None:
                    continue  # another process has removed it since
                raise
            own = prepared if query.camera else _with_camera_of(place, prepared)
            if own is not None:
                matches += [
                    _Match(name, place, region, agreeing, own)
                    for region, agreeing in place.ranked(features, own)
                ]
        if not matches:
            return Estimate(
                query.name, False, None, seconds=seconds, reason="no map of the library fits"
            )
        matches.sort(key=lambda match: -match.agreeing)
        finalists = matches[: self._ranking.finalists]
        seen = [m.place.seen(features, [m.region], m.query) for m in finalists]
        seconds["head"] = time.perf_counter() - began
        began = time.perf_counter()
        estimates = [
            replace(match.place.estimate(match.query, candidates, {}), place=match.name)
            for match, candidates in zip(finalists, seen, strict=True)
        ]
        best = max(estimates, key=lambda estimate: estimate.inliers)
        return replace(best, seconds={**seconds, "pose": time.perf_counter() - began})

    def _place(self, name: str) -> Place:
        scene_map = self.library.load(name)
        place = self._places.get(name)
        if place is None or place.map is not scene_map:
            scene_map.check_backbone(self.extractor)
            place = Place(
                scene_map,
                stride=self.extractor.stride,
                device=self.device,
                dtype=self.extractor.dtype,
                solver=self._solver,
                ranking=self._ranking,
            )
            kept = self.library.kept()
            self._places = {n: p for n, p in self._places.items() if n in kept} | {name: place}
        return place


def _any_camera(query: Query) -> Camera | None:
    """A camera of the image's size, for what does not depend on it."""
    from reloc.images.files import image_size

    if hasattr(query.image, "shape"):
        height, width = query.image.shape[:2]
    else:
        width, height = image_size(query.image)
    return Camera.pinhole(width=width, height=height, fx=float(max(width, height)))


def _with_camera_of(place: Place, prepared: PreparedQuery) -> PreparedQuery | None:
    """The query with the camera of a map, None if that has none or does not fit."""
    size = {"width": prepared.camera.width, "height": prepared.camera.height}
    try:
        camera = fitting_camera(place.map.query_camera(), **size, name=prepared.name)
    except CameraError:
        return None
    return replace(prepared, camera=camera)
