"""Measure a map on the queries of its scene, print the figures and plot the errors.

python examples/evaluate_and_plot.py kitchen.safetensors kitchen errors.png
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np

from reloc import Localizer, Query, open_scene
from reloc.evaluation import evaluate

matplotlib.use("agg")
from matplotlib import pyplot


def main(map_file: str, folder: str, out: str) -> None:
    scene = open_scene(folder)
    localizer = Localizer.from_file(map_file)
    estimates = list(
        localizer.localize_many(Query(f.name, f.image, f.camera) for f in scene.queries)
    )
    evaluation = evaluate(
        estimates,
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=Path(map_file).stat().st_size,
        mapping_seconds=localizer.map.seconds,
        unit=scene.unit,
    )
    print(f"median {evaluation.median_translation:.3f}, {evaluation.median_rotation_deg:.2f}°")
    print(f"recall {evaluation.recall}")

    positions, rotations = evaluation.errors()  # infinite where a frame was lost
    shares = np.arange(1, len(positions) + 1) / len(positions)
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    for axis, errors, label in zip(
        axes, (positions, rotations), ("position", "rotation in degrees"), strict=True
    ):
        found = np.sort(errors[np.isfinite(errors)])
        axis.step(found, shares[: len(found)], where="post")
        axis.set(xlabel=f"error of the {label}", ylim=(0, 1))
    axes[0].set_ylabel("share of the queries")
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
