"""``reloc info``: what a scene holds, or a map."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reloc.capture import Survey, survey_scene
from reloc.cli.arguments import Omittable
from reloc.cli.console import console
from reloc.cli.options import ProgressOptions, SceneOptions
from reloc.errors import OptionError
from reloc.files import check_writable, json_text
from reloc.scenes.summary import SceneSummary, summarize
from reloc.sfm.captures import capture_facts, capture_text, capture_without_poses


def info(
    path: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    /,
    *,
    json: bool = False,
    advice: bool = False,
    report: Annotated[Omittable[Path], tyro.conf.arg(metavar="DIR")] = None,
    frames: SceneOptions = SceneOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Say what a scene holds: frames, cameras, extent, and what cannot be used; or a map.

    Args:
        path: Folder of the scene, in any of the layouts that reloc reads; or a map; or a video or
            photos without poses.
        json: Print one JSON object in place of text.
        advice: Look into the photos, half a minute at most, and say what will hurt a map.
        report: Write the advice as a page with a floor plan to this folder; implies advice.
    """
    if path.suffix == ".safetensors" and path.is_file():
        if advice or report is not None:
            raise OptionError(f"{path}: is a map; --advice and --report look at a scene")
        # Maps take PyTorch, for which one who looks at a scene does not wait.
        from reloc.cli.map_info import map_facts, print_map

        facts = map_facts(path)
        if json:
            print(json_text(facts, indent=1))
        else:
            print_map(facts, console())
        return
    if (capture := capture_without_poses(path)) is not None:
        if advice or report is not None:
            raise OptionError(
                f"{path}: has no poses, which advice takes; find them by `reloc pose`"
            )
        facts = capture_facts(capture)
        if json:
            print(json_text(facts, indent=1))
        else:
            console().print(capture_text(capture, facts), markup=False)
        return
    if report is not None:
        check_writable(report / "index.html")
    scene = frames.open(path)
    summary = summarize(scene)
    survey = None
    if advice or report is not None:
        with log.shown() as progress:
            survey = survey_scene(scene, progress=progress)
    if json:
        advised = {} if survey is None else {"survey": survey.as_dict()}
        print(json_text({**asdict(summary), **advised}, indent=1))
    else:
        _print(summary, console())
    if survey is not None and not json:
        _print_advice(survey, console())
    if survey is not None and report is not None:
        from reloc.view.capture_page import write_capture_page

        page = report / "index.html"
        write_capture_page(page, survey, scene)
        if not json:
            console().print(f"report: {page}", markup=False)


def _print(summary: SceneSummary, screen: Console) -> None:
    unit = " m" if summary.unit == "metre" else ""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("scene", f"{escape(summary.name)} ({summary.layout})")
    facts.add_row("mapping", f"{summary.mapping} frames")
    unposed = summary.queries_without_pose
    facts.add_row(
        "queries", f"{summary.queries} frames" + (f", {unposed} without a pose" if unposed else "")
    )
    if summary.with_depth:
        facts.add_row("depth", f"{summary.with_depth} frames")
    facts.add_row("unit", "metre" if unit else "unknown: errors are relative to the extent")
    facts.add_row("extent", f"{summary.extent:.4g}{unit}")
    if summary.spacing is not None:
        facts.add_row("nearest camera", f"{summary.spacing:.3g}{unit} (median of the mapping)")
    if summary.query_distance is not None:
        facts.add_row(
            "query to mapping", f"{summary.query_distance:.3g}{unit} (median, nearest camera)"
        )
    screen.print(facts)
    cameras = Table(box=None, pad_edge=False)
    for heading in ("camera model", "size", "cameras", "frames", "focal"):
        cameras.add_column(heading)
    for group in summary.cameras:
        focal = f"{group.focal_min:.1f}"
        if group.focal_max - group.focal_min >= 0.1:
            focal += f" to {group.focal_max:.1f}"
        cameras.add_row(
            group.model,
            f"{group.width}x{group.height}",
            str(group.cameras),
            str(group.frames),
            focal,
        )
    screen.print()
    screen.print(cameras)
    for skipped in summary.skipped:
        names = ", ".join(skipped.examples) + (
            ", ..." if skipped.count > len(skipped.examples) else ""
        )
        screen.print(f"skipped {skipped.count}: {skipped.reason} ({names})", markup=False)
    for note in summary.notes:
        screen.print(f"note: {note}", markup=False)


def _print_advice(survey: Survey, screen: Console) -> None:
    screen.print()
    if not survey.advice:
        screen.print(f"advice: none; {len(survey.photos)} photos and all poses look fine")
    for advice in survey.advice:
        color = {"serious": "red", "warning": "yellow", "note": "cyan"}[advice.severity]
        screen.print(f"[{color}]{advice.severity}[/{color}]: {escape(advice.text)}")
        screen.print(f"  {advice.remedy}", markup=False)
