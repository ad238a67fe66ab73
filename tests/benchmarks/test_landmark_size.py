"""The table of landmarks that become fewer and smaller."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map


def test_each_reduction_has_a_row(
    script: Callable[[str], ModuleType],
    made_scene: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    bench = script("landmark_size")
    scene = open_scene(made_scene(mapping=7, queries=3, depth=False))
    plain, path = made_map(), tmp_path / "map"
    replace(plain, landmarks=made_landmarks(5000, around=plain.origin)).save(path)
    bench.run(bench.Options(path, scene.root, queries=2))
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + len(bench.REDUCTIONS)
    # Ten kilobytes more are those of the directions.
    assert rows[2].startswith("| 5000 | 32 | 6 | 249 kB | ")
    assert rows[3].startswith("| 4000 | 32 | 6 | 201 kB | ")
    replace(plain, landmarks=None).save(path)
    with pytest.raises(SceneError, match="landmarks"):
        bench.run(bench.Options(path, scene.root))
