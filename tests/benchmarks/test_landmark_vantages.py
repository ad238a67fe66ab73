"""The table of poses by all landmarks and by those that frames beside them show."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map


def test_both_ways_have_a_row(
    script: Callable[[str], ModuleType],
    made_scene: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    bench = script("landmark_vantages")
    scene = open_scene(made_scene(mapping=7, queries=3, depth=False))
    plain, path = made_map(), tmp_path / "map"
    landmarks = made_landmarks(500, around=plain.origin)
    replace(plain, landmarks=landmarks).save(path)
    bench.run(bench.Options(path, scene.root, queries=2))
    rows = capsys.readouterr().out.splitlines()
    assert [row[:8] for row in rows[2:]] == ["| 2 | al", "| 2 | wh"]
    replace(plain, landmarks=replace(landmarks, vantages=None)).save(path)
    with pytest.raises(SceneError, match="landmarks of today"):
        bench.run(bench.Options(path, scene.root))
