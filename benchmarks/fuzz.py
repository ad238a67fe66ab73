"""Broken inputs through every loader: none may crash, hang, fill the memory or end in a traceback.

    python benchmarks/fuzz.py --inputs 20000 --workers 2 --out runs/fuzz
    python benchmarks/fuzz.py --inputs 5000 --target map zip --seed 7
    python benchmarks/fuzz.py --replay runs/fuzz/faults/map-12

Inputs are the valid ones of ``tests/fuzz`` with something changed, by target, seed and number; the
same three give the same bytes. They run in forked processes: one that takes more than 10 s of
computing, or a minute of any time, is a hang; one that takes over 1 GiB beside what the process had
is a fault as well, and 6 GiB end it. Every ending is a line in OUT/endings.jsonl at once, and every
distinct fault, told apart by the line of the package that it passed through, leaves its input in
OUT/faults. The same command goes on where it stopped.
"""

import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fuzz.mutation import Files  # noqa: E402
from tests.fuzz.running import FAULTS, Outcome, input_of, quieted, run_input  # noqa: E402
from tests.fuzz.target import Target  # noqa: E402
from tests.fuzz.targets import TARGETS  # noqa: E402

COMPUTING_SECONDS = 10.0
WALL_SECONDS = 60.0
MOST_BYTES = 6 << 30
# A process is replaced after so many inputs, so that what leaks does not add up.
INPUTS_PER_PROCESS = 500
INPUTS_IN_TURN = 50

Job = tuple[str, int]


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        inputs: in all, shared out among the targets.
        target: which of them; by default all.
        seed: of the changes.
        workers: processes side by side.
        out: folder for the endings and the inputs that are faults.
        replay: a folder of such an input; it is run here and now, with its traceback.
    """

    inputs: int = 20_000
    target: tuple[str, ...] = ()
    seed: int = 0
    workers: int = 2
    out: Path = Path("runs/fuzz")
    replay: Path | None = None


def main(options: Options) -> int:
    """Runs what is asked for; 1 if there was a fault."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    if options.replay is not None:
        return replayed(options.replay)
    unknown = [name for name in options.target if name not in TARGETS]
    if unknown:
        sys.exit(f"no target is called {unknown[0]!r}; there are {', '.join(TARGETS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / f"endings-{options.seed}.jsonl"
    targets = [TARGETS[name] for name in options.target or TARGETS]
    done = {(row["target"], row["number"]): row for row in _rows(log)}
    jobs = [job for job in shared_out(targets, options.inputs) if job not in done]
    with log.open("a", encoding="utf-8") as file:
        for job, outcome in outcomes(jobs, seed=options.seed, workers=options.workers):
            row = {"target": job[0], "number": job[1], **asdict(outcome)}
            done[job] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
            if outcome.faulty:
                keep_input(options, job, outcome)
    rows = [row for (name, _), row in done.items() if TARGETS.get(name) in targets]
    print(table(rows))
    return int(any(row["ending"] in FAULTS for row in rows))


def shared_out(targets: Sequence[Target], inputs: int) -> list[Job]:
    """Inputs by target and number, as many of each as its share says; all targets by turns."""
    whole = sum(target.share for target in targets)
    jobs = [
        (target.name, number)
        for target in targets
        for number in range(max(target.count, round(inputs * target.share / whole)))
    ]
    return sorted(jobs, key=lambda job: job[1] // INPUTS_IN_TURN)


def outcomes(jobs: Sequence[Job], *, seed: int, workers: int) -> Iterator[tuple[Job, Outcome]]:
    """Runs jobs in forked processes; yields how they ended, as they end."""
    # Made here once, so that every process has them.
    for name in {name for name, _ in jobs}:
        for number in range(TARGETS[name].count):
            TARGETS[name].seed(number)
    waiting = [
        list(jobs[at : at + INPUTS_PER_PROCESS]) for at in range(0, len(jobs), INPUTS_PER_PROCESS)
    ]
    running: list[_Process] = []
    began = last = time.monotonic()
    ended = 0
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Process(waiting.pop(0), seed))
            select.select([process.pipe for process in running], [], [], 0.5)
            for process in list(running):
                for found in process.ended():
                    ended += 1
                    yield found
                if process.over:
                    running.remove(process)
                    if process.left:
                        waiting.insert(0, process.left)
            if time.monotonic() - last > 10:
                last = time.monotonic()
                print(f"{ended} of {len(jobs)} after {last - began:.0f} s", file=sys.stderr)
    finally:
        for process in running:
            if not process.over:
                process.kill()


class _Process:
    """A forked process that runs jobs one after the other, and tells before and after each."""

    def __init__(self, jobs: list[Job], seed: int) -> None:
        self.left = jobs
        self.over = False
        self._text = b""
        self._scratch = tempfile.mkdtemp(prefix="fuzz-")
        self.pipe, told = os.pipe()
        os.set_blocking(self.pipe, False)
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self.pipe)
                _work(jobs, seed, told, Path(self._scratch))
            finally:
                os._exit(1)
        os.close(told)
        self._begun = time.monotonic()
        self._used = self._computing()

    def ended(self) -> list[tuple[Job, Outcome]]:
        """Jobs that have ended since the last call, the one that killed the process among them."""
        found = []
        closed = False
        while chunk := self._read():
            closed = chunk == b""
            self._text += chunk
        closed = chunk == b""
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            found.append((self.left.pop(0), Outcome(**json.loads(line))))
            self._begun, self._used = time.monotonic(), self._computing()
        if closed:
            _, status = os.waitpid(self._pid, 0)
            self._close()
            if self.left:
                name = (
                    signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
                )
                job = self.left.pop(0)
                found.append((job, Outcome("crash", f"{job[0]} {name}", f"ended by {name}")))
        elif self.left and (why := self._hanging()):
            self.kill()
            job = self.left.pop(0)
            found.append((job, Outcome("hang", job[0], why)))
        return found

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._close()

    def _close(self) -> None:
        self.over = True
        os.close(self.pipe)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _read(self) -> bytes | None:
        try:
            return os.read(self.pipe, 1 << 16)
        except BlockingIOError:
            return None

    def _hanging(self) -> str | None:
        used, waited = self._computing() - self._used, time.monotonic() - self._begun
        if used > COMPUTING_SECONDS:
            return f"over {COMPUTING_SECONDS:.0f} s of computing"
        return f"over {WALL_SECONDS:.0f} s" if waited > WALL_SECONDS else None

    def _computing(self) -> float:
        """Seconds that the process has computed so far."""
        try:
            fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(jobs: Iterable[Job], seed: int, told: int, scratch: Path) -> None:
    quieted()
    os.chdir(scratch)
    # What the process has mapped already counts as well.
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MOST_BYTES, mapped + MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, number in jobs:
        files = input_of(TARGETS[name], seed=seed, number=number)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            outcome = run_input(TARGETS[name], files, Path(folder))
        os.write(told, json.dumps(asdict(outcome)).encode() + b"\n")
    os._exit(0)


def keep_input(options: Options, job: Job, outcome: Outcome) -> None:
    """Keeps the first input of a distinct fault, with what came of it."""
    known = options.out / "faults" / "known.json"
    found: dict[str, list[str]] = json.loads(known.read_text()) if known.exists() else {}
    key = f"{outcome.ending} {outcome.where}"
    name = f"{job[0]}-{options.seed}-{job[1]}"
    found.setdefault(key, []).append(name)
    if len(found[key]) == 1:
        folder = options.out / "faults" / name
        shutil.rmtree(folder, ignore_errors=True)
        write_files(input_of(TARGETS[job[0]], seed=options.seed, number=job[1]), folder / "place")
        (folder / "fault.txt").write_text(f"{job[0]}\n{key}\n{outcome.detail}\n", errors="replace")
    known.parent.mkdir(exist_ok=True)
    known.write_text(json.dumps(found, indent=1))


def write_files(files: Files, folder: Path) -> None:
    """Lays an input into a folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def replayed(folder: Path) -> int:
    """Runs a kept input in this process."""
    target = TARGETS[(folder / "fault.txt").read_text().splitlines()[0]]
    place = folder / "place"
    files = {
        p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()
    }
    with tempfile.TemporaryDirectory() as scratch:
        outcome = run_input(target, files, Path(scratch))
    print(f"{target.name}: {outcome.ending} {outcome.where}\n{outcome.detail}")
    return int(outcome.faulty)


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Endings by target, and the distinct faults."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    faults: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[row["target"]][row["ending"]] += 1
        counts["all"][row["ending"]] += 1
        if row["ending"] in FAULTS:
            faults[row["ending"], row["where"]] += 1
    endings = ("loaded", "refused", *FAULTS)
    lines = [f"{'target':22}{'inputs':>8}" + "".join(f"{ending:>10}" for ending in endings)]
    whole = counts.pop("all", Counter())
    for name, count in [*sorted(counts.items()), ("all", whole)]:
        lines.append(
            f"{name:22}{count.total():8}" + "".join(f"{count[ending]:10}" for ending in endings)
        )
    lines += [f"{n:5} x {ending}: {where}" for (ending, where), n in faults.most_common()]
    return "\n".join(lines)


def _rows(log: Path) -> list[dict[str, Any]]:
    """What a log holds; a last line that is cut off is left out."""
    rows = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
