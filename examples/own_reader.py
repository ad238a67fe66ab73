"""Read a scene from a layout that reloc does not know, and write it in one that it does.

Here a file `poses.csv` says for each photo `file,fx,x,y,z,qw,qx,qy,qz`: the position of its camera
in the world and its rotation, world from camera, with x right, y down and z ahead.

python examples/own_reader.py recording kitchen-ace
"""

import csv
import sys
from pathlib import Path

from reloc import Camera, RawFrame, RawScene, SceneError, open_scene, register_reader
from reloc.geometry import pose_from, rotation_from_quaternion
from reloc.images.files import image_size
from reloc.scenes.writers import write_scene


@register_reader
class Recording:
    LAYOUT = "recording"
    LOOKS_FOR = "poses.csv"

    def matches(self, root: Path) -> bool:
        return (root / "poses.csv").is_file()

    def read(self, root: Path) -> RawScene:
        with (root / "poses.csv").open(newline="") as rows:
            frames = tuple(self.frame(root, row) for row in csv.DictReader(rows))
        if not frames:
            raise SceneError(f"{root / 'poses.csv'}: no photo is listed; add one row for each")
        return RawScene(frames, unit="metre")

    def frame(self, root: Path, row: dict[str, str]) -> RawFrame:
        path = root / row["file"]
        width, height = image_size(path)
        camera = Camera.pinhole(width=width, height=height, fx=float(row["fx"]))
        rotation = rotation_from_quaternion([float(row[k]) for k in ("qw", "qx", "qy", "qz")])
        pose = pose_from(rotation, [float(row[k]) for k in "xyz"])
        return RawFrame(row["file"], path, camera, pose)


def main(folder: str, out: str) -> None:
    scene = open_scene(folder)  # its frames are checked; it goes to map_scene as it is
    write_scene(scene, out, to="ace")
    print(f"{out}: {len(scene.mapping)} frames, {scene.extent():.2f} m across")


if __name__ == "__main__":
    main(*sys.argv[1:])
