"""The growth of a map as a file."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from reloc.errors import MapError
from reloc.view.film.recording import Recording, Snapshot
from reloc.view.film.training_history import FORMAT, read_training_history, write_training_history


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    return Recording(
        rng.normal(size=(2, 5, 3)).astype(np.float16),
        np.array([1e6, 2.0, 3.0]),
        4.5,
        rng.integers(0, 256, (5, 3)).astype(np.uint8),
        rng.normal(size=(5, 3)),
        (Snapshot(1.5, 0.0, 1, 90.0, 80.0, 0.1), Snapshot(9.0, 1.0, 700, 9.0, 8.0, 0.5)),
    )


def test_what_was_written_is_read(recording, tmp_path):
    write_training_history(recording, tmp_path / "new" / "growth")
    read = read_training_history(tmp_path / "new" / "growth")
    for name in ("points", "origin", "colors", "eyes"):
        np.testing.assert_array_equal(getattr(read, name), getattr(recording, name))
    assert (read.scale, read.snapshots) == (recording.scale, recording.snapshots)
    assert isinstance(read.snapshots[0].steps, int)


def test_other_files_are_refused(recording, tmp_path):
    path = tmp_path / "growth"
    with pytest.raises(MapError, match="cannot be read"):
        read_training_history(path)
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(MapError, match="cannot be read"):
        read_training_history(path)
    save_file({"points": recording.points}, path)
    with pytest.raises(MapError, match="is not what"):
        read_training_history(path)
    save_file({"points": recording.points}, path, metadata={"format": FORMAT})
    with pytest.raises(MapError, match="cannot be read"):
        read_training_history(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"colors": np.zeros((4, 3), np.uint8)},
        {"eyes": np.full((5, 3), np.nan)},
        {"points": np.zeros((2, 5, 3), np.float32)},
        {"points": np.zeros((0, 5, 3), np.float16)},
        {"origin": np.zeros((3, 1))},
        {"scale": 0.0},
        {"snapshots": ()},
    ],
)
def test_damage_is_told(recording, tmp_path, damage):
    write_training_history(replace(recording, **damage), tmp_path / "growth")
    with pytest.raises(MapError, match="damaged"):
        read_training_history(tmp_path / "growth")


def test_damaged_files_are_refused(recording, tmp_path, damaged):
    path = tmp_path / "growth"
    write_training_history(recording, path)
    content = path.read_bytes()
    for seed in range(60):
        broken = damaged(content, seed)
        path.write_bytes(broken)
        if broken != content:
            with pytest.raises(MapError):
                read_training_history(path)
