"""``reloc map-many``: a manifest of scenes to a map each, on Ray."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from reloc.backbone import load_backbone
from reloc.backbone.weights import backbone_path
from reloc.cli.arguments import Omittable
from reloc.cli.console import console, recorded
from reloc.cli.options import MappingBackbone, ProgressOptions
from reloc.errors import OptionError
from reloc.evaluation.quality import quality_text
from reloc.fleet import FleetView, JobTable, WorkerPoolOptions, map_fleet, read_manifest
from reloc.fleet.places import stored_map
from reloc.methods.until import reaches
from reloc.progress import silent

MAX_SHOWN = 30
_SECONDS_BETWEEN_LINES = 10.0


def map_many(
    manifest: Annotated[Path, tyro.conf.arg(metavar="MANIFEST")],
    /,
    *,
    workers: Omittable[int] = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
    address: Omittable[str] = None,
    jobs: Annotated[Omittable[str], tyro.conf.arg(metavar="FILE")] = None,
    backbone: MappingBackbone = None,
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Map many places, each from its scene. The same command goes on after whatever ended it.

    Args:
        manifest: A .toml or .jsonl that lists scenes, maps and options.
        workers: Jobs that are done at a time, maps or heads; by default as many as there is room
            for.
        cpus: Cores of each worker.
        gpus: GPUs of each worker, which may be a fraction; 0 computes on the CPU.
        address: Of a Ray cluster; by default RAY_ADDRESS, or else this machine alone.
        jobs: Table of what is done and what failed: a file, by default beside the manifest, or a
            PostgreSQL database at postgresql://...
    """
    began = time.monotonic()
    listed = read_manifest(manifest)
    pool = WorkerPoolOptions(workers=workers, cpus=cpus, gpus=gpus, address=address)
    fingerprint = load_backbone(backbone).fingerprint
    with JobTable(jobs or manifest.with_name(manifest.name + ".jobs")) as table:
        with _shown(quiet=log.quiet, json_log=log.json_log) as callback:
            try:
                failures = map_fleet(
                    listed,
                    table,
                    fingerprint=fingerprint,
                    backbone=backbone and backbone_path(backbone).absolute(),
                    pool=pool,
                    callback=callback,
                )
            except KeyboardInterrupt:
                raise KeyboardInterrupt("the same command goes on") from None
        screen = console()
        for failure in failures:
            screen.print(f"failed {failure.out}: {failure.reason}", markup=False)
        outs = {job.out for job in listed}
        for job in listed:
            if job.options.until is not None and job.out in table.done():
                made = stored_map(job.out)
                if not reaches(made, job.options.until):
                    told = f"{job.out}: {quality_text(made)}, asked for {job.options.until}"
                    screen.print(f"below what was asked {told}", markup=False)
        screen.print(
            f"{manifest}: {len(outs.intersection(table.done()))} of {len(listed)} maps, "
            f"{time.monotonic() - began:.0f} s",
            markup=False,
        )
    if failed := outs.intersection(failure.out for failure in failures):
        raise OptionError(
            f"{manifest}: {len(failed)} of {len(listed)} maps failed; see above, and give the "
            "same command again when they are mended"
        )


@contextmanager
def _shown(*, quiet: bool, json_log: Path | None) -> Iterator[Callable[[FleetView], None]]:
    """Yields what shows all jobs: a page that is redrawn on a terminal, lines elsewhere."""
    screen = Console(stderr=True, highlight=False)
    if json_log is not None:
        with recorded(silent, json_log) as record, _shown(quiet=quiet, json_log=None) as show:

            def both(view: FleetView) -> None:
                tally = view.tally
                record("jobs", tally.done, tally.total, failed=tally.failed, running=tally.running)
                show(view)

            yield both
    elif quiet:
        yield lambda view: None
    elif screen.is_terminal:
        with Live(console=screen, auto_refresh=False) as live:
            yield lambda view: live.update(Group(*map(Text, lines_of(view))), refresh=True)
    else:
        yield _Lines(screen)


class _Lines:
    """The first line of the view, when it changes and not too often."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._last = -_SECONDS_BETWEEN_LINES

    def __call__(self, view: FleetView) -> None:
        now = time.monotonic()
        if view.running and now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        self._screen.print(lines_of(view)[0], markup=False, soft_wrap=True)


def lines_of(view: FleetView) -> list[str]:
    """The view as text: how the jobs stand, then a line for each that runs."""
    tally = view.tally
    lines = [
        f"jobs: {tally.done}/{tally.total}, {tally.running} running, {tally.waiting} waiting, "
        f"{tally.failed} failed"
    ]
    for running in view.running[:MAX_SHOWN]:
        at = running.activity
        share = f" {100 * at.done / at.total:.0f} %" if at.total else ""
        lines.append(f"  {running.out}: {at.stage or 'starting'}{share}")
    if len(view.running) > MAX_SHOWN:
        lines.append(f"  and {len(view.running) - MAX_SHOWN} more")
    return lines
