"""Point clouds as PLY files."""

from pathlib import Path

from reloc.scenes.writers import ply
from reloc.view.point_cloud import PointCloud


def write_ply(path: Path, cloud: PointCloud) -> None:
    """Writes a binary little-endian PLY with ``x y z nx ny nz red green blue``.

    Raises:
        OutputError: the file cannot be written.
    """
    ply.write_ply(path, cloud.points, cloud.colours, normals=cloud.normals)
