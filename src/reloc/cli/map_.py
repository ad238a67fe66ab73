"""``reloc map``: posed photos to a map."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.markup import escape

from reloc.checkpoint import checkpoint_of, kept_until_done
from reloc.cli.console import console, progress_bar
from reloc.cli.film import make_film
from reloc.cli.options import ImageFolder
from reloc.errors import OptionError
from reloc.files import check_writable
from reloc.localize import Localizer
from reloc.methods.ace import preset_options
from reloc.methods.dispatch import MethodOptions, map_scene, method_backbone
from reloc.methods.dsacstar import DsacStarOptions, Supervision
from reloc.methods.ridge import RidgeOptions
from reloc.scenes import open_scene
from reloc.view.film import Recorder, check_film_path, read_training_history, write_training_history


def map_(
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    /,
    *,
    method: Literal["mlp", "ridge", "dsacstar"] = "mlp",
    targets: Literal["rays", "depth"] = "rays",
    supervision: Supervision = "rgb",
    steps: int | None = None,
    learning_rate: float | None = None,
    preset: Literal["draft", "standard", "full"] = "standard",
    time_limit: float | None = None,
    heads: Literal["auto"] | int = "auto",
    width: int | None = None,
    blocks: int | None = None,
    query: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    poses: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    images: ImageFolder = None,
    backbone: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    device: str | None = None,
    seed: int = 0,
    buffer_gb: float | None = None,
    resume: bool = False,
    quiet: bool = False,
    json_log: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    film: Annotated[Path | None, tyro.conf.arg(metavar="FILM")] = None,
    growth: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Map a place from posed photos.

    Args:
        scene: Folder of the scene, in any of the layouts that reloc reads.
        out: The map file to write, a .safetensors of about 4 MB.
        method: mlp trains a head in minutes; ridge fits one in closed form, in seconds;
            dsacstar trains the whole network, for days unless steps or time_limit say less.
        targets: What ridge fits to: the viewing rays of the poses alone, or depth images too.
        supervision: What dsacstar learns from: poses alone (rgb); depth images or the points of a
            COLMAP model too (depth); depth images only, for queries with depth (rgbd).
        steps: Of dsacstar, an image each; by default 1,100,000.
        learning_rate: Of dsacstar before it trains for the pose; by default 1e-4.
        preset: How much work to put in; draft is a minute on a laptop, standard a few.
        time_limit: Seconds to be done in; plans the work to end within it on this machine.
        heads: Part the place among so many heads; auto lets what is seen of it decide.
        width: Of the heads' hidden layers; by default as wide as 4 MB allow, 512 for one head.
        blocks: Residual blocks of the head, three layers each; by default 2.
        query: File that lists images to hold back from mapping, one per line.
        poses: Pose file to use in place of the scene's own poses.
        backbone: Backbone weights; by default those that come with reloc, and `rooms` for those of
            rendered rooms alone.
        device: cpu, cuda or mps; by default the best there is.
        seed: Of everything random; the same seed gives the same map on a CPU.
        buffer_gb: Memory for features in GB; what does not fit goes to a temporary file.
        resume: Go on with a mapping that was interrupted.
        quiet: Show no progress.
        json_log: Write the progress as JSON lines to this file.
        film: Film the mapping, then the queries: .mp4, .gif, or a new folder of pictures.
        growth: Keep how the map grew in this file, some 10 MB, for `reloc film`.
    """
    began = time.monotonic()
    if method == "ridge" and (resume or time_limit is not None or heads not in ("auto", 1)):
        raise OptionError(
            "ridge takes seconds and one head: leave out resume, time-limit and heads"
        )
    if method == "mlp" and targets != "rays":
        raise OptionError(f"targets {targets} is for --method ridge")
    watched = film is not None or growth is not None
    if method == "ridge" and watched:
        raise OptionError("ridge has no training to watch; film its map with `reloc film`")
    if method == "dsacstar" and (heads not in ("auto", 1) or watched):
        raise OptionError(
            "dsacstar trains one head and is not filmed: leave out heads, film and growth"
        )
    own = (steps, learning_rate, None if supervision == "rgb" else supervision)
    if method != "dsacstar" and own != (None, None, None):
        raise OptionError("supervision, steps and learning-rate are for --method dsacstar")
    found = open_scene(scene, query=query, poses=poses, images=images)
    given = {"width": width, "blocks": blocks, "buffer_gb": buffer_gb}
    options = preset_options(
        preset,
        time_limit=time_limit,
        heads=None if heads == "auto" else heads,
        seed=seed,
        **{name: value for name, value in given.items() if value is not None},
    )
    sizes: dict[str, Any] = {
        "width": width,
        "blocks": blocks,
        "steps": steps,
        "learning_rate": learning_rate,
    }
    chosen: MethodOptions = options
    if method == "ridge":
        chosen = RidgeOptions(targets=targets, seed=seed)
    elif method == "dsacstar":
        chosen = DsacStarOptions(
            supervision=supervision,
            time_limit=time_limit,
            seed=seed,
            **{name: value for name, value in sizes.items() if value is not None},
        )
    check_writable(out)
    if film is not None:
        check_film_path(film)
    if growth is not None:
        check_writable(growth)
    checkpoint = None if method == "ridge" else checkpoint_of(out)
    network = method_backbone(backbone, chosen)
    with (
        kept_until_done(checkpoint, resumed=resume),
        progress_bar(quiet=quiet, json_log=json_log) as progress,
    ):
        recorder = None
        if watched:
            recorder = Recorder(
                found.mapping,
                network,
                short_side=options.short_side,
                device=device,
                earlier=read_training_history(growth)
                if resume and growth and growth.exists()
                else None,
            )
        try:
            result = map_scene(
                found,
                network,
                options=chosen,
                device=device,
                checkpoint=checkpoint,
                resume=resume,
                progress=progress,
                callback=recorder,
            )
        finally:
            # Of an interrupted mapping too: with --resume it goes on from there.
            recording = recorder.recording() if recorder is not None else None
            if growth is not None and recording is not None:
                write_training_history(recording, growth)
        result.scene_map.save(out)
        if film is not None:
            localizer = Localizer(result.scene_map, network, device=device)
            make_film(film, localizer, found, recording=recording, progress=progress)
    info = result.scene_map.info
    screen = console()
    for note in found.notes:
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
        f"{out.stat().st_size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s; "
        f"{100 * info['inlier_share']:.0f} % of the mapping features within 10 px"
    )


def _work(info: Mapping[str, Any]) -> str:
    if "steps" in info:
        return f"{info['steps']} steps"
    return f"{info['features']} features, lambda {info['options']['ridge']:g}"


def _heads(count: int) -> str:
    return f"{count} heads, " if count > 1 else ""
