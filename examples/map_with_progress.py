"""Map a scene under a time limit, with a line of progress, and save the map.

python examples/map_with_progress.py kitchen kitchen.safetensors [SECONDS]
"""

import sys
from pathlib import Path

from reloc import load_backbone, map_scene, open_scene, preset_options


def progress(stage: str, done: int, total: int, **metrics: float) -> None:
    """The callback: called between views and steps; it may draw a bar, or raise to stop."""
    figures = " ".join(f"{name} {value:.2f}" for name, value in metrics.items())
    print(f"\r{stage}: {done} of {total} {figures}".ljust(79), end="", flush=True)


def main(folder: str, out: str, seconds: str = "300") -> None:
    scene = open_scene(folder)
    for note in scene.notes:
        print(note)

    options = preset_options("standard", time_limit=float(seconds))
    result = map_scene(scene, load_backbone(), options=options, progress=progress)
    for skipped in result.skipped:
        print(f"\n{skipped.name}: {skipped.reason}", end="")
    result.scene_map.save(Path(out))
    print(f"\n{out}: {Path(out).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
