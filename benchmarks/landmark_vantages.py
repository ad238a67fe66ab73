"""Poses by all landmarks that agree, and by those that the mapping frames beside show.

    python benchmarks/landmark_vantages.py MAP SCENE --queries 60

MAP is one that `reloc map SCENE MAP` made. The queries of the scene are localized by its landmarks
alone, no head has a say.
"""

import sys
import time
from dataclasses import replace

import tyro
from landmark_size import RECALLS, Options, measured

from reloc.errors import RelocError, SceneError
from reloc.evaluation.figures import percent_text, threshold_text
from reloc.images.files import read_image
from reloc.landmarks.keypoints import detect_keypoints
from reloc.maps import SceneMap
from reloc.sampling import evenly
from reloc.scenes import open_scene


def run(options: Options) -> None:
    """Prints a markdown table of two rows; the time is that of the processor, without keypoints."""
    landmarks = SceneMap.load(options.map).landmarks
    scene = open_scene(options.scene, poses=options.poses)
    if landmarks is None or landmarks.vantages is None or not scene.queries:
        raise SceneError(f"{options.scene}: needs queries, and {options.map} landmarks of today")
    frames = evenly(scene.queries, options.queries)
    keypoints = [detect_keypoints(read_image(frame.image, gray=True)) for frame in frames]
    limits = (threshold_text(key) for key in RECALLS)
    print(f"| queries | refined on | position | rotation | {' | '.join(limits)} | time |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for name, known in (
        ("all that agree", replace(landmarks, vantages=None)),
        ("what frames beside show", landmarks),
    ):
        began = time.process_time()
        found = measured(known, frames, keypoints, scene.extent())
        each = (time.process_time() - began) / len(frames)
        cells = (
            f"{len(frames)}",
            name,
            f"{100 * found.median_translation / found.scene_extent:.3f} %",
            f"{found.median_rotation_deg:.3f}°",
            *(percent_text(found.recall_of_extent[key]) for key in RECALLS),
            f"{1e3 * each:.0f} ms",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
