"""The benchmarks are scripts beside the package: they are imported by path."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script by its name, with the folder of the scripts on the path as Python does."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module
