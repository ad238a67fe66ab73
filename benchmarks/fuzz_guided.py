"""Broken inputs as atheris finds them: changes that reach new lines of the package lead to others.

    pip install atheris
    python benchmarks/fuzz_guided.py scene-tum --runs 20000 --out runs/guided

One file of a target's valid input is changed; the others stay. Inputs that reach new lines
are kept in OUT/TARGET/corpus, from where the same command goes on; each distinct fault leaves its
input in OUT/TARGET/faults. A process that takes over 10 s for an input, or ends, is reported by
libFuzzer itself.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import atheris
import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["reloc"]):
    from tests.fuzz.mutation import file_changed, open_files
    from tests.fuzz.running import MEMORY_BYTES, run_input
    from tests.fuzz.targets import TARGETS


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        target: one of those of ``tests/fuzz``.
        file: the one that is changed; by default the first that may be.
        runs: inputs.
        seed: of the changes.
        out: folder for the corpus and the faults.
    """

    target: Annotated[str, tyro.conf.Positional]
    file: str | None = None
    runs: int = 20_000
    seed: int = 1
    out: Path = Path("runs/guided")


def main(options: Options) -> None:
    """Runs until the inputs are used up; libFuzzer ends the process."""
    target = TARGETS[options.target]
    valid = target.seed(0)
    name = options.file or open_files(valid, target.pattern)[0]
    corpus, faults = (options.out / target.name / part for part in ("corpus", "faults"))
    for folder in (corpus, faults):
        folder.mkdir(parents=True, exist_ok=True)
    for number in range(target.count):
        (corpus / f"valid-{number}").write_bytes(target.seed(number).get(name, b""))
    known: set[str] = set()

    def one(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            outcome = run_input(target, {**valid, name: content}, Path(scratch))
        key = f"{outcome.ending} {outcome.where}"
        if outcome.faulty and key not in known:
            known.add(key)
            (faults / f"{len(known)}-{Path(name).name}").write_bytes(content)
            (faults / f"{len(known)}.txt").write_text(
                f"{key}\n{outcome.detail}\n", errors="replace"
            )
            print(f"{target.name}: {key}", flush=True)

    def changed(content: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.3:
            return atheris.Mutate(content, most)
        return file_changed(content, name, rng)[:most]

    settings = {
        "runs": options.runs,
        "seed": options.seed,
        "timeout": 10,
        "rss_limit_mb": 2048 + (MEMORY_BYTES >> 20),
        "max_len": 1 << 16,
        "verbosity": 0,
        "artifact_prefix": f"{faults}/",
    }
    arguments = [sys.argv[0], *(f"-{key}={value}" for key, value in settings.items()), str(corpus)]
    atheris.Setup(arguments, one, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
