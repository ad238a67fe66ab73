"""Views of a query that was shifted or zoomed still know where their cells lie."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from reloc.images.augment import apply_homography, cell_pixels, plain_view


@pytest.mark.parametrize("number", range(5))
def test_cells_look_at_the_place_of_the_original(
    script: Callable[[str], ModuleType], number: int
) -> None:
    passes = script("several_passes")
    # Brightness tells where a pixel lies.
    y, x = np.mgrid[0:480, 0:640] + 0.5
    for image, axis, span in ((x / 640, 0, 640), (y / 480, 1, 480)):
        view = plain_view((255 * image).astype(np.uint8), short_side=240)
        other = passes.passes_of(view)["all six"][number]
        cells = cell_pixels(*other.image.shape, stride=8)
        inside = (cells < other.image.shape[::-1]).all(axis=1)
        column, row = cells[inside].astype(int).T
        seen = other.image[row, column] / 255 * span
        places = apply_homography(other.original_from_view, cells[inside])[:, axis]
        assert np.abs(seen - places).max() < 6
