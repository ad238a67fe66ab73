"""Does a killed command ever leave less than there was, or lose a training?

    python benchmarks/kills.py /tmp/kills --kills 200

Every verb that writes is killed with SIGKILL before each fsync and rename that it makes (of those
that make many, as for each checkpoint, the first and the last), after the last of them, and at
random moments besides, over an output that is there already. What stands
there afterwards has to be the old content or the new, whole. The same command, with --resume where
it trains, then has to give what it gives undisturbed, to the same bits, without making again more
of the training than is made between two checkpoints, and to leave no temporary file.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from kill_cases import (
    CASES,
    CHECKPOINT_SECONDS,
    CHECKPOINT_STEPS,
    OLD,
    TRAINED,
    Case,
    content,
    inputs,
    served,
    toy_main,
    write_rooms,
)
from kill_runs import Run, TrainingSnapshot, run


@dataclass(frozen=True)
class Options:
    """What to kill.

    Attributes:
        folder: a new folder for all that is written.
        kills: in all; those at random fill up what those at fsync and rename leave.
        calls: of a command at which it is killed, at most.
        only: these commands alone.
        seed: of the random moments.
    """

    folder: tyro.conf.Positional[Path]
    kills: int = 200
    calls: int = 6
    only: tuple[str, ...] = ()
    seed: int = 0


@dataclass
class Tally:
    """What became of the kills of one command.

    Attributes:
        at_calls: kills at a fsync or rename.
        at_random: kills at random.
        old: how often all of its outputs were the old ones.
        trained: steps of its training.
        repeated: most steps that had to be made again.
        lost: most seconds of training that these had taken.
        faults: one line each.
    """

    at_calls: int = 0
    at_random: int = 0
    old: int = 0
    trained: int = 0
    repeated: int = 0
    lost: float = 0.0
    faults: list[str] = field(default_factory=list)


class Bench:
    """Runs one command again and again, in fresh folders, and kills it.

    Args:
        case: the command.
        source: folder of inputs.
        folder: a new one for this command.
    """

    def __init__(self, case: Case, source: Path, folder: Path) -> None:
        self.case, self.source, self.folder = case, source, folder
        self.tally = Tally()
        self.start = folder / "start"
        self.start.mkdir(parents=True)
        if case.begins_with is not None:
            before = next(c for c in CASES if c.name == case.begins_with)
            self._undisturbed(before, self.start)
        else:
            for name in case.outputs:
                if Path(name).suffix:
                    (self.start / name).parent.mkdir(exist_ok=True)
                    (self.start / name).write_bytes(OLD)
        self.old = self._contents(self.start)
        fresh = self._fresh("whole")
        self.whole = self._undisturbed(case, fresh)
        self.new = self._contents(fresh)
        self.tally.trained = len(self.whole.steps)

    def moments(self, most: int) -> list[TrainingSnapshot]:
        """Before each fsync and rename, of many the first and the last, and after the last."""
        calls: Sequence[int] = range(self.whole.calls)
        if len(calls) > most:
            calls = [*calls[: most // 2], *calls[-(most - most // 2) :]]
        return (
            [*map(TrainingSnapshot, calls), TrainingSnapshot(call=calls[-1], after=True)]
            if calls
            else []
        )

    def kill(self, moment: TrainingSnapshot) -> None:
        """Kills the command once, looks at what is left, and goes on from there."""
        place = self._fresh("killed")
        killed = self._run(self.case, place, kill=moment)
        if moment.call is None:
            self.tally.at_random += 1
        else:
            self.tally.at_calls += 1
        left = self._told(place, moment, "left")
        # A library without maps is as good as none.
        self.tally.old += left is not None and all(
            (found or None) == (self.old[name] or None) for name, found in left.items()
        )
        for name, found in (left or {}).items():
            if not _is_one_of(found, self.old[name], self.new[name], pieces=self.case.pieces):
                self._fault(moment, f"{name} is neither old nor new")
        if left == self.new and not self.case.trains:
            return
        again = self._run(self.case, place, resume=True)
        if again.status != 0:
            self._fault(moment, f"the second run ended with {again.status}: {again.said[-300:]}")
            return
        if self._told(place, moment, "made") != self.new:
            self._fault(moment, "the second run gave something else")
        rest = [p for f in (place, self.scratch) for p in f.rglob("*") if "reloc-" in p.name]
        rest += list(place.glob("*.partial"))
        if rest:
            self._fault(moment, f"left behind: {', '.join(p.name for p in rest)}")
        # Once the new map is there, nothing is kept to go on from.
        if self.case.trains and left != self.new:
            self._training(moment, killed, again)

    def _training(self, moment: TrainingSnapshot, killed: Run, again: Run) -> None:
        kept = self.tally.trained - len(again.steps)
        repeated = len(killed.steps) - kept
        lost = killed.steps[-1] - killed.steps[kept - 1 if kept else 0] if repeated > 0 else 0.0
        self.tally.repeated = max(self.tally.repeated, repeated)
        self.tally.lost = max(self.tally.lost, float(lost))
        # A step may begin just before a checkpoint is due, and more than one may run at a time.
        longest = float(np.diff(self.whole.steps, prepend=self.whole.steps[0]).max())
        by_time = lost > CHECKPOINT_SECONDS + 3 * longest + 0.3
        if repeated > CHECKPOINT_STEPS + 1 if self.case.by_steps else by_time:
            self._fault(moment, f"{repeated} steps, {lost:.2f} s of training were lost")

    def _told(self, place: Path, moment: TrainingSnapshot, what: str) -> dict[str, Any] | None:
        try:
            return self._contents(place)
        except Exception as error:
            self._fault(moment, f"what was {what} cannot be read: {error}")
            return None

    def _contents(self, place: Path) -> dict[str, Any]:
        return {name: content(place / name) for name in self.case.outputs}

    def _fault(self, moment: TrainingSnapshot, text: str) -> None:
        self.tally.faults.append(f"{self.case.name}, {moment}: {text}")

    def _fresh(self, name: str) -> Path:
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.start, place)
        return place

    @property
    def scratch(self) -> Path:
        """The folder for temporary files."""
        place = self.folder / "scratch"
        place.mkdir(exist_ok=True)
        return place

    def _undisturbed(self, case: Case, place: Path) -> Run:
        done = self._run(case, place)
        if done.status != 0:
            raise SystemExit(f"{case.name} ended with {done.status}: {done.said}")
        return done

    def _run(
        self, case: Case, place: Path, *, kill: TrainingSnapshot | None = None, resume: bool = False
    ) -> Run:
        words = case.arguments.replace("{in}", str(self.source)).replace("{out}", str(place))
        arguments = [*words.split(), *(["--resume"] if resume and case.trains else [])]
        return run(arguments, main=toy_main, scratch=self.scratch, trained=TRAINED, kill=kill)


def _is_one_of(found: Any, old: Any, new: Any, *, pieces: bool) -> bool:
    """Whether something is whole; of a folder that is filled piece by piece, all that is there."""
    if found in (old, new):
        return True
    return (
        pieces
        and isinstance(found, dict)
        and all(
            piece in ((old or {}).get(name), (new or {}).get(name)) for name, piece in found.items()
        )
    )


def benched(options: Options, cases: Sequence[Case]) -> dict[str, Tally]:
    """Kills all commands, and says how it goes on standard error."""
    source = options.folder / "inputs"
    source.mkdir(parents=True)
    for command in inputs(source, cases):
        made = run(command.split(), main=toy_main, scratch=source)
        if made.status != 0:
            raise SystemExit(f"{command} ended with {made.status}: {made.said}")
    write_rooms(source / "rooms")
    with served(source / "scene", source / "server"):
        return _benched(options, cases, source)


def _benched(options: Options, cases: Sequence[Case], source: Path) -> dict[str, Tally]:
    rng = np.random.default_rng(options.seed)
    benches = []
    for number, case in enumerate(cases):
        benches.append(Bench(case, source, options.folder / str(number)))
        for moment in benches[-1].moments(options.calls):
            benches[-1].kill(moment)
        print(f"{case.name}: {benches[-1].tally.at_calls} kills", file=sys.stderr, flush=True)
    made_so_far = sum(bench.tally.at_calls for bench in benches)
    # Quick commands are killed more often than slow ones.
    often = np.array([1 / bench.whole.seconds for bench in benches])
    rest = max(0, options.kills - made_so_far)
    for bench in rng.choice(np.array(benches), rest, p=often / often.sum()):
        bench.kill(TrainingSnapshot(seconds=float(rng.uniform(0, bench.whole.seconds))))
    return {bench.case.name: bench.tally for bench in benches}


def table(tallies: dict[str, Tally]) -> str:
    """The tallies in Markdown."""
    lines = [
        "| command | kills at a fsync or rename | at random | old content | new | training "
        "repeated at most | faults |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, tally in tallies.items():
        kills = tally.at_calls + tally.at_random
        training = f"{tally.repeated} of {tally.trained} steps, {tally.lost:.2f} s"
        lines.append(
            f"| `{name}` | {tally.at_calls} | {tally.at_random} | {tally.old} | "
            f"{kills - tally.old} | {training if tally.trained else '–'} | {len(tally.faults)} |"
        )
    whole = list(tallies.values())
    calls, chance = sum(t.at_calls for t in whole), sum(t.at_random for t in whole)
    old, faults = sum(t.old for t in whole), sum(len(t.faults) for t in whole)
    return "\n".join(
        [*lines, f"| all | {calls} | {chance} | {old} | {calls + chance - old} | | {faults} |"]
    )


def main() -> None:
    """Kills and prints a table, then every fault; the exit status is 1 if there is one."""
    options = tyro.cli(Options, description=__doc__)
    cases = [case for case in CASES if not options.only or case.name in options.only]
    tallies = benched(options, cases)
    print(table(tallies))
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    print("\n".join(faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
