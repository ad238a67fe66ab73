"""Point clouds as PLY files."""

from reloc.files import StrPath
from reloc.reconstruct.point_cloud import PointCloud
from reloc.scenes.writers import ply


def write_ply(path: StrPath, cloud: PointCloud) -> None:
    """Writes a binary little-endian PLY with ``x y z nx ny nz red green blue``.

    Raises:
        OutputError: the file cannot be written.
    """
    ply.write_points(path, cloud.points, cloud.colors, normals=cloud.normals)
