"""Many small scenes mapped by one command while its workers are killed: are all maps right?

    python benchmarks/fleet.py FOLDER --maps 200 --kills 2 --alone 20

Renders rooms and cuts the walk through each into short scenes, writes a manifest, and runs
``reloc map-many`` on it. On the way it kills workers, as often as asked for, at moments spread over
the run. Then every map is read and its training checked to be complete, and some are made once
more, alone, in this process, with the same seed: the weights must be equal to the last bit. Scenes
that are there from an earlier run are used again. Workers are found through /proc, so this needs
Linux.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from reloc.backbone import Backbone, load_backbone
from reloc.errors import MapError, OptionError, RelocError
from reloc.fleet import MapJob, read_manifest
from reloc.maps import SceneMap
from reloc.methods.ace import map_scene
from reloc.scenes import open_scene
from reloc.synthetic.scene import write_synthetic_scene

SCENES_PER_ROOM = 5
FRAMES = 8
WIDTH, HEIGHT = 160, 120
# A map of these takes half a second of one core: it is about the fleet, not about the maps.
SMALL = {
    "heads": 1,
    "views": 16,
    "steps": 100,
    "batch": 256,
    "width": 64,
    "blocks": 1,
    "short_side": 120,
    "cells_per_view": 200,
}


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        folder: for scenes, maps and the manifest; maps of an earlier run are removed.
        maps: how many.
        kills: workers to kill on the way.
        alone: maps to make once more for comparison, evenly spaced.
        workers: maps that are made at a time.
    """

    folder: tyro.conf.Positional[Path]
    maps: int = 200
    kills: int = 2
    alone: int = 20
    workers: int = 2


def write_scenes(folder: Path, count: int) -> list[Path]:
    """Short walks through rooms, several in each room."""
    scenes = [folder / f"{number:04d}" for number in range(count)]
    for first in range(0, count, SCENES_PER_ROOM):
        batch = scenes[first : first + SCENES_PER_ROOM]
        if all(scene.exists() for scene in batch):
            continue
        room = folder / "room"
        shutil.rmtree(room, ignore_errors=True)
        frames = FRAMES * len(batch)
        write_synthetic_scene(
            room,
            seed=first,
            mapping=frames,
            queries=0,
            width=WIDTH,
            height=HEIGHT,
            depth=False,
        )
        for scene in batch:
            shutil.rmtree(scene, ignore_errors=True)
            for kind in ("rgb", "poses", "calibration"):
                files = sorted((room / "train" / kind).iterdir())
                target = scene / "train" / kind
                target.mkdir(parents=True)
                # The walk goes on where the scene before took the last frame.
                for file in files[:FRAMES]:
                    file.rename(target / file.name)
        shutil.rmtree(room)
    return scenes


def write_manifest(folder: Path, scenes: list[Path]) -> Path:
    """A line for each scene, with its number as the seed."""
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        for seed, scene in enumerate(scenes):
            out = f"maps/{scene.name}.safetensors"
            job = {"scene": f"scenes/{scene.name}", "map": out, "seed": seed, **SMALL}
            file.write(json.dumps(job) + "\n")
    return path


def run_killing(manifest: Path, options: Options) -> tuple[int, list[int]]:
    """Runs the command; its exit status, and how many maps there were at each kill."""
    log = manifest.with_name("progress.jsonl")
    command = [sys.executable, "-m", "reloc", "map-many", str(manifest), "--json-log", str(log)]
    process = subprocess.Popen([*command, "--workers", str(options.workers)])
    kills: list[int] = []
    while process.poll() is None:
        time.sleep(0.2)
        made = len(list((manifest.parent / "maps").glob("*.safetensors")))
        due = made >= options.maps * (len(kills) + 1) / (options.kills + 1)
        if len(kills) < options.kills and due and (workers := working(process.pid)):
            os.kill(workers[0], signal.SIGKILL)
            kills.append(made)
    return process.returncode, kills


def working(ancestor: int) -> list[int]:
    """Processes below one that are Ray workers in the middle of a map."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
            title = (folder / "cmdline").read_text()
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if title.startswith("ray::Worker.make"):
            found.append(int(folder.name))
    return [pid for pid in found if ancestor in ancestors(pid, parents)]


def ancestors(pid: int, parents: dict[int, int]) -> list[int]:
    """The processes above one, nearest first."""
    above = []
    while (pid := parents.get(pid, 0)) > 0:
        above.append(pid)
    return above


def whole(job: MapJob) -> bool:
    """Whether a map can be read and was trained to the end."""
    try:
        return SceneMap.load(Path(job.out)).info["steps"] == job.options.steps
    except MapError:
        return False


def differs(job: MapJob, backbone: Backbone) -> bool:
    """Whether the map is another than the one made here and now."""
    alone = map_scene(open_scene(job.scene), backbone, options=job.options, device="cpu").scene_map
    path = Path(job.out).parent.with_name("alone.safetensors")
    alone.save(path)
    pairs = zip(
        SceneMap.load(path).head.state_dict().items(),
        SceneMap.load(Path(job.out)).head.state_dict().items(),
        strict=True,
    )
    return any(
        mine[0] != theirs[0] or not torch.equal(mine[1], theirs[1]) for mine, theirs in pairs
    )


def main(options: Options) -> None:
    if options.maps < 1 or not 0 <= options.alone <= options.maps:
        raise OptionError("maps must be at least 1, and alone no more than these")
    # As many as each worker of the command has.
    torch.set_num_threads(1)
    began = time.monotonic()
    manifest = write_manifest(options.folder, write_scenes(options.folder / "scenes", options.maps))
    print(f"{options.maps} scenes: {time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(options.folder / "maps", ignore_errors=True)
    manifest.with_name("manifest.jsonl.jobs").unlink(missing_ok=True)
    began = time.monotonic()
    status, kills = run_killing(manifest, options)
    seconds = time.monotonic() - began
    print(f"map-many: exit status {status}, {seconds:.0f} s; killed a worker at {kills} maps")
    jobs = read_manifest(manifest)
    there = sorted(path.name for path in (options.folder / "maps").iterdir())
    print(f"files: {len(there)}, all maps: {there == sorted(Path(job.out).name for job in jobs)}")
    print(f"whole: {sum(map(whole, jobs))} of {len(jobs)}", flush=True)
    backbone = load_backbone()
    sample = [jobs[number * len(jobs) // options.alone] for number in range(options.alone)]
    began = time.monotonic()
    differing = [job.out for job in sample if differs(job, backbone)]
    pace = (time.monotonic() - began) / max(1, len(sample))
    print(f"made alone: {len(sample)}, {pace:.1f} s each; differing: {differing or 'none'}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, config=(tyro.conf.FlagCreatePairsOff,)))
    except RelocError as error:
        sys.exit(f"error: {error}")
