"""A small place, a map of it that knows its own photos, and a way to run an example on them."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reloc.backbone import load_backbone
from reloc.methods.ridge import RidgeOptions, map_scene_ridge
from reloc.scenes import Scene, open_scene

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def scene(made_scene: Callable[..., Path]) -> Scene:
    """Seven mapping frames and three queries, with depth; not to be written to."""
    return open_scene(made_scene(mapping=7, queries=3))


@pytest.fixture(scope="session")
def map_file(scene: Scene, made_once: Callable[..., Path]) -> Path:
    """A map in closed form, which finds the frames that it was made from; not to be written to."""

    def make(path: Path) -> None:
        options = RidgeOptions(short_side=320)
        made = map_scene_ridge(scene, load_backbone(), options=options, device="cpu")
        made.scene_map.save(path)

    return made_once("kitchen.safetensors", make)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs an example as its user does, and returns what it prints."""

    def example(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return example
