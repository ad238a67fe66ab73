"""Localization among many maps: one pass of the backbone, a few candidate maps, the best pose."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from reloc.backbone import Backbone, FeatureExtractor, find_backbone
from reloc.backbone.descriptor import global_descriptor
from reloc.devices import pick_device, synchronize
from reloc.errors import CameraError, MapError
from reloc.files import StrPath
from reloc.library.entry import Hint
from reloc.library.library import MapLibrary
from reloc.localize.pipeline import Attempt, LocalizingPipeline
from reloc.localize.place import Place, RankingOptions
from reloc.localize.query import PreparedQuery, ReadQuery
from reloc.pose.solver import SolverOptions


@dataclass(frozen=True)
class _Match:
    """A region of a map and how many probed cells agree on a pose in it."""

    name: str
    place: Place
    region: int
    agreeing: int
    query: PreparedQuery
    features: torch.Tensor

    def attempt(self, regions: Sequence[int]) -> Attempt:
        """To localize the whole image in the region; ``regions`` as of ``Attempt``."""
        candidates = self.place.seen(self.features, [self.region], self.query)
        return Attempt(self.place, self.query, candidates, name=self.name, regions=regions)


class LibraryLocalizer(LocalizingPipeline[ReadQuery]):
    """Finds out which map of a library shows an image, and where it was taken there.

    Args:
        library: the maps.
        backbone: the one that they were made with, or its file; by default the shipped one that
            they were made with.
        hint: what is known about where the images were taken.
        candidates: maps that are tried, those that look most like the image.
        device: where the networks run; by default the best there is.
        solver: how poses are searched.
        ranking: how regions are.

    Raises:
        MapError: the library has no map that the hint allows, or its maps were made with another
            backbone, or with none of the shipped ones where none is given.
    """

    def __init__(
        self,
        library: MapLibrary,
        backbone: Backbone | StrPath | None = None,
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
        made_with = entries[0].backbone
        try:
            network = find_backbone(made_with, backbone)
        except MapError as error:
            raise MapError(f"{library.location}: {error}") from error
        if made_with != network.fingerprint:
            raise MapError(
                f"{library.location}: its maps were made with backbone {made_with}, not with "
                f"{network.fingerprint}; name its backbone file"
            )
        self.library = library
        self.device = pick_device(device)
        self.extractor = FeatureExtractor(network, device=self.device)
        self._names = [entry.name for entry in entries]
        self._allowed = None if hint is None else set(self._names)
        self._short_side = entries[0].short_side
        self._count = candidates
        self._solver = solver or SolverOptions()
        self._ranking = ranking or RankingOptions()
        self._places: dict[str, Place] = {}

    def candidates(self, features: torch.Tensor) -> list[str]:
        """Names of the maps to try for an image, the most similar first.

        Where the hint leaves no more than would be tried anyway, it is those.

        Args:
            features: (cells, channels) of a view of the image.
        """
        if len(self._names) <= self._count:
            return self._names
        descriptor = global_descriptor(features)
        similar = self.library.similar(descriptor, count=self._count, among=self._allowed)
        return [name for name, _ in similar]

    def _wants_keypoints(self) -> bool:
        return any(place.landmarks is not None for place in self._places.values())

    def _prepared(self, read: ReadQuery) -> ReadQuery:
        """The image with the views that the backbone is to look at in any case."""
        began = time.perf_counter()
        for turn in _first_turns(read):
            read.view(turn, short_side=self._short_side)
        return replace(read, seconds=read.seconds + time.perf_counter() - began)

    def _answer(self, read: ReadQuery) -> None:
        """None: the network tells which maps an image may show."""

    def _attempts(self, read: ReadQuery) -> Iterator[list[Attempt]]:
        """One group: the regions of all likely maps in which most probed cells agree on a pose."""
        yield self._attempts_in(read, _first_turns(read))

    def _last_attempts(self, read: ReadQuery) -> Iterator[list[Attempt]]:
        """The same in the other quarter turns, upside down first."""
        first = _first_turns(read)
        for quarters in (2, 1, 3):
            turn = (first[0] + quarters) % 4
            if turn not in first:
                yield self._attempts_in(read, [turn], rolled=quarters)

    def _attempts_in(
        self, read: ReadQuery, turns: Sequence[int], *, rolled: int = 0
    ) -> list[Attempt]:
        """The regions of likely maps in which most probed cells agree on a pose.

        Args:
            read: the image.
            turns: in which it is compared with the maps.
            rolled: quarter turns clockwise by which it lies otherwise than a map would have it.
        """
        began = time.perf_counter()
        views = [read.view(turn, short_side=self._short_side) for turn in turns]
        seen = {
            (turn, min(view.image.shape)): self.extractor(view.image)
            for turn, view in zip(turns, views, strict=True)
        }
        synchronize(self.device)
        seconds = {"read": read.seconds, "backbone": time.perf_counter() - began}

        began = time.perf_counter()
        matches: list[_Match] = []
        lacking: list[CameraError] = []
        for name in dict.fromkeys(
            n for features in seen.values() for n in self.candidates(features)
        ):
            try:
                place = self._place(name)
            except MapError:
                if self.library.entry(name) is None:
                    continue  # another process has removed it since
                raise
            try:
                prepared = self._seen_by(read, place, rolled)
            except CameraError as error:
                if read.query.camera is not None:
                    raise
                lacking.append(error)  # another map may have a camera for it
                continue
            for tries in prepared:
                way = tries[0].turn, tries[0].short_side
                if way not in seen:
                    seen[way] = self.extractor(tries[0].view.image)
                matches += [
                    _Match(name, place, region, agreeing, own, seen[way])
                    for own in tries
                    for region, agreeing in place.ranked(seen[way], own)
                ]
        if not matches and lacking:
            raise lacking[0]
        matches.sort(key=lambda match: -match.agreeing)
        attempts = _attempts(matches[: self._ranking.finalists], search=not rolled)
        seconds["head"] = time.perf_counter() - began
        # What was spent on all of them counts for the first.
        return [replace(attempt, seconds=seconds) for attempt in attempts[:1]] + attempts[1:]

    def _seen_by(
        self, read: ReadQuery, place: Place, rolled: int
    ) -> Sequence[Sequence[PreparedQuery]]:
        """The query with the cameras that it may have in a map, those with one view together.

        Raises:
            CameraError: there is none, or the query's own camera does not fit its image.
        """
        if rolled and not place.cameras.may_roll(read.photo):
            return []
        short_side = self._short_side

        def likely(turn: int) -> list[int]:
            return place.likely(self.extractor(read.view(turn, short_side=short_side).image))

        choices = place.cameras.choices(read.photo, read.query.camera, likely=likely)
        # Depth comes in metres, whichever map it will be: in others it says nothing.
        metric = place.map.unit == "metre"
        prepared = read.prepared(choices, short_side=short_side, with_depth=metric)
        return [[one.turned(rolled) for one in prepared[0]]] if rolled else prepared

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


def _attempts(matches: Sequence[_Match], *, search: bool) -> list[Attempt]:
    """Attempts in the order of the matches; the first of each map searches landmarks, if asked to.

    It does so for all regions of the map that are among the matches.
    """
    attempts = []
    asked: set[tuple[str, int]] = set()
    for match in matches:
        alike = [m for m in matches if m.name == match.name and m.query is match.query]
        regions = match.place.searched(match.features, [m.region for m in alike])
        key = match.name, id(match.query)
        attempts.append(match.attempt(regions if search and key not in asked else []))
        asked.add(key)
    return attempts


def _first_turns(read: ReadQuery) -> list[int]:
    """Turns in which an image is looked at while no map says yet how pictures lie in it.

    As it says itself, and as it is stored.
    """
    return list(dict.fromkeys([read.lens.turn or 0, 0]))
