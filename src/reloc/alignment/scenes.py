"""Scenes in the frame that they are aligned to."""

from dataclasses import replace

from reloc.alignment.alignment import Alignment
from reloc.scenes.scene import Frame, Scene


def aligned_scene(scene: Scene, alignment: Alignment) -> Scene:
    """The scene with all poses and depths in the aligned frame."""
    similarity = alignment.aligned_from_world

    def moved(frame: Frame) -> Frame:
        pose, depth = frame.world_from_cam, frame.depth
        return replace(
            frame,
            world_from_cam=None if pose is None else similarity.pose(pose),
            depth=depth and replace(depth, unit=depth.unit * similarity.scale),
        )

    return replace(
        scene,
        mapping=tuple(map(moved, scene.mapping)),
        queries=tuple(map(moved, scene.queries)),
        unit="unknown" if alignment.metres_by is None else "metre",
    )
