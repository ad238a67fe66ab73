"""Read a scene from a layout that reloc does not know, and write it in one that it does.

Here a file `poses.csv` says for each photo `file,fx,x,y,z,qw,qx,qy,qz`: the position of its camera
in the world and its rotation, world from camera, with x right, y down and z ahead.

python examples/own_reader.py recording kitchen-ace
"""

import csv
import sys
from pathlib import Path

from reloc import Camera, Frame, Scene
from reloc.errors import SceneError
from reloc.geometry import pose_from, rotation_from_quaternion
from reloc.images.files import image_size
from reloc.scenes.writers import write_scene


def read_recording(folder: Path) -> Scene:
    frames = []
    with (folder / "poses.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            path = folder / row["file"]
            width, height = image_size(path)
            camera = Camera.pinhole(width=width, height=height, fx=float(row["fx"]))
            rotation = rotation_from_quaternion([float(row[k]) for k in ("qw", "qx", "qy", "qz")])
            pose = pose_from(rotation, [float(row[k]) for k in "xyz"])
            frames.append(Frame(row["file"], path, camera, pose))
    if not frames:
        raise SceneError(f"{folder / 'poses.csv'}: no photo is listed; add one row for each")
    return Scene(folder.name, folder, "recording", mapping=tuple(frames), unit="metre")


def main(folder: str, out: str) -> None:
    scene = read_recording(Path(folder))  # this goes to map_scene as it is
    write_scene(scene, Path(out), to="ace")
    print(f"{out}: {len(scene.mapping)} frames, {scene.extent():.2f} m across")


if __name__ == "__main__":
    main(*sys.argv[1:])
