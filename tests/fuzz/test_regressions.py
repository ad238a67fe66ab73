"""Inputs that once ended in a traceback, a hang or a useless message, as small as they go."""

import io
import json
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from reloc.checkpoint import sealed
from tests.fuzz.archives import zip_of
from tests.fuzz.map_targets import NAME
from tests.fuzz.mutation import Files
from tests.fuzz.running import run_input
from tests.fuzz.targets import TARGETS

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {} FROM c"
ROW = {"seconds": 0.5, "stage": "training", "done": 1, "total": 9, "loss": 5.0}


def ending(name: str, changes: Files, tmp_path: Path) -> str:
    """How the first valid input of a target ends with some files in the place of its own."""
    outcome = run_input(TARGETS[name], {**TARGETS[name].seed(0), **changes}, tmp_path)
    return outcome.ending if not outcome.faulty else f"{outcome.where}: {outcome.detail}"


def replaced(name: str, file: str, old: str, new: str) -> Files:
    """A text of the first valid input of a target with a part replaced."""
    text = TARGETS[name].seed(0)[file].decode()
    assert old in text
    return {file: text.replace(old, new, 1).encode()}


def with_header(name: str, file: str, change: Callable[[dict[str, Any]], Any]) -> Files:
    """A file of tensors whose header was changed."""
    content = TARGETS[name].seed(0)[file]
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    change(header)
    raw = json.dumps(header).encode()
    return {file: struct.pack("<Q", len(raw)) + raw + content[8 + size :]}


def array_file(header: bytes) -> Files:
    """An ``.npz`` file of rendered views whose first array has a header."""
    head = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
    return {"room.npz": zip_of([("images.npy", head)])}


def zip_with(at: int, field: bytes) -> bytes:
    """A zip file with bytes changed in its directory, counted from there."""
    content = bytearray(zip_of([("a", b"b")]))
    begin = content.index(b"PK\1\2") + at
    content[begin : begin + len(field)] = field
    return bytes(content)


ILL_STATED: dict[str, tuple[str, Files]] = {
    "a wide image": ("image", {"photo.png": b"P5\n1048577 1\n255\n" + bytes(1048577)}),
    "a number of 400 digits": (
        "cli-compare",
        {"eval.json": b'{"median_translation": ' + b"9" * 400 + b"}"},
    ),
    "a text of 5000 letters": (
        "poses-json",
        {"poses.json": json.dumps({"estimates": [{"image": "a", "inliers": "x" * 5000}]}).encode()},
    ),
    "a long path in a manifest": (
        "manifest",
        {"maps.jsonl": json.dumps({"scene": "a", "map": "a/" * 2000}).encode(), "maps.toml": b"="},
    ),
    "views that claim a terabyte": (
        "rendered-views",
        array_file(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1280000000000,)}\n"),
    ),
    "views with half a header": ("rendered-views", array_file(b"{'descr': ((((\n")),
    "views that are compressed in an unknown way": (
        "rendered-views",
        {"room.npz": zip_with(10, b"\x63\0")},
    ),
    "views that are encrypted": ("rendered-views", {"room.npz": zip_with(8, b"\1\0")}),
    "an entry without a name": ("zip", {"hall.zip": zip_of([("", b"x")])}),
    "an entry below a file": ("zip", {"hall.zip": zip_of([("a", b"x"), ("a/b", b"y")])}),
    "a name of 300 letters": ("zip", {"hall.zip": zip_of([("x" * 300, b"y")])}),
    "an archive inside that leads out": (
        "zip",
        {"hall.zip": zip_of([("...zip", zip_of([("x", b"y")]))])},
    ),
    "an entry that begins far behind the end": ("zip", {"hall.zip": zip_with(42, b"\0\0\0\x7f")}),
    "an entry of another name than the directory says": (
        "zip",
        {"hall.zip": zip_with(46, b"\x1b")},
    ),
}


@pytest.mark.parametrize(("name", "files"), ILL_STATED.values(), ids=ILL_STATED)
def test_is_refused(name: str, files: Files, tmp_path: Path) -> None:
    assert ending(name, files, tmp_path) == "refused"


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("scene-colmap", "sparse/0/cameras.txt", "SIMPLE_PINHOLE", "O" + "x" * 5000),
        ("scene-tum", "groundtruth.txt", "0.4570560722424118", "5e307"),
        ("evaluation", "eval.json", '"scene_extent": 2.0', '"scene_extent": ' + "9" * 400),
    ],
)
def test_one_number_or_word_is_another(
    name: str, file: str, old: str, new: str, tmp_path: Path
) -> None:
    assert ending(name, replaced(name, file, old, new), tmp_path) in ("refused", "loaded")


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        b"\xff",
        b"[" * 100_000,
        b"[]",
        json.dumps({**ROW, "loss": {}}).encode(),
        json.dumps({**ROW, "loss": "a\0b"}).encode(),
        json.dumps({**ROW, "loss": 10**400}).encode(),
        json.dumps({**ROW, "$\\frac$ $": 1}).encode(),
        *(json.dumps({k: v for k, v in ROW.items() if k != key}).encode() for key in ROW),
    ],
)
def test_lines_of_a_log_that_say_nothing_are_left_out(line: bytes, tmp_path: Path) -> None:
    log = json.dumps(ROW).encode() + b"\n" + line + b"\n"
    assert ending("training-log", {"log.jsonl": log}, tmp_path) == "loaded"


def test_a_deep_record_of_downloads_is_forgotten(tmp_path: Path) -> None:
    assert ending("download", {"downloads.json": b"[" * 100_000}, tmp_path) == "loaded"


def test_headers_of_tensors(tmp_path: Path) -> None:
    def unknown_type(header: dict[str, Any]) -> None:
        for about in header.values():
            if about.get("dtype") == "U8":
                about["dtype"] = "F8_E5M2"

    def two_lines(header: dict[str, Any]) -> None:
        header["__metadata__"]["format"] = "a\nb"

    def endless_windows(header: dict[str, Any]) -> None:
        metadata = header["__metadata__"]
        sizes = json.loads(metadata["sizes"])
        metadata["sizes"] = json.dumps(sizes | {"windows": [float("inf")]})

    for name, file, change in (
        ("growth", "growth.safetensors", unknown_type),
        ("map", NAME, two_lines),
        ("adapter", "adapter.safetensors", endless_windows),
    ):
        (tmp_path / name).mkdir()
        assert ending(name, with_header(name, file, change), tmp_path / name) == "refused"


@pytest.mark.parametrize(
    ("name", "file", "table", "column", "value"),
    [
        ("jobs", "jobs.sqlite", "reloc_tasks", "state", "'a'"),
        ("jobs", "jobs.sqlite", "reloc_tasks", "reason", "cast(x'ff' as text)"),
        ("library", "library.sqlite", "maps", "bytes", "'many'"),
        ("library", "library.sqlite", "maps", "extent", "'abc'"),
        ("library", "library.sqlite", "maps", "name", "NULL"),
        ("library", "library.sqlite", "maps", "place", "x'ff'"),
        ("library", "library.sqlite", "maps", "view_length", "x'ff'"),
        ("library", "library.sqlite", "maps", "place", "'[/x]'"),
        ("library", "library.sqlite", "maps", None, ENDLESS),
        ("jobs", "jobs.sqlite", "reloc_tasks", None, ENDLESS),
    ],
)
def test_a_table_without_its_rules(
    name: str, file: str, table: str, column: str | None, value: str, tmp_path: Path
) -> None:
    """It takes any value of any type; or a view without end is in its place."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as base:
        base.deserialize(TARGETS[name].seed(0)[file])
        columns = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
        base.execute(f"CREATE TABLE copied AS SELECT * FROM {table}")
        base.execute(f"DROP TABLE {table}")
        if column is None:
            rows = value.format(", ".join(f"x AS {known}" for known in columns))
            base.execute(f"CREATE VIEW {table} AS {rows}")
        else:
            base.execute(f"ALTER TABLE copied RENAME TO {table}")
            base.execute(f"UPDATE {table} SET {column} = {value}")
        changed = base.serialize()
    assert ending(name, {file: changed}, tmp_path) in ("refused", "loaded")


def _trainer(state: dict[str, Any]) -> dict[str, Any]:
    return state["trainers"][0]


STATES: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "no trainer": ("dsacstar-resume", lambda s: s.pop("trainers")),
    "steps in a list": ("dsacstar-resume", lambda s: _trainer(s).update(steps=[4])),
    "one optimiser of two": ("dsacstar-resume", lambda s: _trainer(s)["optimisers"].pop()),
    "means in a row too few": (
        "dsacstar-resume",
        lambda s: _trainer(s).update(means=torch.tensor(1.0)),
    ),
    "a parameter less": ("map-resume", lambda s: _trainer(s)["weights"].pop()),
    "a flat velocity": (
        "map-resume",
        lambda s: _trainer(s)["velocities"].__setitem__(0, torch.zeros(3)),
    ),
    "a sparse memory": (
        "map-resume",
        lambda s: _trainer(s)["means"].__setitem__(0, _trainer(s)["means"][0].to_sparse()),
    ),
    "a memory that is missing": ("map-resume", lambda s: _trainer(s).pop("squares")),
    "text for a state": ("map-resume", lambda s: _trainer(s)["figures"].__setitem__(0, "abc")),
    "views without number": ("map-resume", lambda s: s.update(views=None)),
    "seconds that are none": ("map-resume", lambda s: s.update(spent=float("nan"))),
    "views in a list": ("refine-resume", lambda s: s["ongoing"].update(views=[4])),
    "heads that are done": ("refine-resume", lambda s: s.update(finished=True)),
    "steps that are no number": (
        "refine-resume",
        lambda s: _trainer(s["ongoing"]).update(steps=float("nan")),
    ),
    "no rates": ("checkpoint", lambda s: s["optimiser"].update(param_groups=[])),
    "a schedule without its place": ("checkpoint", lambda s: s["schedule"].update(last_epoch=[])),
    "a network of bits": ("checkpoint", lambda s: s["network"].update(bias=torch.ones(3).bool())),
}


@pytest.mark.parametrize(("name", "change"), STATES.values(), ids=STATES)
def test_a_sound_checkpoint_with_a_state_of_something_else(
    name: str, change: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    state = torch.load(io.BytesIO(TARGETS[name].seed(0)["state.ckpt"]), weights_only=True)
    change(state)
    content = io.BytesIO()
    torch.save(state, content)
    files = {"state.ckpt": sealed(content.getvalue())}
    assert ending(name, files, tmp_path) == "refused"


def test_constants_of_an_optimizer_are_not_taken_from_a_checkpoint(tmp_path: Path) -> None:
    """Those of the file made its first step fail."""
    state = torch.load(io.BytesIO(TARGETS["checkpoint"].seed(0)["state.ckpt"]), weights_only=True)
    state["optimiser"]["param_groups"][0].update(eps="", capturable=True, weight_decay=None)
    content = io.BytesIO()
    torch.save(state, content)
    assert ending("checkpoint", {"state.ckpt": sealed(content.getvalue())}, tmp_path) == "loaded"


def test_a_library_of_an_unknown_version_without_tables(tmp_path: Path) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as base:
        base.execute("CREATE TABLE other (x)")
        base.execute("PRAGMA user_version = 99")
        base.execute("DROP TABLE other")
        index = base.serialize()
    assert ending("library", {"library.sqlite": index}, tmp_path) == "refused"


def test_rotations_beyond_all_numbers_in_a_trajectory(tmp_path: Path) -> None:
    first = TARGETS["capture-arkitscenes"].seed(0)["lowres_wide.traj"].decode().split()[1]
    changes = replaced("capture-arkitscenes", "lowres_wide.traj", first, "1e300")
    assert ending("capture-arkitscenes", changes, tmp_path) == "loaded"


def test_intrinsics_of_which_one_is_missing(tmp_path: Path) -> None:
    changes = replaced("capture-stray", "odometry.csv", ", fy", ", fz")
    assert ending("capture-stray", changes, tmp_path) == "loaded"


def test_depth_that_unpacks_to_more_than_it_may(tmp_path: Path) -> None:
    lie = b"bvx-" + struct.pack("<I", 2**32 - 1) + b"depth"
    assert ending("capture-record3d", {"rgbd/0.depth": lie}, tmp_path) == "loaded"
