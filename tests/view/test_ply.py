"""Point clouds as PLY."""

from pathlib import Path

import numpy as np
import pytest

from reloc.reconstruct.point_cloud import PointCloud
from reloc.view.ply import write_ply


def read_ply(path: Path) -> np.ndarray:
    """The vertices of a binary PLY, by its own header."""
    content = path.read_bytes()
    end = content.index(b"end_header\n") + len(b"end_header\n")
    lines = content[:end].decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert lines[2].startswith("element vertex ")
    kinds = {"float": "<f4", "double": "<f8", "uchar": "u1"}
    fields = [(line.split()[2], kinds[line.split()[1]]) for line in lines[3:-1]]
    vertices = np.frombuffer(content[end:], dtype=fields)
    assert len(vertices) == int(lines[2].split()[2])
    return vertices


@pytest.mark.parametrize("offset", [0.0, 5e6])
def test_points_normals_and_colors_come_back(tmp_path: Path, offset: float) -> None:
    rng = np.random.default_rng(0)
    cloud = PointCloud(
        rng.normal(size=(20, 3)) + offset,
        rng.integers(0, 256, (20, 3)).astype(np.uint8),
        rng.normal(size=(20, 3)).astype(np.float32),
    )
    write_ply(tmp_path / "a.ply", cloud)
    vertices = read_ply(tmp_path / "a.ply")
    for fields, values in (
        (("x", "y", "z"), cloud.points),
        (("nx", "ny", "nz"), cloud.normals),
        (("red", "green", "blue"), cloud.colors),
    ):
        read = np.stack([vertices[field] for field in fields], axis=1)
        np.testing.assert_allclose(read, values, atol=1e-6)


def test_an_empty_cloud_is_a_file_without_points(tmp_path: Path) -> None:
    empty = PointCloud(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.float32))
    write_ply(tmp_path / "a.ply", empty)
    assert len(read_ply(tmp_path / "a.ply")) == 0
