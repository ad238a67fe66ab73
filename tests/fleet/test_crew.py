"""What is asked of a crew. Its work is tested with the driver's."""

import builtins
from typing import Any

import pytest

from reloc.errors import OptionError
from reloc.fleet.crew import Crew, CrewOptions


def test_a_crew_needs_sensible_numbers() -> None:
    with pytest.raises(OptionError, match="positive"):
        CrewOptions(workers=0)
    with pytest.raises(OptionError, match="positive"):
        CrewOptions(cpus=float("nan"))
    with pytest.raises(OptionError, match="negative"):
        CrewOptions(gpus=-1)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without_ray(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError("No module named 'ray'")
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    # Both are set for Ray, and must not stay for other tests.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    with pytest.raises(OptionError, match=r"reloc\[many\]"):
        Crew(CrewOptions(), backbone=None, most=1)
