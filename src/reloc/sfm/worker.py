"""What COLMAP computes, in a process of its own: ``python -m reloc.sfm.worker TASK``.

COLMAP's loops in C++ neither hear Ctrl-C nor give an error back where they abort; a process can be
ended at any time. It tells of its progress by numbers on standard output, and ends when
nobody holds its standard input open any more.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reloc.sfm.database import pycolmap_or_refusal
from reloc.sfm.models import found_models, refine

SEED = 0
# Pairs between two commits to the database; what is committed need not be matched again.
BLOCK = 64
# After which global mapping shows its model: positions, two adjustments, triangulation anew.
GLOBAL_STEPS = 4

Tell = Callable[[int], None]


def match(tell: Tell, *, database: str, pairs: str, threads: int, tolerance: float) -> None:
    """Matches pairs and verifies them by epipolar geometry.

    Args:
        tell: nothing: the database tells how many pairs are done.
        database: with keypoints.
        pairs: file of two names a line.
        threads: to use.
        tolerance: pixels off an epipolar line.
    """
    pycolmap = pycolmap_or_refusal()
    matching = pycolmap.FeatureMatchingOptions(num_threads=threads, use_gpu=False)
    pairing = pycolmap.ImportedPairingOptions(match_list_path=pairs, block_size=BLOCK)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    verification.ransac.max_error = tolerance
    pycolmap.match_image_pairs(
        database,
        matching_options=matching,
        pairing_options=pairing,
        verification_options=verification,
        device=pycolmap.Device.cpu,
    )


def reconstruct(
    tell: Tell, *, database: str, out: str, method: str, images: int, least: int
) -> None:
    """Finds poses and points; writes each model to a folder of its own, numbered.

    Args:
        tell: how many images have a pose; of a global mapping the like share of its steps.
        database: with verified matches.
        out: folder to write to.
        method: ``incremental`` or ``global``.
        images: in the database.
        least: images of a model.
    """
    pycolmap = pycolmap_or_refusal()
    Path(out).mkdir(parents=True, exist_ok=True)
    if method == "global":
        _reconstruct_globally(tell, database=database, out=out, images=images, least=least)
        return
    posed = 0

    def more(count: int) -> None:
        nonlocal posed
        posed += count
        tell(posed)

    pycolmap.incremental_mapping(
        database,
        out,
        out,
        pycolmap.IncrementalPipelineOptions(
            random_seed=SEED,
            num_threads=1,  # with several, sums come out in another order each time
            min_model_size=least,
            extract_colors=False,
        ),
        initial_image_pair_callback=lambda: more(2),
        next_image_callback=lambda: more(1),
    )


def _reconstruct_globally(tell: Tell, *, database: str, out: str, images: int, least: int) -> None:
    pycolmap = pycolmap_or_refusal()
    pycolmap.calibrate_view_graph(database, pycolmap.ViewGraphCalibrationOptions(random_seed=SEED))
    models, steps = pycolmap.ReconstructionManager(), 0
    pipeline = pycolmap.GlobalPipeline(
        pycolmap.GlobalPipelineOptions(random_seed=SEED, min_model_size=least, num_threads=1),
        pycolmap.Database.open(database),
        models,
    )

    def step() -> None:
        nonlocal steps
        steps += 1
        tell(images * min(steps, GLOBAL_STEPS) // (GLOBAL_STEPS + 1))

    pipeline.add_callback(pycolmap.GlobalPipelineCallback.MODEL_UPDATE_CALLBACK.value, step)
    pipeline.run()
    models.write(out)


def refine_largest(tell: Tell, *, models: str, out: str) -> None:
    """Refines the largest of the models below a folder, and writes it to another."""
    best = refine(found_models(Path(models))[0], tell=tell)
    Path(out).mkdir(parents=True, exist_ok=True)
    best.model.write_binary(out)


TASKS: dict[str, Callable[..., None]] = {
    "match": match,
    "reconstruct": reconstruct,
    "refine": refine_largest,
}


def main() -> None:
    """Does the task that the only argument describes."""
    task: dict[str, Any] = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    TASKS[task.pop("task")](_tell, **task)


def _tell(done: int) -> None:
    sys.stdout.write(f"{done}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock would outlive this process
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
