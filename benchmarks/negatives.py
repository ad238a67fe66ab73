"""Hard negatives: pictures that show no place of a map, or not where they seem to be taken.

Every kind is a pure function of what photos are at hand and of a generator of random numbers, so
that one name makes one picture. ``negatives_run.py`` asks maps about them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from corruptions import CORRUPTIONS, Shot, normalize_exposure, rolled, zoomed
from numpy.typing import NDArray

from reloc.geometry import Camera
from reloc.images.files import read_image
from reloc.scenes import Frame
from reloc.synthetic.materials import KINDS as MATERIALS
from reloc.synthetic.materials import paint
from reloc.synthetic.world import Material

Array = NDArray[np.float64]
Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]
Rng = np.random.Generator

# Focal lengths that are told, as factors of the right ones.
FOCALS = (0.85, 0.9, 0.95, 0.97, 1.0, 1.03, 1.05, 1.1, 1.15)


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture that a map is asked about.

    Attributes:
        kind: of negative.
        detail: what of that kind, for instance the factor of a wrong focal length.
        image: (H, W, 3) uint8 RGB.
        camera: that is told with it.
        world_from_cam: (4, 4) the one right pose in the frame of the map; None where none is right.
    """

    kind: str
    detail: str
    image: Rgb
    camera: Camera
    world_from_cam: Array | None = None

    @property
    def can_be_right(self) -> bool:
        """Whether any pose is right."""
        return self.world_from_cam is not None


@dataclass(frozen=True)
class Photos:
    """Photos that negatives of one map are made of; kinds whose photos are missing are left out.

    Attributes:
        own: of the place, none of them mapped, with poses in the frame of the map.
        elsewhere: of other places.
        siblings: of rooms in the same style with other furniture.
        rearranged: of the place with its furniture moved, with poses.
        beyond: of the part of the place that the map was not made from, with poses in its frame.
    """

    own: Sequence[Frame] = ()
    elsewhere: Sequence[Frame] = ()
    siblings: Sequence[Frame] = ()
    rearranged: Sequence[Frame] = ()
    beyond: Sequence[Frame] = field(default=())


@lru_cache(maxsize=512)
def _pixels(path: Path) -> Rgb:
    return read_image(path)


def shot_of(frame: Frame) -> Shot:
    """A photo with the truth about it."""
    assert frame.world_from_cam is not None
    return Shot(_pixels(frame.image), frame.camera, frame.world_from_cam)


def varied(shot: Shot, rng: Rng) -> Shot:
    """The photo as another one of the same things: rolled, zoomed, exposed and blurred a little."""
    shot = rolled(shot, rng.uniform(0, 12), rng)
    shot = zoomed(shot, rng.uniform(1.1, 1.4), rng)
    shot = normalize_exposure(shot, rng.uniform(-1.0, 0.5), rng)
    if rng.random() < 0.3:
        shot = CORRUPTIONS["motion blur"].apply(shot, rng.uniform(1, 5), rng)
    return CORRUPTIONS["noise"].apply(shot, rng.uniform(0, 6), rng)


def mirrored(shot: Shot) -> tuple[Rgb, Camera]:
    """The picture of a mirror, and the camera that takes such pictures."""
    camera = shot.camera
    focals = len(camera.params) - 2 - len(camera.distortion)
    params = list(camera.params)
    params[focals] = camera.width - camera.cx
    return np.ascontiguousarray(shot.image[:, ::-1]), replace(camera, params=tuple(params))


def posted(
    picture: Rgb, backdrop: Rgb, rng: Rng, *, share: float, framed: bool, glare: float
) -> Rgb:
    """A photo that shows a photo, in perspective: a poster, or a screen.

    Args:
        picture: (h, w, 3) what it shows.
        backdrop: (H, W, 3) of elsewhere.
        rng: where it hangs.
        share: of the area that the picture takes, 0 to 1.
        framed: with a dark frame around it.
        glare: of light on it, 0 to 1.
    """
    height, width = backdrop.shape[:2]
    own_height, own_width = picture.shape[:2]
    if framed:
        edge = max(2, round(0.04 * max(picture.shape[:2])))
        tone = rng.integers(5, 60, 3).tolist()
        picture = np.asarray(
            cv2.copyMakeBorder(picture, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=tone),
            np.uint8,
        )
        own_height, own_width = picture.shape[:2]
    scale = np.sqrt(share * height * width / (own_height * own_width))
    half = np.array([own_width, own_height]) * scale / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64) * half
    # Seen from aside: one pair of sides shrinks. A little turned as well.
    slant = rng.uniform(-0.22, 0.22, 2)
    corners *= 1 + (corners / half) @ slant[:, None]
    angle = rng.normal(0, 0.05)
    corners @= np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slack = np.maximum(0, np.array([width, height]) / 2 - half)
    middle = np.array([width, height]) / 2 + rng.uniform(-slack, slack)
    inner = np.array([[0, 0], [own_width, 0], [own_width, own_height], [0, own_height]], np.float32)
    to = cv2.getPerspectiveTransform(inner, (corners + middle).astype(np.float32))
    if scale < 1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.35 / scale), np.uint8)
    shown = cv2.warpPerspective(picture, to, (width, height)).astype(np.float32)
    if glare:
        shown = shown * (1 - 0.3 * glare) + 255 * glare * _glare(height, width, rng)[..., None]
    solid = np.full(picture.shape[:2], 1.0, np.float32)
    mask = cv2.warpPerspective(solid, to, (width, height))[..., None]
    return np.clip(backdrop * (1 - mask) + shown * mask, 0, 255).astype(np.uint8)


def _glare(height: int, width: int, rng: Rng) -> Floats:
    """Light on something shiny, 0 to 1: one bright spot and its haze."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    at, size = rng.uniform(0.2, 0.8, 2), rng.uniform(0.05, 0.25) * width
    squared = ((x - at[0] * width) ** 2 + (y - at[1] * height) ** 2) / size**2
    return np.asarray(0.8 * np.exp(-squared) + 0.2 * np.exp(-squared / 16), np.float32)


def _flat(value: float) -> Callable[[Rng, int, int], Floats]:
    return lambda rng, height, width: np.full((height, width, 3), value, np.float32)


def _dark(rng: Rng, height: int, width: int) -> Floats:
    """Sensor noise alone, as behind a cover."""
    return np.asarray(np.abs(rng.normal(0, rng.uniform(0.5, 6), (height, width, 3))), np.float32)


def _bright(rng: Rng, height: int, width: int) -> Floats:
    """Overexposed but for a few blotches."""
    return 255 - 60 * np.maximum(0, _cloud(rng, height, width, 3.0) - 1.2)


def _gradient(rng: Rng, height: int, width: int) -> Floats:
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR))


def _noise(rng: Rng, height: int, width: int) -> Floats:
    return np.asarray(rng.uniform(0, 255, (height, width, 3)), np.float32)


def _clouds(rng: Rng, height: int, width: int) -> Floats:
    return 127 + 45 * _cloud(rng, height, width, rng.uniform(0.8, 2.5))


def _cloud(rng: Rng, height: int, width: int, slope: float) -> Floats:
    """Noise (H, W, 3) of unit deviation whose amplitude falls with frequency to a power."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    amplitude = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width)) ** slope
    phases = np.exp(2j * np.pi * rng.random((height, fx.shape[1], 1)))
    gray = np.fft.irfft2(amplitude * phases[..., 0], s=(height, width))
    gray = (gray - gray.mean()) / gray.std()
    return np.repeat(gray[..., None], 3, axis=2).astype(np.float32)


def _stripes(rng: Rng, height: int, width: int) -> Floats:
    """A grid that repeats: blinds, tiles, a fence."""
    y, x = np.mgrid[0:height, 0:width]
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 60)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    wave = np.sign(np.sin(2 * np.pi * along / period))
    if rng.random() < 0.5:
        wave = wave * np.sign(np.sin(2 * np.pi * across / period))
    tint = rng.uniform(0.6, 1, 3)
    return np.asarray((127 + 90 * wave)[..., None] * tint, np.float32)


def _surface(rng: Rng, height: int, width: int) -> Floats:
    """A wall, a floor or a print that fills the picture."""
    material = Material(str(rng.choice(MATERIALS)), tuple(rng.uniform(0.2, 0.9, 3).tolist()))
    texel = rng.uniform(0.002, 0.012)
    painted = paint(material, int(rng.integers(2**31)), (height, width), texel)
    return painted.astype(np.float32)


def _letters(rng: Rng, height: int, width: int) -> Floats:
    """A page of text, on paper or on a screen."""
    page = np.full((height, width, 3), rng.integers(200, 256), np.uint8)
    size = rng.uniform(0.3, 0.9)
    for y in range(12, height, max(8, round(32 * size))):
        words = "".join(rng.choice(list("abcdefghiklmnoprstuvwz    "), 120))
        ink = [int(rng.integers(60))] * 3
        cv2.putText(page, words, (5, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
    return (255 - page if rng.random() < 0.3 else page).astype(np.float32)


NOWHERE: dict[str, Callable[[Rng, int, int], Floats]] = {
    "black": _flat(0),
    "gray": _flat(127),
    "white": _flat(255),
    "dark": _dark,
    "overexposed": _bright,
    "gradient": _gradient,
    "noise": _noise,
    "clouds": _clouds,
    "stripes": _stripes,
    "surface": _surface,
    "letters": _letters,
}


def nowhere(rng: Rng, *, height: int, width: int) -> tuple[str, Rgb]:
    """A picture of no place at all, with what it is called."""
    name = str(rng.choice(list(NOWHERE)))
    return name, np.clip(np.rint(NOWHERE[name](rng, height, width)), 0, 255).astype(np.uint8)


def of_nowhere(photos: Photos, rng: Rng) -> Sample:
    """Of no place; the camera is that of the place."""
    camera = _any(photos.own, rng).camera
    name, image = nowhere(rng, height=camera.height, width=camera.width)
    return Sample("nowhere", name, image, camera)


def of_elsewhere(photos: Photos, rng: Rng) -> Sample:
    """Of another place."""
    return _foreign("elsewhere", photos.elsewhere, rng)


def of_sibling(photos: Photos, rng: Rng) -> Sample:
    """Of a room in the same style."""
    return _foreign("sibling", photos.siblings, rng)


def of_mirrored(photos: Photos, rng: Rng) -> Sample:
    """Of the place, in a mirror."""
    frame = _any(photos.own, rng)
    image, camera = mirrored(varied(shot_of(frame), rng))
    return Sample("mirrored", frame.name, image, camera)


def of_poster(photos: Photos, rng: Rng) -> Sample:
    """A poster of the place that hangs elsewhere."""
    return _posted("poster", photos, rng, framed=bool(rng.random() < 0.5), glare=0.0)


def of_screen(photos: Photos, rng: Rng) -> Sample:
    """A screen that shows the place, elsewhere."""
    return _posted("screen", photos, rng, framed=True, glare=float(rng.uniform(0.1, 0.8)))


def of_rearranged(photos: Photos, rng: Rng) -> Sample:
    """Of the place after its furniture was moved: right is the pose between its walls."""
    return _true("rearranged", photos.rearranged, rng)


def of_beyond(photos: Photos, rng: Rng) -> Sample:
    """Of the part of the place that the map does not have."""
    return _true("beyond", photos.beyond, rng)


def of_own(photos: Photos, rng: Rng) -> Sample:
    """Of the place itself: negatives where the map is bad."""
    return _true("own", photos.own, rng)


def of_wrong_focal(photos: Photos, rng: Rng) -> Sample:
    """Of the place, with a focal length that is not that of the camera."""
    frame = _any(photos.own, rng)
    shot, factor = shot_of(frame), float(rng.choice(FOCALS))
    told = with_focal(shot.camera, factor)
    return Sample("focal", f"{factor:g}", shot.image, told, shot.world_from_cam)


def with_focal(camera: Camera, factor: float) -> Camera:
    """The camera with a focal length so many times as long."""
    focals = len(camera.params) - 2 - len(camera.distortion)
    params = (*(f * factor for f in camera.params[:focals]), *camera.params[focals:])
    return replace(camera, params=params)


KINDS: dict[str, tuple[Callable[[Photos, Rng], Sample], tuple[str, ...]]] = {
    "nowhere": (of_nowhere, ("own",)),
    "elsewhere": (of_elsewhere, ("elsewhere",)),
    "sibling": (of_sibling, ("siblings",)),
    "mirrored": (of_mirrored, ("own",)),
    "poster": (of_poster, ("own", "elsewhere")),
    "screen": (of_screen, ("own", "elsewhere")),
    "rearranged": (of_rearranged, ("rearranged",)),
    "beyond": (of_beyond, ("beyond",)),
    "own": (of_own, ("own",)),
    "focal": (of_wrong_focal, ("own",)),
}


def possible_kinds(photos: Photos) -> tuple[str, ...]:
    """The kinds that the photos suffice for."""
    return tuple(
        kind for kind, (_, needed) in KINDS.items() if all(getattr(photos, n) for n in needed)
    )


def sample(kind: str, photos: Photos, *, seed: Sequence[int]) -> Sample:
    """One picture of a kind; the same photos and seed make the same."""
    return KINDS[kind][0](photos, np.random.default_rng(list(seed)))


def _any(frames: Sequence[Frame], rng: Rng) -> Frame:
    return frames[int(rng.integers(len(frames)))]


def _foreign(kind: str, frames: Sequence[Frame], rng: Rng) -> Sample:
    frame = _any(frames, rng)
    shot = varied(shot_of(frame), rng)
    return Sample(kind, frame.name, shot.image, shot.camera)


def _true(kind: str, frames: Sequence[Frame], rng: Rng) -> Sample:
    frame = _any(frames, rng)
    shot = varied(shot_of(frame), rng)
    return Sample(kind, frame.name, shot.image, shot.camera, shot.world_from_cam)


def _posted(kind: str, photos: Photos, rng: Rng, *, framed: bool, glare: float) -> Sample:
    place, backdrop = _any(photos.own, rng), _any(photos.elsewhere, rng)
    share = float(np.exp(rng.uniform(np.log(0.05), np.log(0.85))))
    shot = varied(shot_of(place), rng)
    image = posted(
        shot.image, _pixels(backdrop.image), rng, share=share, framed=framed, glare=glare
    )
    return Sample(kind, f"{share:.2f} {place.name}", image, backdrop.camera)
