"""The table of a map whose landmarks become fewer and smaller."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from reloc.errors import SceneError
from reloc.evaluation.metrics import evaluate
from reloc.scenes import open_scene

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map


def test_each_reduction_has_a_row(
    script: Callable[[str], ModuleType],
    made_scene: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> None:
    bench = script("landmark_size")
    scene = open_scene(made_scene(mapping=7, queries=3, depth=False))
    plain = made_map()
    path = tmp_path / "map"
    replace(plain, landmarks=made_landmarks(5000, around=plain.origin)).save(path)

    def measured(scene_map: Any, scene: Any, **_: Any) -> Any:
        return evaluate([], scene.queries, scene_extent=1.0, map_bytes=1, mapping_seconds=0)

    monkeypatch.setattr(bench, "measured", measured)
    monkeypatch.setattr(bench, "region_features", lambda *_, **__: None)
    monkeypatch.setattr(bench, "FeatureExtractor", lambda *_, **__: None)
    monkeypatch.setattr(type(plain), "serving_backbone", lambda _: None)
    bench.run(bench.Options(path, scene.root, queries=2))
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + 2 + len(bench.REDUCTIONS) + 2
    assert "| 5000 x 32 x 6 bits |" in rows[2]
    assert "| – |" in rows[3]
    assert "| 16 bits | 4000 x 32 x 6 bits |" in rows[4]
    assert "| 3 bits | 4000 x 24 x 4 bits |" in rows[-1]
    replace(plain, landmarks=None).save(path)
    with pytest.raises(SceneError, match="landmarks"):
        bench.run(bench.Options(path, scene.root))
