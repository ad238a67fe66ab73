"""Many images at once through the batched solver, beside one PoseLib call for each.

    python benchmarks/pose_solvers.py --threads 1

Matches are made from a seed: a share of the cells sees its point with some noise, the others are
off by about a metre. Both solvers get the same matches; the table tells times for the whole batch
and how far the poses are off.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
import tyro

from reloc.geometry import inverted, pose_error
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.ransac import Matches, RansacOptions, Solutions, solve_poses
from reloc.pose.ransac.motion import rotation_from_vector
from reloc.pose.solver import SolverOptions, solve_pose


@dataclass(frozen=True)
class Options:
    """What to time.

    Attributes:
        images: of a batch.
        cells: matches of each image.
        hypotheses: of the batched solver, for each image.
        inliers: share of the cells that see their point.
        noise: of these, in pixels.
        threads: of PyTorch; by default as many as it chooses.
        repeats: the fastest of so many runs counts.
        seed: of the matches.
    """

    images: int = 16
    cells: int = 4800
    hypotheses: int = 64
    inliers: float = 0.5
    noise: float = 2.0
    threads: int | None = None
    repeats: int = 3
    seed: int = 0


FOCAL = 525.0
T = TypeVar("T")


def made_matches(options: Options) -> tuple[Matches, torch.Tensor]:
    """Matches in float32, and the true cam_from_world (B, 3, 4)."""
    chance = torch.Generator().manual_seed(options.seed)
    shape = (options.images, options.cells)
    rays = (torch.rand((*shape, 2), generator=chance) - 0.5) * torch.tensor([1.2, 0.9])
    depth = 1 + 3 * torch.rand((*shape, 1), generator=chance)
    seen = torch.cat([rays, torch.ones_like(depth)], dim=-1) * depth
    rotation = rotation_from_vector(torch.randn((options.images, 3), generator=chance))
    translation = torch.randn((options.images, 3, 1), generator=chance)
    points = (seen - translation.mT) @ rotation
    points += torch.randn((*shape, 3), generator=chance) * options.noise / FOCAL * depth
    wrong = torch.rand((*shape, 1), generator=chance) >= options.inliers
    points += wrong * torch.randn((*shape, 3), generator=chance)
    usable = torch.ones(shape, dtype=torch.bool)
    matches = Matches(points, rays, torch.full((options.images,), FOCAL), usable)
    return matches, torch.cat([rotation, translation], dim=-1)


def by_poselib(matches: Matches) -> list[np.ndarray | None]:
    """world_from_cam (4, 4) of each image, one after the other."""
    points, rays = matches.scene_coordinates.double().numpy(), matches.rays.double().numpy()
    solved = (
        solve_pose(Correspondences.of_kind(Kind.CELL, p, r, FOCAL), options=SolverOptions())
        for p, r in zip(points, rays, strict=True)
    )
    return [s.world_from_cam if s else None for s in solved]


def in_a_batch(matches: Matches, options: Options) -> Solutions:
    """All poses at once, ready on the processor."""
    solutions = solve_poses(matches, options=RansacOptions(hypotheses=options.hypotheses))
    return Solutions(*(getattr(solutions, f).cpu() for f in ("cam_from_world", "found", "scores")))


def run(options: Options) -> None:
    """Times the solvers and prints a markdown table."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    matches, truth = made_matches(options)
    expected = [inverted(_square(pose)) for pose in truth.double().numpy()]
    rows = []
    seconds, poses = _fastest(lambda: by_poselib(matches), options.repeats)
    rows.append((f"PoseLib, {options.images} calls", "cpu", seconds, poses))
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        there = Matches(
            matches.scene_coordinates.to(device),
            matches.rays.to(device),
            matches.focals.to(device),
            matches.usable.to(device),
        )
        seconds, solved = _fastest(partial(in_a_batch, there, options), options.repeats)
        found = solved.cam_from_world.double().numpy()
        poses = [
            inverted(_square(pose)) if good else None
            for pose, good in zip(found, solved.found.tolist(), strict=True)
        ]
        rows.append((f"batched, {options.hypotheses} hypotheses", device, seconds, poses))
    print(
        f"{options.images} images of {options.cells} matches, {options.inliers:.0%} inliers, "
        f"{torch.get_num_threads()} threads\n"
    )
    print("| solver | device | whole batch | median error | worst error |")
    print("|---|---|---:|---:|---:|")
    for name, device, seconds, poses in rows:
        errors = [
            pose_error(pose, true)[0] if pose is not None else np.inf
            for pose, true in zip(poses, expected, strict=True)
        ]
        print(
            f"| {name} | {device} | {1e3 * seconds:.0f} ms | {1e3 * np.median(errors):.2f} mm | "
            f"{1e3 * np.max(errors):.2f} mm |"
        )


def _square(pose: np.ndarray) -> np.ndarray:
    return np.vstack([pose, (0.0, 0.0, 0.0, 1.0)])


def _fastest(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Seconds of the fastest run, and what it gave."""
    best: tuple[float, T] | None = None
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - began
        if best is None or seconds < best[0]:
            best = seconds, result
    assert best is not None
    return best


if __name__ == "__main__":
    run(tyro.cli(Options, description=__doc__))
