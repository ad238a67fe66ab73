"""Captures of phones, scanners and other programs, written from a walk of noise."""

from collections.abc import Callable
from functools import cache

import numpy as np

from reloc.geometry import Camera, look_at
from reloc.scenes import open_scene
from tests.fuzz.mutation import Files
from tests.fuzz.scene_targets import FRAMES, shown
from tests.fuzz.target import Target
from tests.scenes.layouts import phones, programs
from tests.scenes.layouts.walks import Walk


@cache
def _walk() -> Walk:
    """Pictures of noise from a ring, a metre and a half from a plane."""
    rng = np.random.default_rng(0)
    height, width = 24, 32
    return Walk(
        Camera("PINHOLE", width, height, (30, 30, 16, 12)),
        np.array(
            [
                look_at((3 * np.cos(0.1 * n), 3 * np.sin(0.1 * n), 0.5), (0.1 * n, 0, 0))
                for n in range(FRAMES)
            ]
        ),
        rng.integers(0, 255, (FRAMES, height, width, 3), np.uint8),
        np.full((FRAMES, height, width), 1.5, np.float32),
        np.full((FRAMES, height // 2, width // 2), 1.5, np.float32),
        tuple(0.2 * n for n in range(FRAMES)),
    )


def _target(layout: str, writer: Callable[[Walk], Files], pattern: str) -> Target:
    return Target(
        f"capture-{layout}",
        lambda _: writer(_walk()),
        1,
        lambda folder: open_scene(folder, layout=layout),
        shown,
        pattern,
        share=0.3,
    )


TARGETS: tuple[Target, ...] = (
    Target(
        "capture-sens",
        lambda _: {"scan.sens": phones.sens(_walk())},
        1,
        lambda folder: open_scene(folder / "scan.sens"),
        shown,
        share=0.3,
    ),
    _target("stray", phones.stray, "[!dc]*"),
    _target("polycam", phones.polycam, "*corrected_cameras*"),
    _target("record3d", phones.record3d, "*[!g]"),
    _target("scanner-app", phones.scanner_app, "*0[0-4].json"),
    _target("scancapture", phones.scancapture, "*.txt"),
    _target("arkitscenes", phones.arkitscenes, "*[!g]"),
    _target("scannet", phones.scannet, "*.txt"),
    _target("scannet++", phones.scannetpp, "*.json"),
    _target("kapture", programs.kapture, "*.txt"),
    _target("lamar", lambda walk: programs.kapture(walk, lamar=True), "*.txt"),
    _target("euroc", programs.euroc, "*[!g]"),
    _target("opensfm", programs.opensfm, "*.json"),
    _target("bundler", programs.bundler, "*.[ot]*t"),
    _target("metashape", programs.metashape, "*.xml"),
    _target("realitycapture", programs.realitycapture, "*.csv"),
)
