"""What a device is worth: is it right, and how fast is it, beside the processor of its machine.

    python benchmarks/devices.py SCENE --poses poses_sfm.txt

One command for a machine with a GPU. Tables are printed as they are ready: steps of heads and their
share of what the device can do, views, a mapping by stage, queries by how many are localized at a
time; and beside each how far its result is from that of the processor. Without a GPU the device is
the processor, and the tables compare it with itself.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import tyro

from reloc.backbone import Backbone, FeatureExtractor, load_backbone
from reloc.devices import pick_device, synchronize, training_dtype
from reloc.errors import RelocError, SceneError
from reloc.geometry import pose_error
from reloc.heads.mlp import new_head
from reloc.images.image_cache import ImageCache
from reloc.localize import Estimate, Localizer, Query
from reloc.mapping.views import PreparedView, prepare_view
from reloc.maps import SceneMap
from reloc.methods.ace import MappingOptions
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.options import head_width
from reloc.methods.ace.trainer import HeadsTrainer, TrainerOptions
from reloc.methods.dispatch import map_scene
from reloc.sampling import evenly
from reloc.scenes import Scene, open_scene
from reloc.scenes.scene import posed

CPU = torch.device("cpu")
# Before the clock runs: graphs are captured and kernels are chosen.
WARM_UP = 10
ROWS, FRAMES, CHANNELS, BLOCKS = 1 << 17, 64, 256, 2
# Matrices by which the peak is measured.
SIDE = {"cpu": 2048}
USUAL_SIDE = 8192


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scene: its frames are mapped, its queries localized.
        poses: a pose set, where it brings other cameras than the scene.
        device: by default the best there is.
        heads: numbers of heads that are trained together.
        batch: features of each in a step.
        steps: of each head in the two mappings, at most.
        queries: that are localized, evenly spaced over all.
        at_a_time: queries that are localized side by side.
        seconds: for each measurement of speed.
    """

    scene: tyro.conf.Positional[Path]
    poses: Path | None = None
    device: str | None = None
    heads: tuple[int, ...] = (1, 4, 16)
    batch: int = 5120
    steps: int = 1000
    queries: int = 100
    at_a_time: tuple[int, ...] = (1, 2, 4, 8)
    seconds: float = 3.0


def seconds_each(work: Callable[[], object], device: torch.device, *, seconds: float) -> float:
    """Seconds that a work takes on a device, by as many repetitions as fit into a time."""
    for _ in range(WARM_UP):
        work()
    synchronize(device)
    began, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds or not done:
        for _ in range(WARM_UP):
            work()
        synchronize(device)
        done += WARM_UP
    return elapsed / done


def peak_flops(device: torch.device, *, seconds: float) -> float:
    """Operations a second of large matrix products in the precision of trainings."""
    side = SIDE.get(device.type, USUAL_SIDE)
    a, b = torch.randn(2, side, side, device=device).to(training_dtype(device))
    return 2 * side**3 / seconds_each(lambda: a @ b, device, seconds=seconds)


def step_flops(heads: int, width: int, batch: int) -> float:
    """Operations of the matrix products in a step, forward and back, and of half its directions."""
    hidden = 3 * BLOCKS + 1
    weights = width * (CHANNELS + hidden * width + 4)
    small = min(width, CHANNELS)
    iteration = 4 * small**2 * max(width, CHANNELS) + 2 * small**3 + hidden * 6 * width**3
    return heads * (6.0 * batch * weights + 0.5 * 5 * iteration)


def toy_trainer(device: torch.device, *, heads: int, width: int, batch: int) -> HeadsTrainer:
    """Heads that learn from noise, the same on every device."""
    chance = torch.Generator().manual_seed(0)
    buffer = FeatureBuffer.empty(
        ROWS, channels=CHANNELS, cam_from_world=torch.eye(3, 4).repeat(FRAMES, 1, 1), device=device
    )
    for frame in range(FRAMES):
        rays = torch.rand(ROWS // FRAMES, 2, generator=chance) - 0.5
        features = torch.randn(len(rays), CHANNELS, generator=chance)
        buffer.append(features.to(device), rays, 500.0, frame, torch.full((len(rays),), 0.5))
    parts = [
        buffer.restricted(torch.arange(n % 4, FRAMES), buffer.cam_from_world) for n in range(heads)
    ]
    made = [
        new_head(channels=CHANNELS, width=width, blocks=BLOCKS, scale=2.0, seed=n)
        for n in range(heads)
    ]
    return HeadsTrainer(made, parts, TrainerOptions(batch=batch), amp=training_dtype(device))


def loss_after(trainer: HeadsTrainer, steps: int) -> float:
    """Of all heads, after some steps."""
    for step in range(steps):
        trainer.step(step / 100)
    return trainer.state().loss


def training_table(options: Options, device: torch.device) -> Iterator[str]:
    """Steps a second of heads that are trained together, and the loss beside that of the CPU."""
    peak = peak_flops(device, seconds=options.seconds)
    yield f"\nMatrix products of {training_dtype(device)}: {peak / 1e12:.2f} TFLOP/s.\n"
    yield "| heads | width | ms a step | head steps a second | of the peak | loss after 8 | CPU |"
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    for heads in options.heads:
        width = head_width(heads, channels=CHANNELS, blocks=BLOCKS)
        sizes = {"heads": heads, "width": width, "batch": options.batch}
        losses = [loss_after(toy_trainer(where, **sizes), 8) for where in (device, CPU)]
        trainer = toy_trainer(device, **sizes)
        seconds = seconds_each(lambda t=trainer: t.step(0.5), device, seconds=options.seconds)  # type: ignore[misc]
        share = step_flops(**sizes) / seconds / peak
        yield (
            f"| {heads} | {width} | {1e3 * seconds:.2f} | {heads / seconds:.0f} | {share:.0%} | "
            f"{losses[0]:.3f} | {losses[1]:.3f} |"
        )


def view_table(
    options: Options, scene: Scene, backbone: Backbone, device: torch.device
) -> Iterator[str]:
    """Views a second that a core makes and the device takes, and how far its features are off."""
    frames, read = evenly(posed(scene.mapping), 16), ImageCache().read
    here, there = (FeatureExtractor(backbone, device=where) for where in (CPU, device))
    side = MappingOptions().short_side

    def made(kind: str) -> list[PreparedView]:
        return [
            prepare_view(frame, n, kind=kind, short_side=side, stride=here.stride, read=read)  # type: ignore[arg-type]
            for n, frame in enumerate(frames)
        ]

    views = made("plain")
    images = [view.image for view in views]
    worst = min(
        float(torch.cosine_similarity(there(image).cpu().float(), here(image).float()).min())
        for image in images[:4]
    )
    yield "\n| what | a second |"
    yield "|---|---:|"
    for kind in ("plain", "augmented"):
        seconds = seconds_each(lambda k=kind: made(k), CPU, seconds=options.seconds)  # type: ignore[misc]
        yield f"| {kind} views of one core | {len(frames) / seconds:.0f} |"
    seconds = seconds_each(
        lambda: [there(image) for image in images], device, seconds=options.seconds
    )
    yield f"| views through the backbone | {len(images) / seconds:.0f} |"
    yield f"\nCosine of the worst cell with that of the CPU: {worst:.5f}."


def mapped(options: Options, scene: Scene, backbone: Backbone, device: torch.device) -> SceneMap:
    """The scene mapped on a device."""
    wanted = MappingOptions(steps=options.steps)
    return map_scene(scene, backbone, options=wanted, device=device).scene_map


def memory(device: torch.device) -> str:
    """The most that was in use so far."""
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = f"{resident / 1e9:.1f} GB of the process"
    if device.type == "cuda":
        found += f", {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB of the device"
    return found


def localized(
    place: Localizer, queries: Sequence[Query], *, workers: int
) -> tuple[list[Estimate], float]:
    """Estimates of queries, and seconds for each."""
    list(place.localize_many(islice(queries, WARM_UP), workers=workers))
    began = time.perf_counter()
    found = list(place.localize_many(queries, workers=workers))
    return found, (time.perf_counter() - began) / len(queries)


def apart(one: Sequence[Estimate], other: Sequence[Estimate], unit: float) -> str:
    """How far poses of the same queries are from each other."""
    errors = [
        pose_error(a.world_from_cam, b.world_from_cam)
        for a, b in zip(one, other, strict=True)
        if a.world_from_cam is not None and b.world_from_cam is not None
    ]
    if not errors:
        return "none by both"
    shift, turn = np.median(errors, axis=0)
    return f"{len(errors)} by both, {100 * shift / unit:.3f} % of the extent, {turn:.3f} deg"


def mapping_tables(
    options: Options, scene: Scene, backbone: Backbone, device: torch.device
) -> Iterator[str]:
    """A mapping by stage, queries of its map, and poses beside those of a map of the CPU."""
    frames = evenly(scene.queries, options.queries)
    if not frames:
        raise SceneError(f"{options.scene}: has no queries; name another scene")
    queries = [Query(frame.name, frame.image, frame.camera) for frame in frames]
    own = mapped(options, scene, backbone, device)
    yield "\n| stage of the mapping | seconds |"
    yield "|---|---:|"
    for stage, seconds in own.info["seconds"].items():
        yield f"| {stage} | {seconds:.1f} |"
    yield f"\nMemory: {memory(device)}."
    place = Localizer(own, backbone, device=device, heads_always=True)
    found: list[Estimate] = []
    yield "\n| queries at a time | a second |"
    yield "|---:|---:|"
    for workers in options.at_a_time:
        found, seconds = localized(place, queries, workers=workers)
        yield f"| {workers} | {1 / seconds:.1f} |"
    same, _ = localized(Localizer(own, backbone, device=CPU, heads_always=True), queries, workers=2)
    yield f"\nPoses of the same map on the CPU: {apart(found, same, scene.extent())}."
    theirs = mapped(options, scene, backbone, CPU)
    other, _ = localized(
        Localizer(theirs, backbone, device=CPU, heads_always=True), queries, workers=2
    )
    true = [replace(e, world_from_cam=f.world_from_cam) for e, f in zip(found, frames, strict=True)]
    yield f"Poses off, of the map of the device: {apart(found, true, scene.extent())};"
    yield f"of a map of the CPU: {apart(other, true, scene.extent())}."


def run(options: Options) -> None:
    """Prints the tables."""
    device = pick_device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(
        f"{name}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads of the processor"
    )
    if device.type == "cpu":
        print("No GPU: the device is the processor, which is compared with itself.")
    scene, backbone = open_scene(options.scene, poses=options.poses), load_backbone()
    for table in (
        training_table(options, device),
        view_table(options, scene, backbone, device),
        mapping_tables(options, scene, backbone, device),
    ):
        for line in table:
            print(line, flush=True)


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")
