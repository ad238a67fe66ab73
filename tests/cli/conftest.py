"""Small scenes on disk for the verbs, a map that works, and a way to call them as a user does."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc.cli.main import main
from reloc.methods.ace import PRESETS, MappingOptions


@pytest.fixture
def small_scene(tmp_path: Path) -> Path:
    """An ACE folder of three mapping frames, one without a pose, and two queries."""
    root = tmp_path / "small"
    for split, count in (("train", 3), ("test", 2)):
        for kind in ("rgb", "poses", "calibration"):
            (root / split / kind).mkdir(parents=True)
        for number in range(count):
            image = np.full((24, 32, 3), 40 * number, np.uint8)
            assert cv2.imwrite(str(root / split / "rgb" / f"{number}.png"), image)
            pose = np.eye(4)
            pose[0, 3] = number
            np.savetxt(root / split / "poses" / f"{number}.txt", pose)
            (root / split / "calibration" / f"{number}.txt").write_text("30")
    (root / "train" / "poses" / "2.txt").unlink()
    return root


MEMORISED = MappingOptions(
    views=21, steps=300, batch=512, width=128, blocks=1, short_side=160, cells_per_view=600
)
TOY = MappingOptions(
    views=12, steps=10, batch=64, width=32, blocks=1, short_side=64, cells_per_view=60
)


@dataclass(frozen=True)
class Run:
    """What a command did: its exit status and what it printed."""

    status: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one line of an error, checked to be just that."""
        assert self.status == 2, self
        lines = [line for line in self.err.splitlines() if line.startswith("reloc: error: ")]
        assert len(lines) == 1, self.err
        assert self.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in self.err + self.out
        return lines[0].removeprefix("reloc: error: ")


@pytest.fixture
def reloc(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Runs a verb as the command line does."""

    def run(*arguments: object) -> Run:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Run(status, *capsys.readouterr())

    return run


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the draft preset a matter of less than a second."""
    monkeypatch.setitem(PRESETS, "draft", TOY)


@pytest.fixture(scope="session")
def deep_place(made_scene: Callable[..., Path]) -> Path:
    """A synthetic scene of seven mapping frames and three queries; not to be written to."""
    return made_scene(mapping=7, queries=3)


@pytest.fixture(scope="session")
def made_place(made_scene: Callable[..., Path]) -> Path:
    """The same without depth; not to be written to."""
    return made_scene(mapping=7, queries=3, depth=False)


@pytest.fixture
def place(made_place: Path, tmp_path: Path) -> Path:
    """A copy of that scene that a test may spoil."""
    return Path(shutil.copytree(made_place, tmp_path / "place"))


@pytest.fixture(scope="session")
def made_map(made_place: Path, made_once: Callable[..., Path]) -> Path:
    """A map that knows its own mapping images by heart; not to be written to."""

    def make(path: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(PRESETS, "draft", MEMORISED)
            arguments = [
                "map",
                str(made_place),
                str(path),
                "--method",
                "mlp",
                "--preset",
                "draft",
                "--quiet",
            ]
            assert main([*arguments, "--device", "cpu"]) == 0

    return made_once("place.safetensors", make)
