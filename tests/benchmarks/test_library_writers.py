"""Several processes that write to one library, some of them killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_every_acknowledged_entry_is_there_and_right(
    script: Callable[..., Any], tmp_path: Path
) -> None:
    writers = script("library_writers")
    outcome = writers.run(
        writers.Options(tmp_path / "writers", processes=4, operations=12, kills=4)
    )
    assert outcome.wrong == []
    assert sum(outcome.done.values()) == 4 * 12
