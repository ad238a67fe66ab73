"""How much of a place is looked at for the few points that a map keeps."""

import numpy as np
import pytest

from reloc.view import sketch
from reloc.view.point_cloud import PointCloud


@pytest.mark.parametrize(("seconds", "views"), [(None, 48), (4.0, 48), (2.5, 30), (0.1, 16)])
def test_less_time_means_fewer_views(monkeypatch, seconds, views):
    asked = []

    def nothing(localizer, frames, *, views, max_points, progress):
        asked.append(views)
        return PointCloud(
            np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.float32)
        )

    class Localizer:
        map = "the map as it is"

    monkeypatch.setattr(sketch, "map_point_cloud", nothing)
    assert sketch.sketched(Localizer(), (), seconds=seconds) == "the map as it is"
    assert asked == [views]
