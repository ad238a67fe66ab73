"""How many cameras took the images, and what their focal lengths may be."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from reloc.geometry import Camera
from reloc.images.lens import Lens
from reloc.sfm.database import SharedCamera

# Of the longer side: what COLMAP takes as well. Bundle adjustment mends it.
USUAL_FOCAL = 1.2


def guessed_cameras(sizes: Sequence[tuple[int, int]], lenses: Sequence[Lens]) -> list[SharedCamera]:
    """One camera for all images of a size and a lens, with the focal length of EXIF or a usual one.

    Args:
        sizes: width and height of each image.
        lenses: what each says of its lens.
    """
    groups: dict[tuple[tuple[int, int], Lens], list[int]] = defaultdict(list)
    for number, (size, lens) in enumerate(zip(sizes, lenses, strict=True)):
        groups[size, replace(lens, turn=None)].append(number)
    cameras = []
    for ((width, height), lens), images in groups.items():
        told = lens.camera(width, height)
        focal = told.fx if told is not None else USUAL_FOCAL * max(width, height)
        guess = Camera("SIMPLE_RADIAL", width, height, (focal, width / 2, height / 2, 0.0))
        cameras.append(SharedCamera(guess, told is not None, tuple(images)))
    return cameras
