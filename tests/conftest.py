"""How tests run side by side, and fixtures that several of them share."""

import hashlib
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

# Every process imports PyTorch and may make a map, which takes up to a gigabyte.
MOST_WORKERS = 8


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker per core; none for single files, which end before workers have started.

    Nor for an emulated device, of whose use one process tells.
    """
    named = [str(argument).partition("::")[0] for argument in config.args]
    if config.getoption("emulate") or (named and all(name.endswith(".py") for name in named)):
        return 0
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets all tests compute on an emulated device, see ``tests/devices``."""
    parser.addoption("--emulate", choices=["cuda", "mps"], help="device that tests compute on")


def pytest_configure(config: pytest.Config) -> None:
    """Gives workers, and what they start, one thread each: they share the cores."""
    if kind := config.getoption("emulate"):
        from .devices.whole_suite import EmulatedSuite

        config.pluginmanager.register(EmulatedSuite(kind))
    if config.getoption("numprocesses", None):
        for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
            os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, so that no worker is left alone with one of them."""
    items.sort(key=lambda item: item.path.name != "test_real_scenes.py")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder of all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def one_ray(shared_folder: Path) -> Iterator[None]:
    """Ray runs in one test at a time: it gives up where it starts too slowly."""
    with FileLock(shared_folder / "ray.lock"):
        yield


@pytest.fixture(scope="session")
def made_once(shared_folder: Path) -> Callable[..., Path]:
    """Makes a file or folder that all workers of this run share; not to be written to."""

    def made(name: str, make: Callable[[Path], object]) -> Path:
        path, done = shared_folder / name, shared_folder / f"{name}.done"
        with FileLock(f"{path}.lock"):
            if not done.exists():
                make(path)
                done.touch()
        return path

    return made


@pytest.fixture(scope="session")
def bake_once(made_once: Callable[..., Path]) -> Callable[[Any], Any]:
    """Paints and lights a world coarsely, once for all tests that ask for it."""
    from reloc.synthetic.bake import bake

    def baked(world: Any) -> Any:
        def make(path: Path) -> None:
            path.write_bytes(pickle.dumps(bake(world, texel=0.015, lumel=0.2)))

        digest = hashlib.sha256(repr(world).encode()).hexdigest()[:16]
        return pickle.loads(made_once(f"baked-{digest}", make).read_bytes())

    return baked


@pytest.fixture(scope="session")
def made_scene(
    bake_once: Callable[[Any], Any], made_once: Callable[..., Path]
) -> Callable[..., Path]:
    """Makes a synthetic scene once for all tests that ask for its like; not to be written to."""

    def made(
        *, mapping: int, queries: int, width: int = 160, height: int = 120, depth: bool = True
    ) -> Path:
        name = f"room-{mapping}-{queries}-{width}x{height}"
        if not depth:
            whole = made(mapping=mapping, queries=queries, width=width, height=height)
            ignored = shutil.ignore_patterns("depth")
            return made_once(f"{name}-rgb", lambda to: shutil.copytree(whole, to, ignore=ignored))
        from reloc.synthetic import scene

        sizes: dict[str, Any] = {
            "mapping": mapping,
            "queries": queries,
            "width": width,
            "height": height,
        }

        def make(to: Path) -> None:
            with pytest.MonkeyPatch.context() as patch:
                if max(width, height) <= 160:
                    patch.setattr(scene, "bake", lambda world, **_: bake_once(world))
                scene.write_synthetic_scene(to, **sizes)

        return made_once(name, make)

    return made


@pytest.fixture(scope="module")
def coarse(bake_once: Callable[[Any], Any]) -> Iterator[None]:
    """Paints and lights rooms more coarsely, for pictures that nobody looks at closely."""
    from reloc.synthetic import scene, training_views

    with pytest.MonkeyPatch.context() as patch:
        for module in (training_views, scene):
            patch.setattr(module, "bake", lambda world, **_: bake_once(world))
        yield


@pytest.fixture(scope="session")
def wall_frames(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Photos of a wall z = 3 covered with blotches of all sizes, from points along it."""
    import cv2

    from reloc.geometry import Camera, look_at
    from reloc.scenes import Frame

    folder = tmp_path_factory.mktemp("wall")
    camera = Camera("SIMPLE_RADIAL", 320, 240, (300, 156, 123, -0.05))
    rng = np.random.default_rng(0)
    wall = np.zeros((900, 1600), np.float32)
    for size in (3, 8, 20, 50):
        noise = rng.normal(size=wall.shape).astype(np.float32)
        blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), size))
        wall += blurred / blurred.std()
    row, column = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = camera.rays(np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5)
    made = []
    for number, x in enumerate(np.linspace(-0.9, 0.9, 9)):
        pose = look_at((x, 0.1 * np.sin(number), 0), (0.6 * x, 0, 3), up=(0, -1, 0))
        directions = np.c_[rays, np.ones(len(rays))] @ pose[:3, :3].T
        points = pose[:3, 3] + directions * ((3 - pose[2, 3]) / directions[:, 2])[:, None]
        place = ((points[:, :2] + (4, 2.25)) * 200).astype(np.float32).reshape(*row.shape, 2)
        photo = cv2.remap(wall, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        path = folder / f"{number}.png"
        assert cv2.imwrite(str(path), (127 + 35 * photo).clip(0, 255).astype(np.uint8))
        made.append(Frame(path.name, path, camera, pose))
    return made


@pytest.fixture(scope="module")
def keypoints_once() -> Iterator[None]:
    """Keypoints of a photo, which are of its pixels alone, are found once in a test file."""
    from reloc.images.sift import sift

    known: dict[Any, Any] = {}

    def found(image: Any, **options: Any) -> Any:
        asked = image.shape, image.tobytes(), *sorted(options.items())
        if asked not in known:
            known[asked] = sift(image, **options)
        return tuple(array.copy() for array in known[asked])

    with pytest.MonkeyPatch.context() as patch:
        for module in ("capture.tentative_matches", "landmarks.keypoints"):
            patch.setattr(f"reloc.{module}.sift", found)
        yield


@pytest.fixture
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line resamples images to 120 pixels for the methods that have no preset."""
    from reloc.cli import mapping_options

    for name in ("RidgeOptions", "DsacStarOptions"):
        options = partial(getattr(mapping_options, name), short_side=120)
        monkeypatch.setattr(mapping_options, name, options)


@pytest.fixture(scope="session")
def shared_scenes() -> Path:
    """The folder of real scenes beside the checkout; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "scenes"
    if not folder.is_dir():
        pytest.skip("the real scenes are not on this machine")
    return folder


@pytest.fixture
def small_files() -> Callable[[int], AbstractContextManager[None]]:
    """Files find room for so many bytes, as on a full disk, while a context lasts."""
    if sys.platform == "win32":
        pytest.skip("no limits on files there")
    import resource

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)

    return limited


@pytest.fixture(scope="session")
def damaged() -> Callable[[bytes, int], bytes]:
    """Content with damage as disks and transfers do it: the same for the same seed.

    Zeroed blocks, flipped bits, a file cut short, blocks that changed places, one written twice.
    """

    def damage(content: bytes, seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        octets = np.frombuffer(content, np.uint8).copy()
        size = min(int(2 ** rng.uniform(0, 19)), len(octets) // 2)
        first, second = (int(p) for p in rng.integers(0, len(octets) - size + 1, 2))
        kind = seed % 5
        if kind == 0:
            octets[first : first + size] = 0
        elif kind == 1:
            places = rng.integers(0, len(octets), rng.integers(1, 9))
            octets[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        elif kind == 2:
            octets = octets[: rng.integers(len(octets))]
        else:
            kept = octets[first : first + size].copy()
            if kind == 3:
                octets[first : first + size] = octets[second : second + size]
            octets[second : second + size] = kept
        return octets.tobytes()

    return damage


@pytest.fixture(scope="session")
def colmap_model() -> Callable[[Path], Any]:
    """Opens a scene's ``sparse/0`` in pycolmap and checks what other programs take for granted."""
    pycolmap = pytest.importorskip("pycolmap")

    def opened(root: Path) -> Any:
        folder = root / "sparse" / "0"
        model = pycolmap.Reconstruction(folder)
        assert model.is_valid()
        if (folder / "images.bin").exists():
            _check_sizes(folder, model)
        names = [image.name for image in model.images.values()]
        assert len(set(names)) == len(names)
        # gsplat pairs the names with all files of the folder, both in alphabetical order.
        files = [path for path in (root / "images").rglob("*") if path.is_file()]
        assert sorted(names) == sorted(f.relative_to(root / "images").as_posix() for f in files)
        off: dict[int, list[float]] = {number: [] for number in model.points3D}
        positions = {number: point.xyz for number, point in model.points3D.items()}
        owners = {
            (element.image_id, element.point2D_idx): number
            for number, point in model.points3D.items()
            for element in point.track.elements
        }
        for image in model.images.values():
            camera = model.cameras[image.camera_id]
            with Image.open(root / "images" / image.name) as photo:
                assert photo.size == (camera.width, camera.height)
            for index, seen in enumerate(image.points2D):
                assert seen.has_point3D()
                number = seen.point3D_id
                assert owners.pop((image.image_id, index)) == number
                assert ((seen.xy >= 0) & (seen.xy <= (camera.width, camera.height))).all()
                projected = image.project_point(positions[number])
                off[number].append(float(np.linalg.norm(projected - seen.xy)))
        assert not owners
        for number, point in model.points3D.items():
            images = [element.image_id for element in point.track.elements]
            assert len(set(images)) == len(images) == len(off[number]) >= 2
            np.testing.assert_allclose(np.mean(off[number]), point.error, atol=1e-5)
        return model

    return opened


def _check_sizes(folder: Path, model: Any) -> None:
    """The binary files are as long as what they hold, so that nothing is left unread in them."""
    cameras = sum(24 + 8 * len(camera.params) for camera in model.cameras.values())
    images = sum(
        64 + len(image.name.encode()) + 1 + 8 + 24 * len(image.points2D)
        for image in model.images.values()
    )
    points = sum(51 + 8 * point.track.length() for point in model.points3D.values())
    for name, size in (("cameras", cameras), ("images", images), ("points3D", points)):
        assert (folder / f"{name}.bin").stat().st_size == 8 + size
