"""The state of an unfinished training on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from reloc.errors import MapError
from reloc.files import atomic_file

DAMAGED = "damaged checkpoint; remove it or start again without --resume"


def save_checkpoint(path: Path, identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Writes a state atomically, with what tells to which training it belongs.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_file(path) as file:
        torch.save({**state, "identity": dict(identity)}, file)


def load_checkpoint(path: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state that ``save_checkpoint`` wrote for the same identity; None if there is no file.

    Raises:
        MapError: the checkpoint is damaged, or that of another training.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state["identity"] == identity
    except Exception as error:
        raise MapError(
            f"{path}: damaged checkpoint; remove it or start again without --resume"
        ) from error
    if not same:
        raise MapError(
            f"{path}: belongs to other options, images or another backbone; give the same ones, or "
            "start again without --resume"
        )
    return state


def restored_step(path: Path, identity: Mapping[str, Any], parts: Mapping[str, Any]) -> int:
    """Gives network, optimiser and what else there is their stored states.

    Args:
        path: what ``save_checkpoint`` wrote.
        identity: of the training.
        parts: by the names that their states have there.

    Returns:
        The stored ``step``; 0 if there is no file.

    Raises:
        MapError: as ``load_checkpoint``, or the states do not fit.
    """
    state = load_checkpoint(path, identity)
    if state is None:
        return 0
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["step"])
    except Exception as error:
        raise MapError(f"{path}: {DAMAGED}") from error
