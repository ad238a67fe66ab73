"""The table of maps that end when they are good: what is measured, and what is not again."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from reloc.methods.until import Until


def test_each_scene_and_number_of_steps_is_measured_once(
    script: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made_scene: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = script("stop_rule")
    asked = []

    def measured(scene, steps, path):
        asked.append((len(scene.queries), steps))
        figures = {"median": None, "1%_2deg": 50.0, "3%_5deg": 100.0}
        return {"seconds": 9.0, "steps": 7, "map": {**figures, "median": 0.25}, "heads": figures}

    monkeypatch.setattr(module, "measured", measured)
    monkeypatch.setattr(module, "count_processor_time", lambda: None)
    room = made_scene(mapping=7, queries=3, depth=False)
    options = module.Options(tmp_path, only=(str(room),), steps=(5,), queries=2, out=tmp_path / "o")
    for _ in range(2):
        assert module.run(options) == 0
    assert asked == [(2, None), (2, 5)]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"| {room.name} | 5 steps | 7 | 9 s | 0.250 % | 50 % | – | 50 % | 100 % |"


def test_what_is_never_reached_is_understood(script: Callable[[str], ModuleType]) -> None:
    never = Until.parsed(script("stop_rule").NEVER)
    assert (never.share, never.degrees) == (1.0, 1e-6)
