"""Many processes write to one library at once, some are killed, and every entry is checked.

    python benchmarks/library_writers.py FOLDER --processes 10 --operations 100 --kills 20

All processes begin with a library that is not there yet. Each adds, replaces and removes maps under
names of its own and under names that all of them write to, lists and reads. Whatever it is told to
be done it writes down first as begun, then as done. After every operation its own names are looked
up in the index: they must be as it last left them; an operation that a kill cut short may have
happened or not. Whoever lists the maps compares every file with its row. Killed
processes are begun again and go on. In the end every file is compared with its row, and `repair`
must find nothing but files that killed processes left. Processes are forked, so this needs a
system that can.
"""

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from reloc.errors import MapError, OptionError, RelocError
from reloc.heads import MlpHead
from reloc.library import MapLibrary
from reloc.library.staging import size_and_digest
from reloc.maps import Region, SceneMap

VARIANTS = 8
OWN, COMMON = 6, 4
CHANNELS = 4


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        folder: for the library, the maps that go into it and the logs; what is there is removed.
        processes: at once.
        operations: of each.
        kills: processes killed on the way.
        seed: of what they do.
    """

    folder: tyro.conf.Positional[Path]
    processes: int = 10
    operations: int = 100
    kills: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What was found.

    Attributes:
        done: operations that were acknowledged, by their kind.
        kills: processes that were killed.
        wrong: everything that was not as it should be.
        strays: files that killed processes left.
        seconds: from the first process to the last.
    """

    done: Counter[str]
    kills: int
    wrong: list[str]
    strays: int
    seconds: float


def write_maps(folder: Path) -> list[Path]:
    """Small maps that differ in their extent and their views."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(VARIANTS):
        views = np.full((3, 10), number + 1, np.int8)
        head = MlpHead(channels=CHANNELS, width=8, blocks=0)
        region = Region(head, np.zeros(3), views=views)
        paths.append(folder / f"{number}.safetensors")
        SceneMap((region,), "toy", 240, float(number + 1), "metre", ()).save(paths[-1])
    return paths


class Log:
    """What one process was told to be done, on disk before anything else happens."""

    def __init__(self, path: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        if path.exists():
            self.lines = [json.loads(line) for line in path.read_text().splitlines()]
        self._file = path.open("ab", buffering=0)

    def write(self, **line: Any) -> None:
        self.lines.append(line)
        self._file.write((json.dumps(line) + "\n").encode())

    @property
    def done(self) -> list[dict[str, Any]]:
        """The operations that were acknowledged."""
        return [line for line in self.lines if line["done"]]

    def allowed(self) -> dict[str, set[int | None]]:
        """What each name may be: a variant, or None for no map."""
        states: dict[str, set[int | None]] = {}
        for line in self.lines:
            if line["kind"] in ("add", "remove") and line["own"]:
                before = states.get(line["name"], {None})
                new = {line["variant"]}
                states[line["name"]] = new if line["done"] else before | new
        return states


def work(number: int, options: Options, maps: list[Path], digests: list[str]) -> None:
    """One process: does what is left of its operations."""
    torch.set_num_threads(1)
    log = Log(options.folder / f"{number}.log")
    library = MapLibrary(options.folder / "library", create=True)
    rng = random.Random(f"{options.seed} {number} {len(log.lines)}")
    check_own(library, log, digests)
    while len(log.done) < options.operations:
        kind = rng.choices(("add", "remove", "list", "load"), (5, 2, 2, 3))[0]
        own = rng.random() < 0.6
        name = f"own-{number}-{rng.randrange(OWN)}" if own else f"common-{rng.randrange(COMMON)}"
        variant = rng.randrange(VARIANTS) if kind == "add" else None
        line = {"kind": kind, "name": name, "own": own, "variant": variant}
        log.write(**line, done=False)
        operate(library, log, line, maps)
        log.write(**line, done=True)
        check_own(library, log, digests)


def operate(library: MapLibrary, log: Log, line: dict[str, Any], maps: list[Path]) -> None:
    """One operation. Raises AssertionError for what must not be."""
    name = line["name"]
    if line["kind"] == "add":
        library.add(maps[line["variant"]], name=name, place=f"place {line['variant']}")
    elif line["kind"] == "remove":
        try:
            library.remove(name)
        except OptionError:
            assert not line["own"] or None in log.allowed().get(name, {None}), f"{name} was lost"
    elif line["kind"] == "list":
        for entry in library.entries():
            assert entry.place == f"place {entry.extent - 1:.0f}", f"{entry.name}: a mixed row"
            with suppress(FileNotFoundError):  # another process has replaced it since
                found = size_and_digest(Path(library.location) / entry.file)[1]
                assert found == entry.sha256, f"{entry.name}: a row of another file"
    else:
        try:
            scene_map = library.load(name)
        except MapError as error:
            assert "has no map called" in str(error), str(error)
            assert not line["own"] or None in log.allowed().get(name, {None}), f"{name} was lost"
        else:
            assert scene_map.regions[0].views[0, 0] == scene_map.extent, f"{name}: a mixed map"


def check_own(library: MapLibrary, log: Log, digests: list[str]) -> None:
    """The names of one process are as it last left them."""
    entries = {entry.name: entry for entry in library.entries()}
    for name, allowed in log.allowed().items():
        entry = entries.get(name)
        found = None if entry is None else digests.index(str(entry.sha256))
        assert found in allowed, f"{name}: is {found}, was left as {sorted(map(str, allowed))}"


def run(options: Options) -> Outcome:
    """Runs all processes to their end, killing some."""
    shutil.rmtree(options.folder, ignore_errors=True)
    maps = write_maps(options.folder / "maps")
    digests = [size_and_digest(path)[1] for path in maps]
    fork = multiprocessing.get_context("fork")
    wrong: list[str] = []
    rng = random.Random(options.seed)
    began, kills = time.monotonic(), 0

    def begun(number: int) -> Any:
        process = fork.Process(target=work, args=(number, options, maps, digests))
        process.start()
        return process

    running = {number: begun(number) for number in range(options.processes)}
    while running:
        time.sleep(rng.uniform(0.05, 0.2))
        if kills < options.kills:
            # Whoever has ended meanwhile is not killed, and does not count.
            victim = running[rng.choice(sorted(running))]
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            kills += victim.exitcode == -signal.SIGKILL
        for number, process in list(running.items()):
            if process.exitcode is None:
                continue
            del running[number]
            if process.exitcode == -signal.SIGKILL:
                running[number] = begun(number)
            elif process.exitcode:
                wrong.append(f"process {number} failed")
    seconds = time.monotonic() - began
    done: Counter[str] = Counter()
    library = MapLibrary(options.folder / "library")
    for number in range(options.processes):
        log = Log(options.folder / f"{number}.log")
        done.update(line["kind"] for line in log.done)
        try:
            check_own(library, log, digests)
        except AssertionError as error:
            wrong.append(str(error))
    for entry in library.entries():
        if size_and_digest(options.folder / "library" / entry.file)[1] != entry.sha256:
            wrong.append(f"{entry.name}: its file is another")
        elif digests.index(str(entry.sha256)) != round(entry.extent) - 1:
            wrong.append(f"{entry.name}: its row describes another file")
    found = library.repair()
    wrong += [f"{f.name}: {f.text}" for f in found if f.kind != "stray"]
    return Outcome(done, kills, wrong, sum(f.kind == "stray" for f in found), seconds)


def main(options: Options) -> None:
    outcome = run(options)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.done.items()))
    print(f"{options.processes} processes, {outcome.seconds:.0f} s, {outcome.kills} killed")
    print(f"operations acknowledged: {sum(outcome.done.values())} ({kinds})")
    print(f"files that killed processes left: {outcome.strays}")
    print(f"wrong: {len(outcome.wrong)}")
    for line in outcome.wrong:
        print(f"  {line}")
    if outcome.wrong:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, config=(tyro.conf.FlagCreatePairsOff,)))
    except RelocError as error:
        sys.exit(f"error: {error}")
