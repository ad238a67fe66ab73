"""Peak memory of a meta-training episode against its support images, with and without the sums.

    python benchmarks/meta_memory.py --out OUT

Each measurement is a process of its own, so that nothing remains from the one before. Images are
made up from seeds when they are needed, as a stream would give them. Writes OUT/meta_memory.json
and OUT/meta_memory.png.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.meta.episode_loss import (
    Episode,
    EpisodeFitOptions,
    Rows,
    backward_episode,
    episode_loss,
)
from reloc.files import json_text, write_text

CELLS, ANCHORS, CHANNELS = 64, 256, 256
# Freed memory goes back to the system at once, so that the peak is what was held, not what the
# allocator kept for later.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536"}
METHODS = {"sums, one image at a time": "sums", "plain autograd": "plain"}


def made_up(seed: int, *, anchors: int) -> Rows:
    """Rows of an image that follow from the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    return Rows(
        inputs=torch.randn(CELLS, 3 * CHANNELS, generator=generator),
        coordinates=torch.randn(CELLS, 3, generator=generator),
        pixels=torch.full((CELLS,), 100.0),
        anchors=torch.arange(anchors),
    )


def measure(method: str, images: int) -> None:
    """Prints the peak memory in MB that one episode adds to the process."""
    torch.set_num_threads(1)
    adapter = ContextAdapter(inputs=CHANNELS)
    # All episodes have the same number of anchors, from their first images.
    support = [
        partial(made_up, seed, anchors=32 if seed < ANCHORS // 32 else 0) for seed in range(images)
    ]
    episode = Episode(support, [partial(made_up, -1 - n, anchors=0) for n in range(4)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if method == "sums":
        backward_episode(adapter, episode, EpisodeFitOptions())
    else:
        episode_loss(adapter, episode, EpisodeFitOptions()).backward()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"{(after - before) / 1024}\n")


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws memory against images, both logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for label, method in METHODS.items():
        mine = [row for row in rows if row["method"] == method]
        axes.loglog([r["images"] for r in mine], [r["mb"] for r in mine], "o-", label=label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=10)
    axes.set_xlabel("support images of an episode")
    axes.set_ylabel("peak memory added, MB")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--measure", choices=tuple(METHODS.values()), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.images[0])
        return
    rows = []
    for method in METHODS.values():
        for images in given.images:
            command = [sys.executable, __file__, "--out", str(given.out), "--measure", method]
            done = subprocess.run(
                [*command, "--images", str(images)],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | ALLOCATOR,
            )
            rows.append({"method": method, "images": images, "mb": round(float(done.stdout), 1)})
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
    given.out.mkdir(parents=True, exist_ok=True)
    write_text(given.out / "meta_memory.json", json_text(rows))
    plot(rows, given.out / "meta_memory.png")


if __name__ == "__main__":
    main()
