"""``reloc map``: photos or a video to a map."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.markup import escape

from reloc.checkpoint import checkpoint_of, kept_until_done
from reloc.cli.console import console
from reloc.cli.film import make_film
from reloc.cli.mapping_options import MapOptions
from reloc.cli.options import MappingComputeOptions, MappingSceneOptions, ProgressOptions
from reloc.cli.pairs import check_scene_first
from reloc.evaluation.quality import quality_text
from reloc.files import check_writable
from reloc.localize import Localizer
from reloc.mapping.result import MappingResult
from reloc.methods.dispatch import map_scene, method_backbone
from reloc.methods.ridge import RidgeOptions
from reloc.scenes.scene import Scene
from reloc.sfm.captures import capture_without_poses
from reloc.sfm.scene import posed_scene, poses_beside, refuse_lists
from reloc.view.film import Recorder, check_film_path, read_training_history, write_training_history


def map_(
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    /,
    *,
    mapping: MapOptions = MapOptions(),
    frames: MappingSceneOptions = MappingSceneOptions(),
    compute: MappingComputeOptions = MappingComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Map a place from photos or a video.

    Args:
        scene: Folder of the scene, in any of the layouts that reloc reads; or a video, or a folder
            of photos, whose poses are found first and kept beside the map.
        out: The map file to write, a .safetensors of about 4 MB.
    """
    began = time.monotonic()
    check_scene_first("map", scene, usage="SCENE MAP")
    capture = capture_without_poses(scene)
    if capture is None:
        found = frames.open(scene)
    else:
        refuse_lists(poses=frames.poses, images=frames.images)
    options = mapping.of_method()
    check_writable(out)
    if mapping.film is not None:
        check_film_path(mapping.film)
    if mapping.growth is not None:
        check_writable(mapping.growth)
    checkpoint = None if isinstance(options, RidgeOptions) else checkpoint_of(out)
    network = method_backbone(compute.backbone, options)
    with kept_until_done(checkpoint, resumed=mapping.resume), log.shown() as progress:
        if capture is not None:
            found = posed_scene(
                capture,
                poses_beside(out, capture),
                query=frames.query,
                device=compute.device,
                progress=progress,
            )
        recorder = None
        if mapping.watched:
            earlier = mapping.growth if mapping.resume else None
            recorder = Recorder(
                found.mapping,
                network,
                short_side=options.short_side,
                device=compute.device,
                earlier=read_training_history(earlier) if earlier and earlier.exists() else None,
            )
        try:
            result = map_scene(
                found,
                network,
                options=options,
                landmarks=mapping.landmark_options(),
                device=compute.device,
                checkpoint=checkpoint,
                resume=mapping.resume,
                progress=progress,
                callback=recorder,
            )
        finally:
            # Of an interrupted mapping too: with --resume it goes on from there.
            recording = recorder.recording() if recorder is not None else None
            if mapping.growth is not None and recording is not None:
                write_training_history(recording, mapping.growth)
        result.scene_map.save(out)
        if mapping.film is not None:
            localizer = Localizer(result.scene_map, network, device=compute.device)
            make_film(mapping.film, localizer, found, recording=recording, progress=progress)
    _tell(out, found, result, seconds=time.monotonic() - began)


def _tell(out: Path, scene: Scene, result: MappingResult, *, seconds: float) -> None:
    """Prints what came of the mapping."""
    info = result.scene_map.info
    screen = console()
    for note in scene.notes:
        screen.print(f"note: {note}", markup=False)
    for skipped in result.skipped[:5]:
        screen.print(f"skipped {escape(skipped.name)}: {escape(skipped.reason)}")
    if len(result.skipped) > 5:
        screen.print(f"skipped {len(result.skipped) - 5} more")
    if result.scene_map.reliability < 0.5:
        screen.print(
            f"warning: the map finds {100 * result.scene_map.reliability:.0f} % of its own mapping "
            "frames, so that no pose in it will be believed; map for longer"
        )
    screen.print(
        f"{escape(str(out))}: {info['frames'] - info['skipped']} frames, "
        f"{_heads(len(result.scene_map.regions))}{_work(info)}, "
        f"{out.stat().st_size / 1e6:.1f} MB, {seconds:.0f} s; "
        f"{100 * info['inlier_share']:.0f} % of the mapping features within 10 px"
        f"{_landmarks(info)}; {quality_text(result.scene_map)}{_limit(info)}"
    )


def _limit(info: Mapping[str, Any]) -> str:
    """Whether a limit ended the training before the map was good."""
    if info.get("good", True):
        return ""
    by = "the time limit" if info["options"]["time_limit"] is not None else "the limit of steps"
    more = f"; about {info['more']:g} times as long may do" if info["more"] else ""
    return f", cut short by {by}{more}"


def _work(info: Mapping[str, Any]) -> str:
    if "steps" in info:
        return f"{info['steps']} steps"
    return f"{info['features']} features, lambda {info['options']['ridge']:g}"


def _landmarks(info: Mapping[str, Any]) -> str:
    counts = info.get("landmarks")
    if counts is None:
        return ""
    used, frames = counts["frames"], info["frames"]
    some = f" from {used} of {frames} frames, for which there was time" if used < frames else ""
    return f"; {counts['kept']} landmarks{some}"


def _heads(count: int) -> str:
    return f"{count} heads, " if count > 1 else ""
