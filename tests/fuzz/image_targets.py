"""Images, depth images, videos, and cameras as a user gives them."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reloc.errors import ImageError
from reloc.geometry import Camera
from reloc.images.camera_spec import parse_camera
from reloc.images.files import image_size, read_image
from reloc.images.lens import read_lens
from reloc.images.sources import named_images
from reloc.localize.cameras import QueryCameras
from reloc.localize.query import Query, read_query
from reloc.scenes.depth import guessed_unit, read_depth_map
from reloc.scenes.scene import Depth
from tests.fuzz.mutation import Files
from tests.fuzz.target import Target, file_of

WIDTH, HEIGHT = 48, 32
MOST_PIXELS = 100_000  # along a side of an image that there can be a camera of
_SUFFIXES = (".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm", ".pgm")
_CAMERAS = (
    "30.5",
    "30,31,24,16",
    "OPENCV 48 32 30 30 24 16 0.1 0.01 0.001 0.001",
    "1 SIMPLE_RADIAL 48 32 30 24 16 0.05",
    "30 0 24\n0 30 16\n0 0 1",
    "OPENCV_FISHEYE 48 32 30 30 24 16 0.1 0.01 0 0",
    "FOV 48 32 30 30 24 16 0.9",
    "THIN_PRISM_FISHEYE 48 32 30 30 24 16 0.1 0 0 0 0 0 0 0",
    # Not as typed, for it has two lines.
    "# a comment\n1 FULL_OPENCV 48 32 30 30 24 16 0.1 0 0 0 0 0 0 0",
)


def _pixels(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def _encoded(suffix: str, pixels: NDArray[Any]) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def _image(number: int) -> Files:
    suffix = _SUFFIXES[number]
    pixels = _pixels(number)
    return {f"photo{suffix}": _encoded(suffix, pixels[..., 0] if suffix == ".pgm" else pixels)}


def _photo(number: int) -> Files:
    """What a phone writes, with the focal length and which way up it was held."""
    exif = Image.Exif()
    exif[0x0112] = (1, 6, 8)[number]
    exif[0x010F], exif[0x0110] = "Maker", "Model"
    exif.get_ifd(0x8769).update({0xA405: 26, 0x920A: (425, 100), 0xA002: WIDTH, 0xA003: HEIGHT})
    made = io.BytesIO()
    Image.fromarray(_pixels(number)).save(made, ("JPEG", "PNG", "TIFF")[number], exif=exif)
    return {f"photo{('.jpg', '.png', '.tif')[number]}": made.getvalue()}


def _deep(number: int) -> Files:
    values = np.linspace(1000, 3000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    match number:
        case 0:
            return {"depth.png": _encoded(".png", values.astype(np.uint16))}
        case 1:
            return {"depth.tif": _encoded(".tif", (values / 1000).astype(np.float32))}
        case 2:
            return {"depth.pgm": _encoded(".pgm", values.astype(np.uint16))}
        case _:
            return {"depth.png": _encoded(".png", np.full((HEIGHT, WIDTH), 252, np.uint8))}


def _film(number: int) -> Files:
    name, codec = (("film.avi", "MJPG"), ("film.mp4", "mp4v"))[number]

    def write(path: Path) -> None:
        film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (WIDTH, HEIGHT))
        for frame in range(4):
            film.write(_pixels(frame))
        film.release()

    return {name: file_of(write, name)}


def _only(folder: Path) -> Path:
    return next(iter(folder.iterdir()))


def _read(folder: Path) -> Path:
    path = _only(folder)
    image_size(path)
    read_lens(path)
    read_image(path)
    read_image(path, gray=True)
    return path


def _queried(path: Path) -> None:
    read = read_query(Query(path.name, path))
    width, height = read.photo.width, read.photo.height
    told = read.lens.camera(width, height)
    given = None if told else Camera.pinhole(width=width, height=height, fx=40.0)
    choices = QueryCameras(()).choices(read.photo, given)
    for group in read.prepared(choices, short_side=64):
        group[0].cells(8)


def _read_depth(folder: Path) -> Path:
    path = _only(folder)
    width, height = image_size(path)
    if max(width, height) > MOST_PIXELS:
        raise ImageError(f"{path}: no camera is of {width}x{height}")
    camera = Camera.pinhole(width=width, height=height, fx=30.0)
    found = read_depth_map(Depth(path, camera))
    found.along(camera.rays([(1.0, 1.0), (width / 2, height / 2)]))
    return path


def _watched(folder: Path) -> None:
    for item in named_images([_only(folder)], every=2):
        assert isinstance(item.image, np.ndarray)
        assert item.image.ndim == 2


def _spec(number: int) -> Files:
    return {"camera.txt": _CAMERAS[number].encode()}


def _camera_in_file(folder: Path) -> Camera:
    return parse_camera(str(folder / "camera.txt"), width=WIDTH, height=HEIGHT)


def _camera_as_typed(folder: Path) -> Camera:
    text = (folder / "camera.txt").read_bytes().decode("utf-8", "surrogateescape")
    return parse_camera(text, width=WIDTH, height=HEIGHT)


def _applied(camera: Camera) -> None:
    pixels = [(0.5, 0.5), (camera.width / 2, camera.height / 2)]
    with np.errstate(all="ignore"):
        camera.pixels(camera.rays(pixels))
        camera.project([(0.1, 0.2, 1.0), (0, 0, -1)])
        camera.ray_bounds()
    camera.resized(2 * camera.width, 2 * camera.height)


TARGETS: tuple[Target, ...] = (
    Target("image", _image, len(_SUFFIXES), _read, _queried, share=2),
    Target("photo", _photo, 3, _read, _queried),
    Target("depth-image", _deep, 4, _read_depth, lambda path: guessed_unit([path])),
    Target("video", _film, 2, _watched),
    Target("camera-file", _spec, len(_CAMERAS), _camera_in_file, _applied),
    Target("camera-text", _spec, len(_CAMERAS) - 1, _camera_as_typed, _applied, named=False),
)
