"""Fixtures that several tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_scenes() -> Path:
    """The folder of real scenes beside the checkout; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "scenes"
    if not folder.is_dir():
        pytest.skip("the real scenes are not on this machine")
    return folder
