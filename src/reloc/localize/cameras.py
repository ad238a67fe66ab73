"""Which camera took a photo, and how the photo lies beside those that a map was made from.

A camera that was calibrated with the map is better than what EXIF tells, which is good to a few
percent; but only if it took the photo. The lens says so where both photos name theirs. Where it
remains open, all that is possible is tried, and the pose that most of the image agrees with wins.
Where too many are possible, it is those of the regions of the map that the photo looks like.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath

from reloc.errors import CameraError
from reloc.geometry import Camera, same_aspect
from reloc.geometry.turns import turned_camera, turned_size
from reloc.images.lens import Lens
from reloc.localize.calibrations import calibrations
from reloc.localize.focals import KnownFocals
from reloc.localize.magnification import is_near, is_same_glass, magnifications, magnified
from reloc.maps.scene_map import MappingCamera

# As far as EXIF may be off where it speaks of the camera that the map knows.
EXIF_TOLERANCE = 0.06
# Of the longer sides of two sizes that count as one.
SIZE_TOLERANCE = 0.01
# So many cameras are tried on an image.
MAX_CHOICES = 4
# The mapping frames that they are of must make up this share of those that it may be of.
ENOUGH = 0.8
# A way of lying that fewer of the mapping photos have is no habit.
HABIT = 0.05


@dataclass(frozen=True)
class QueryPhoto:
    """What is known of a photo before anything is seen in it.

    Attributes:
        name: of the query.
        width: of the stored image, in pixels.
        height: of the stored image.
        lens: what EXIF says.
    """

    name: str
    width: int
    height: int
    lens: Lens = field(default_factory=Lens)


@dataclass(frozen=True)
class CameraChoice:
    """A camera that may have taken a photo.

    Attributes:
        camera: of the stored pixels, at the size of the image.
        source: where it comes from: ``given``, ``map``, ``map (median of N)``, ``scaled`` (the
            map's, magnified as EXIF says), ``exif`` or ``searched``.
        turn: quarter turns clockwise that make the picture lie as those of the map do.
        enlarged: as ``KnownFocals.enlargement`` has it.
    """

    camera: Camera
    source: str
    turn: int = 0
    enlarged: float = 1.0


@dataclass(frozen=True)
class _Known:
    """A camera of the map at the size of an image, with the lens and number of its frames."""

    camera: Camera
    lens: Lens | None
    frames: int
    frames_in: Mapping[int, int]


# The regions of a map, those first that a photo most likely shows.
_Likely = Callable[[], Sequence[int]]


class QueryCameras:
    """What the mapping frames tell of the cameras of queries.

    Args:
        mapping: the frames that a map remembers.
        regions: for each region of the map the rows of its frames; None for all.
    """

    def __init__(
        self,
        mapping: Sequence[MappingCamera],
        regions: Sequence[Collection[int] | None] = (),
    ) -> None:
        self._counts = Counter((m.camera, _said(m.lens)) for m in mapping)
        self._counts_in = [
            self._counts
            if rows is None
            else Counter((mapping[row].camera, _said(mapping[row].lens)) for row in rows)
            for rows in regions
        ]
        self._focals = KnownFocals([frame.camera for frame in mapping])
        self._distinct = len({camera for camera, _ in self._counts})
        self._held = any(m.lens is not None and m.lens.turn is not None for m in mapping)
        turns = Counter((m.lens and m.lens.turn) or 0 for m in mapping)
        self._turns = [t for t, n in turns.most_common() if n >= HABIT * len(mapping)] or [0]
        self._by_name: dict[str, list[MappingCamera]] = {}
        for frame in mapping if self._distinct > 1 else ():
            self._by_name.setdefault(PurePath(frame.name).name, []).append(frame)

    def choices(
        self,
        photo: QueryPhoto,
        given: Camera | None = None,
        *,
        likely: Callable[[int], Sequence[int]] | None = None,
        searched: Callable[[], Camera | None] | None = None,
    ) -> tuple[CameraChoice, ...]:
        """The cameras to try for a photo, the most likely first; mostly there is one.

        Args:
            photo: what is known of it.
            given: what the user says: the camera of the stored pixels or, where that fits the
                shape of the photo, of the upright picture.
            likely: the regions of the map, those first that the photo, turned so many quarters
                clockwise, looks like. It is asked only if more cameras than can be tried are
                possible and the map has several regions.
            searched: the camera that what is seen agrees with best. It is asked only if nothing
                else is known of the camera.

        Raises:
            CameraError: there is none, or the given one is of another shape.
        """
        found = self._choices(photo, given, likely, searched)
        return tuple(replace(c, enlarged=self._focals.enlargement(c.camera)) for c in found)

    def _choices(
        self,
        photo: QueryPhoto,
        given: Camera | None,
        likely: Callable[[int], Sequence[int]] | None,
        searched: Callable[[], Camera | None] | None,
    ) -> list[CameraChoice]:
        """What ``choices`` answers, but for how the views are enlarged."""
        turns = self._ways(photo.lens)
        if given is not None:
            camera = _given(given, photo)
            return [CameraChoice(camera, "given", turn) for turn in turns]
        own = self._of_that_frame(photo)
        if own is not None:
            return [CameraChoice(own, "map")]
        most = max(1, MAX_CHOICES // len(turns))
        if len(self._counts_in) < 2:
            likely = None
        found = [
            replace(choice, turn=turn)
            for turn in turns
            for choice in self._at(photo, turn, likely and partial(likely, turn))[:most]
        ]
        if not found:
            fitted = searched() if searched is not None else None
            if fitted is None:
                raise CameraError(self._lack(photo))
            found = [CameraChoice(fitted, "searched", turn) for turn in turns]
        return list(dict.fromkeys(found))

    def may_roll(self, photo: QueryPhoto) -> bool:
        """Whether a photo may lie otherwise than those of the map, once it was turned.

        Where both say how the camera was held, gravity does: it is known.
        """
        return photo.lens.turn is None or not self._held

    def _ways(self, lens: Lens) -> list[int]:
        """Turns to look at a photo in; more than one where it lies as no mapping photo does.

        It is brought to lie as they do, and tried as stored last: some programs turn the pixels
        and leave the tag.
        """
        if lens.turn is None or lens.turn in self._turns:
            return [0]
        return list(dict.fromkeys([*((lens.turn - own) % 4 for own in self._turns), 0]))

    def _of_that_frame(self, photo: QueryPhoto) -> Camera | None:
        """The camera of the mapping frame that the photo is by its name, if there are several."""
        named = {
            frame.camera
            for frame in self._by_name.get(PurePath(photo.name).name, ())
            if _same_tail(frame.name, photo.name)
            and (frame.camera.width, frame.camera.height) == (photo.width, photo.height)
            and _may_be_one(frame.lens, photo.lens)
        }
        return named.pop() if len(named) == 1 else None

    def _at(self, photo: QueryPhoto, turn: int, likely: _Likely | None) -> list[CameraChoice]:
        """The choices if the photo is to be looked at in a turn."""
        fitting = self._fitting(photo, turn)
        lens = photo.lens
        ratios = [(known, magnifications(lens, known.lens)) for known in fitting if known.lens]
        same = [known for known, found in ratios if any(is_near(r, 1.0) for r in found)]
        if same:
            return _few(same, likely)
        scaled = _scaled(ratios, lens, likely)
        if scaled:
            return scaled
        exif = lens.camera(photo.width, photo.height)
        if exif is None:
            device = [known for known in fitting if known.lens and known.lens.same_device(lens)]
            return _few(device or fitting, likely)
        near = [k for k in fitting if abs(k.camera.focal / exif.focal - 1) < EXIF_TOLERANCE]
        if near:
            return _few(near, likely)
        # Some cameras count what they magnify after the lens into the equivalent, some do not.
        zooms = dict.fromkeys((1.0, lens.zoom))
        by_exif = [CameraChoice(magnified(exif, zoom, same_glass=True), "exif") for zoom in zooms]
        foreign = all(_are_two_devices(lens, known.lens) for known in fitting)
        return by_exif if foreign else [*by_exif, *_few(fitting, likely)]

    def _fitting(self, photo: QueryPhoto, turn: int) -> list[_Known]:
        """The map's cameras of the shape of a photo; only those of its size, if there are any."""
        size = turned_size(photo.width, photo.height, turn)
        found = []
        for (camera, lens), frames in self._counts.items():
            fitted = _fitted(camera, *size, back=turn) or _fitted(
                camera, photo.width, photo.height, back=0
            )
            if fitted is not None:
                same = is_near(max(camera.width, camera.height), max(size), SIZE_TOLERANCE)
                numbers = {n: c[camera, lens] for n, c in enumerate(self._counts_in)}
                found.append((same, _Known(fitted, lens, frames, numbers)))
        exact = any(same for same, _ in found)
        return [known for same, known in found if same or not exact]

    def _lack(self, photo: QueryPhoto) -> str:
        """Why there is no camera, in one line."""
        size = f"{photo.width}x{photo.height}"
        shapes = {(camera.width, camera.height) for camera, _ in self._counts}
        if self._fitting(photo, 0):
            return (
                f"{photo.name}: no camera at hand; those of the map for {size} do not agree, so "
                "give one with --camera"
            )
        if len(shapes) == 1:
            width, height = shapes.pop()
            return (
                f"{photo.name}: the image is {size}, its camera {width}x{height} of another shape; "
                "give the right one with --camera"
            )
        return (
            f"{photo.name}: no camera at hand; the map knows none for {size}, so give one with "
            "--camera"
        )


def fitting_camera(camera: Camera, *, width: int, height: int, name: str) -> Camera:
    """The camera at the size of an image.

    Raises:
        CameraError: its aspect ratio is another.
    """
    fitted = _fitted(camera, width, height, back=0)
    if fitted is None:
        raise CameraError(
            f"{name}: the image is {width}x{height}, its camera {camera.width}x{camera.height} of "
            "another shape; give the right one with --camera"
        )
    return fitted


def _given(camera: Camera, photo: QueryPhoto) -> Camera:
    """The camera of the stored pixels by that of them or of the upright picture."""
    turn = photo.lens.turn or 0
    stored = _fitted(camera, photo.width, photo.height, back=0)
    upright = _fitted(camera, *turned_size(photo.width, photo.height, turn), back=turn)
    if stored is None and upright is not None:
        return upright
    return fitting_camera(camera, width=photo.width, height=photo.height, name=photo.name)


def _fitted(camera: Camera, width: int, height: int, *, back: int) -> Camera | None:
    """The camera at a size, turned back by quarter turns; None if it is of another shape."""
    if not same_aspect((width, height), (camera.width, camera.height)):
        return None
    if (camera.width, camera.height) != (width, height):
        camera = camera.resized(width, height)
    return turned_camera(camera, -back)


def _few(known: Sequence[_Known], likely: _Likely | None = None) -> list[CameraChoice]:
    """The cameras to try of those that are possible, none if that would be too many."""
    counts: Counter[Camera] = Counter()
    for one in known:
        counts[one.camera] += one.frames
    if len(counts) <= MAX_CHOICES:
        return [CameraChoice(camera, "map") for camera, _ in counts.most_common()]
    groups = calibrations(counts)
    if likely is not None and len(groups) > MAX_CHOICES and (near := _nearby(known, likely())):
        return near
    largest = groups[:MAX_CHOICES]
    if sum(counts[camera] for group in largest for camera in group) < ENOUGH * counts.total():
        return []
    return [
        CameraChoice(
            group[len(group) // 2], "map" if len(group) == 1 else f"map (median of {len(group)})"
        )
        for group in largest
    ]


def _nearby(known: Sequence[_Known], regions: Iterable[int]) -> list[CameraChoice]:
    """The cameras to try region by region, no more than may be tried."""
    found: dict[CameraChoice, None] = {}
    for region in regions:
        own = [replace(k, frames=k.frames_in[region]) for k in known if k.frames_in[region]]
        found |= dict.fromkeys(_few(own))
        if len(found) >= MAX_CHOICES:
            break
    return list(found)[:MAX_CHOICES]


def _scaled(
    ratios: Sequence[tuple[_Known, tuple[float, ...]]], lens: Lens, likely: _Likely | None
) -> list[CameraChoice]:
    """The map's cameras of the same device at the nearest focal length, magnified."""
    told = [(known, found) for known, found in ratios if found]
    if not told:
        return []
    nearest, found = min(told, key=lambda pair: abs(math.log(pair[1][0])))
    alike = [known for known, _ in told if known.lens == nearest.lens]
    same_glass = nearest.lens is not None and is_same_glass(lens, nearest.lens)
    return [
        CameraChoice(magnified(choice.camera, ratio, same_glass=same_glass), "scaled")
        for choice in _few(alike, likely)
        for ratio in found
    ]


def _said(lens: Lens | None) -> Lens | None:
    """What a lens says but for how the camera was held."""
    return lens and replace(lens, turn=None)


def _may_be_one(lens: Lens | None, other: Lens) -> bool:
    """Whether nothing that two photos say speaks against one lens."""
    if lens is None or _are_two_devices(lens, other):
        return lens is None
    found = magnifications(other, lens)
    return not found or any(is_near(ratio, 1.0) for ratio in found)


def _are_two_devices(lens: Lens, other: Lens | None) -> bool:
    return (
        other is not None
        and lens.names_device
        and other.names_device
        and not lens.same_device(other)
    )


def _same_tail(a: str, b: str) -> bool:
    """Whether one path is the end of the other."""
    parts = [PurePath(a).parts, PurePath(b).parts]
    count = min(map(len, parts))
    return parts[0][-count:] == parts[1][-count:]
