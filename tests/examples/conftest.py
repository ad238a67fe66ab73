"""A small place, a map of it that knows its own photos, and a way to run an example on them."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reloc.backbone import load_backbone
from reloc.methods.ridge import map_scene_ridge
from reloc.scenes import Scene
from reloc.synthetic.scene import write_synthetic_scene

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Seven mapping frames and two queries, with depth; not to be written to."""
    root = tmp_path_factory.mktemp("examples") / "kitchen"
    return write_synthetic_scene(root, mapping=7, queries=2, width=160, height=120)


@pytest.fixture(scope="session")
def map_file(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map in closed form, which finds the frames that it was made from; not to be written to."""
    path = tmp_path_factory.mktemp("examples") / "kitchen.safetensors"
    map_scene_ridge(scene, load_backbone(), device="cpu").scene_map.save(path)
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs an example as its user does, and returns what it prints."""

    def example(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return example
