"""Figures, poses, manifests, logs, libraries and tables of jobs."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from reloc.alignment.known_cameras import KnownCameras
from reloc.alignment.tables import read_places, read_points
from reloc.cli.query_lists import expanded
from reloc.evaluation import evaluate, read_evaluation, write_evaluation
from reloc.evaluation.metrics import Evaluation, worst_frames
from reloc.files import json_text
from reloc.fleet.jobs import JobTable
from reloc.fleet.manifest import MapJob, read_manifest
from reloc.geometry import Camera, look_at
from reloc.library import Hint, MapLibrary
from reloc.localize.estimate import Estimate
from reloc.localize.pose_files import (
    estimate_record,
    read_ace,
    read_estimates,
    read_tum,
    write_poses,
)
from reloc.scenes.scene import Frame
from reloc.view.training_curves import write_training_curves
from tests.fuzz.map_targets import VIEW_LENGTH, made_map
from tests.fuzz.mutation import Files
from tests.fuzz.target import Target, command, file_of

_CAMERA = Camera.pinhole(width=64, height=48, fx=50)
_NAMES = tuple(f"images/{n}.png" for n in range(4))


def _frames() -> list[Frame]:
    poses = [look_at((n, 2, 1), (0.5, 0, 0)) for n in range(len(_NAMES))]
    return [
        Frame(name, Path("x"), _CAMERA, None if n == 3 else pose, time=0.5 * n)
        for n, (name, pose) in enumerate(zip(_NAMES, poses, strict=True))
    ]


def _estimates() -> list[Estimate]:
    found = [
        Estimate(
            name,
            True,
            look_at((n, 2.1, 1), (0.5, 0, 0)),
            inliers=7,
            confidence=0.9,
            covariance=np.eye(6),
            seconds={"pose": 0.5},
        )
        for n, name in enumerate(_NAMES[:3])
    ]
    return [*found, Estimate(_NAMES[3], False, None, reason="too dark")]


def _evaluation(number: int) -> Files:
    evaluation = evaluate(
        _estimates(),
        _frames(),
        scene_extent=2.0,
        map_bytes=4000,
        mapping_seconds=None if number else 1.5,
        unit="metre" if number else "unknown",
        scene_name="hall",
        map_name="hall.safetensors",
    )
    return {"eval.json": file_of(lambda path: write_evaluation(path, evaluation), "eval.json")}


def _shown(evaluation: Evaluation) -> None:
    worst_frames(evaluation, 3)
    json_text(evaluation.as_dict())


def _compared(folder: Path) -> None:
    command("compare", folder / "eval.json", folder / "eval.json")


def _poses(format: str) -> Files:
    name = f"poses.{'json' if format == 'json' else 'txt'}"
    return {name: file_of(lambda p: write_poses(p, _estimates(), _frames(), format=format), name)}


def _manifest(number: int) -> Files:
    if number == 0:
        lines = (
            *("[defaults]", 'preset = "draft"', "seed = 3"),
            *("[[maps]]", 'scene = "a"', 'map = "a.safetensors"', "heads = 2"),
            *("parallel_heads = true", "[[maps]]", 'scene = "s3://b/c"', 'map = "c.safetensors"'),
            *('query = "query.txt"', 'heads = "auto"', "time-limit = 60.5", ""),
        )
        return {"maps.toml": "\n".join(lines).encode()}
    rows = [
        {"scene": "a", "map": "a.safetensors", "preset": "draft", "steps": 100, "width": 64},
        {
            "scene": "b",
            "map": "b.safetensors",
            "heads": 3,
            "parallel_heads": True,
            "poses": "p.txt",
        },
    ]
    return {"maps.jsonl": "\n".join(map(json.dumps, rows)).encode()}


def _read_manifest(folder: Path) -> tuple[MapJob, ...]:
    return read_manifest(next(iter(folder.glob("maps.*")), folder / "maps.toml"))


def _planned(jobs: tuple[MapJob, ...]) -> None:
    for job in jobs[:3]:
        for part in (job, *job.heads()[:2]):
            json.dumps([part.file, part.fingerprint("0123456789abcdef")]).encode()


def _library(number: int) -> Files:
    with tempfile.TemporaryDirectory() as given, tempfile.TemporaryDirectory() as made:
        path = Path(given) / "attic.safetensors"
        made_map(0).save(path)
        shelf = MapLibrary(made, create=True)
        shelf.add(path, place="attic", latitude=47.0, longitude=8.5, heading=10.0)
        shelf.add(path, name="other", place="[/x]" if number else None)
        kept = (p for p in Path(made).iterdir() if p.suffix in (".sqlite", ".safetensors"))
        return {p.name: p.read_bytes() for p in sorted(kept)}


def _opened(folder: Path) -> MapLibrary:
    shelf = MapLibrary(folder)
    shelf.entries()
    return shelf


def _asked(shelf: MapLibrary) -> None:
    shelf.entries(Hint(place="attic"))
    shelf.entries(Hint(latitude=47.0, longitude=8.5, radius=100.0))
    shelf.similar(np.ones(VIEW_LENGTH, np.int8), count=2)
    for entry in shelf.entries()[:2]:
        json_text(asdict(entry))
        shelf.load(entry.name)
    command("library", "list", shelf.location)


def _jobs(number: int) -> Files:
    def write(path: Path) -> None:
        with JobTable(path) as table:
            table.enter(
                [("a", "f1", None), ("b.0", "f2", "b"), ("b", "f3", None), ("c", "f4", None)]
            )
            table.take()
            table.finished("a", seconds=1.5)
            table.take()
            table.refused("b.0", "too dark")

    return {"jobs.sqlite": file_of(write, "jobs.sqlite")}


def _resumed(folder: Path) -> None:
    with JobTable(folder / "jobs.sqlite") as table:
        table.done()
        table.tally()
        table.failures()
        table.enter([("a", "f1", None), ("b", "f3", None), ("d", "f5", "b")])
        table.reopen(table.done())
        while (job := table.take()) is not None:
            table.crashed(job, "killed")
        _ = table.tally().total, [failure.reason + failure.out for failure in table.failures()]


def _log(number: int) -> Files:
    rows = [
        {"seconds": 0.5 * n, "stage": "training", "done": n, "total": 9, "loss": 5.0 / (1 + n)}
        for n in range(9)
    ]
    return {"log.jsonl": "\n".join(map(json.dumps, rows)).encode()}


def _drawn(folder: Path) -> None:
    write_training_curves(folder / "log.jsonl", folder / "curves.svg", stages=["training"])


def _known() -> KnownCameras:
    poses = np.array([look_at((n, 2, 1), (0.5, 0, 0)) for n in range(len(_NAMES))])
    return KnownCameras(_NAMES, poses, [_CAMERA] * len(_NAMES))


def _points(number: int) -> Files:
    lines = ["0.png 1 2 3.5", "1 2 3 4 5 6", "7 8 9 32 24 1.png", "7 8 9 20 24 images/2.png"]
    return {"points.txt": "\n".join(lines).encode()}


def _places(number: int) -> Files:
    return {"gps.csv": b"name,lat,lon,h\n0.png,48.1,16.2,180\n1.png,48.2,16.3\n"}


def _listing(number: int) -> Files:
    if number:
        sensors = b"cam, phone, camera, PINHOLE, 64, 48, 50, 50, 32, 24\n"
        return {"images.txt": b"7, cam, 0.png\n", "sensors.txt": sensors, "0.png": b"0"}
    listing = b"0.png SIMPLE_RADIAL 64 48 50 32 24 0.01\n"
    return {"images.txt": listing, "0.png": b"0"}


TARGETS: tuple[Target, ...] = (
    Target("control-points", _points, 1, lambda f: read_points(f / "points.txt", _known())),
    Target("positions", _places, 1, lambda f: read_places(f / "gps.csv", _known())),
    Target(
        "query-list",
        _listing,
        2,
        lambda f: expanded([f / "images.txt"], root=f),
        pattern="*.txt",
    ),
    Target("evaluation", _evaluation, 2, lambda f: read_evaluation(f / "eval.json"), _shown),
    Target("cli-compare", _evaluation, 2, _compared, share=0.4),
    Target(
        "poses-json",
        lambda _: _poses("json"),
        1,
        lambda f: read_estimates(f / "poses.json"),
        lambda found: json_text([estimate_record(estimate) for estimate in found]),
    ),
    Target("poses-tum", lambda _: _poses("tum"), 1, lambda f: read_tum(f / "poses.txt")),
    Target("poses-ace", lambda _: _poses("ace"), 1, lambda f: read_ace(f / "poses.txt")),
    Target("manifest", _manifest, 2, _read_manifest, _planned),
    Target("library", _library, 2, _opened, _asked, pattern="*.sqlite"),
    Target("jobs", _jobs, 1, _resumed),
    Target("training-log", _log, 1, _drawn, share=0.2),
)
