"""COLMAP's database of cameras, images and keypoints, as matching and mapping read it.

Images are called by their numbers in it: lists of pairs part names at spaces, which names of photos
may hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from reloc.errors import OptionError
from reloc.geometry import Camera
from reloc.landmarks.keypoints import Keypoints


@dataclass(frozen=True)
class SharedCamera:
    """A camera as it is guessed before any picture was matched.

    Attributes:
        camera: SIMPLE_RADIAL.
        known: whether its focal length is told by EXIF, and not merely usual.
        images: numbers of the images that it took.
    """

    camera: Camera
    known: bool
    images: tuple[int, ...]


def pycolmap_or_refusal() -> ModuleType:
    """The module, told to be silent.

    Raises:
        OptionError: it is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise OptionError(
            "poses of photos and videos are found by pycolmap, which is not installed: "
            'pip install "reloc[sfm]"'
        ) from error
    pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value
    return pycolmap


def image_name(number: int) -> str:
    """What an image is called in the database."""
    return f"{number:06d}"


def create_database(path: Path, cameras: Sequence[SharedCamera]) -> None:
    """Makes a database of images without keypoints; image ids are their numbers plus one."""
    pycolmap = pycolmap_or_refusal()
    model = pycolmap.Reconstruction()
    database = pycolmap.Database.open(path)
    camera_of = dict[int, int]()
    for number, shared in enumerate(cameras, start=1):
        guess = shared.camera
        own = pycolmap.Camera(
            camera_id=number,
            model=guess.model,
            width=guess.width,
            height=guess.height,
            params=list(guess.params),
        )
        own.has_prior_focal_length = shared.known
        model.add_camera_with_trivial_rig(own)
        database.write_camera(own, use_camera_id=True)
        database.write_rig(model.rig(number), use_rig_id=True)
        camera_of |= dict.fromkeys(shared.images, number)
    for number, camera_id in sorted(camera_of.items()):
        image = pycolmap.Image(name=image_name(number), camera_id=camera_id, image_id=number + 1)
        model.add_image_with_trivial_frame(image)
        database.write_frame(model.frame(number + 1), use_frame_id=True)
        database.write_image(model.image(number + 1), use_image_id=True)
    database.close()


class KeypointStore:
    """The keypoints of a database, image by image; what is written stays if the process is killed.

    Args:
        path: of the database.
    """

    def __init__(self, path: Path) -> None:
        self._pycolmap = pycolmap_or_refusal()
        self._database = self._pycolmap.Database.open(path)

    def count(self, number: int) -> int | None:
        """How many keypoints an image has; None if it was not looked at."""
        if not self._database.exists_descriptors(number + 1):
            return None
        return int(self._database.num_keypoints_for_image(number + 1))

    def write(self, number: int, found: Keypoints) -> None:
        """Writes what was found in an image: COLMAP's pixels and descriptors are the same."""
        rows = np.zeros((len(found), 4), np.float32)
        rows[:, :2], rows[:, 2] = found.pixels, found.sizes / 2
        kind = self._pycolmap.FeatureExtractorType.SIFT
        self._database.write_keypoints(number + 1, rows)
        self._database.write_descriptors(
            number + 1, self._pycolmap.FeatureDescriptors(kind, found.descriptors)
        )

    def close(self) -> None:
        """Ends the use of the database."""
        self._database.close()
