"""Checkpoints: read back for what they were written for, refused for anything else."""

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from reloc.checkpoint import (
    GOES_ON,
    Diverged,
    checkpoint_of,
    damage_named,
    kept_until_done,
    load_checkpoint,
    save_checkpoint,
)
from reloc.errors import MapError, OptionError, OutputError, SceneError
from reloc.restoring import UnfitState

IDENTITY = {"steps": 3, "images": ["a.png"]}


def test_what_is_written_is_read_for_the_same_training(tmp_path):
    path = tmp_path / "state"
    assert load_checkpoint(path, IDENTITY) is None
    save_checkpoint(path, IDENTITY, {"step": 2, "weights": torch.arange(3)})
    state = load_checkpoint(path, IDENTITY)
    assert state is not None
    assert state["step"] == 2
    assert torch.equal(state["weights"], torch.arange(3))
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_told(tmp_path):
    (tmp_path / "state").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint(tmp_path / "state", IDENTITY, {"weights": torch.zeros(10**5)})


def test_that_of_another_training_is_refused(tmp_path):
    path = tmp_path / "state"
    save_checkpoint(path, IDENTITY, {"step": 2})
    with pytest.raises(MapError, match=r"belongs to other options.*--resume") as caught:
        load_checkpoint(path, {**IDENTITY, "steps": 4})
    assert str(path) in str(caught.value)


def test_one_without_an_identity_is_damaged(tmp_path):
    path = tmp_path / "state"
    torch.save({"step": 2}, path)
    with pytest.raises(MapError, match="damaged checkpoint; remove it"):
        load_checkpoint(path, IDENTITY)


def test_nothing_is_written_without_a_path():
    save_checkpoint(None, IDENTITY, {"step": 2})
    assert load_checkpoint(None, IDENTITY) is None


def test_a_state_of_something_else_is_damage(tmp_path):
    with (
        pytest.raises(MapError, match="state: damaged checkpoint; remove it"),
        damage_named(tmp_path / "state", diverged="place: diverged"),
    ):
        raise UnfitState


def test_a_diverged_training_is_told_and_leaves_no_checkpoint(tmp_path):
    path = tmp_path / "state"
    save_checkpoint(path, IDENTITY, {"step": 2})
    for checkpoint in (path, None):
        with (
            pytest.raises(SceneError, match="place: diverged"),
            damage_named(checkpoint, diverged="place: diverged"),
        ):
            raise Diverged
    assert not path.exists()


STATE: dict[str, Any] = {"step": 2, "weights": torch.arange(100.0), "sums": torch.ones(100)}


@pytest.mark.parametrize("seal", [True, False])
def test_damage_is_refused(tmp_path, damaged, seal):
    """With the digest, and in files from before there was one, by the archive's checksums."""
    path = tmp_path / "state"
    if seal:
        save_checkpoint(path, IDENTITY, STATE)
    else:
        torch.save({**STATE, "identity": IDENTITY}, path)
    content = path.read_bytes()
    assert load_checkpoint(path, IDENTITY) is not None
    for seed in range(100):
        broken = damaged(content, seed)
        path.write_bytes(broken)
        if broken != content:
            try:
                found = load_checkpoint(path, IDENTITY)
            except MapError as error:
                assert "damaged" in str(error) and "\n" not in str(error)
            else:
                assert not seal and all(
                    torch.equal(found[k], STATE[k]) for k in ("weights", "sums")
                )


def test_an_archive_whose_checksums_hold_may_still_be_another(tmp_path):
    """Its directory is not covered by them: here two tensors have changed their names."""
    path = tmp_path / "state"
    save_checkpoint(path, IDENTITY, STATE)
    content = path.read_bytes()
    swapped = content.replace(b"/data/0", b"/data/#").replace(b"/data/1", b"/data/0")
    path.write_bytes(swapped.replace(b"/data/#", b"/data/1"))
    assert zipfile.ZipFile(path).testzip() is None
    assert torch.equal(torch.load(path, weights_only=True)["weights"], STATE["sums"])
    with pytest.raises(MapError, match="damaged"):
        load_checkpoint(path, IDENTITY)


@pytest.mark.parametrize("more", [b"\0", b"junk", struct.pack("<H", 0)])
def test_what_follows_the_archive_is_damage(tmp_path, more):
    path, archive = tmp_path / "state", io.BytesIO()
    torch.save({**STATE, "identity": IDENTITY}, archive)
    save_checkpoint(path, IDENTITY, STATE)
    for content in (path.read_bytes(), archive.getvalue()):
        path.write_bytes(content + more)
        with pytest.raises(MapError, match="damaged"):
            load_checkpoint(path, IDENTITY)


def test_it_stays_a_file_that_torch_reads(tmp_path):
    path = tmp_path / "state"
    save_checkpoint(path, IDENTITY, STATE)
    assert torch.load(path, weights_only=True)["step"] == 2


def test_a_checkpoint_stays_until_what_came_of_it_is_done(tmp_path):
    path = tmp_path / "state"
    with kept_until_done(path):
        save_checkpoint(path, IDENTITY, {"step": 2})
        assert path.exists()
    assert not path.exists()
    with kept_until_done(path), kept_until_done(None):
        pass  # a training that was too short for one


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OutputError("full"), ValueError("ours")])
def test_whatever_ends_the_work_after_training_leaves_it_and_says_so(tmp_path, error):
    path = tmp_path / "state"
    with pytest.raises(type(error)) as caught, kept_until_done(path):
        save_checkpoint(path, IDENTITY, {"step": 2})
        raise error
    assert path.exists()
    assert caught.value.__notes__ == [GOES_ON]


@pytest.mark.parametrize(
    ("error", "resumed", "goes_on"),
    [
        (KeyboardInterrupt(), True, True),
        (OutputError("full"), True, True),
        (KeyboardInterrupt(), False, False),
        (MapError("damaged checkpoint"), True, False),
        (OptionError("no such device"), True, False),
    ],
)
def test_one_of_an_earlier_training_is_promised_to_those_who_resumed_it(
    tmp_path, error, resumed, goes_on
):
    path = tmp_path / "state"
    save_checkpoint(path, IDENTITY, {"step": 2})
    with pytest.raises(type(error)) as caught, kept_until_done(path, resumed=resumed):
        raise error
    assert path.exists()
    assert getattr(caught.value, "__notes__", []) == [GOES_ON] * goes_on


def test_it_lies_beside_the_result_but_not_beside_a_device(tmp_path):
    assert checkpoint_of(tmp_path / "map") == tmp_path / "map.partial"
    assert checkpoint_of(Path(os.devnull)) is None
