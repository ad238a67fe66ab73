"""JSON files of captures."""

import json
from pathlib import Path
from typing import Any

from reloc.errors import SceneError
from reloc.scenes.text import read_text


def read_json(path: Path, kind: type, what: str) -> Any:
    """The value of a JSON file.

    Args:
        path: the file.
        kind: ``dict`` or ``list``, what the value must be.
        what: what it should hold, for the error.

    Raises:
        SceneError: as ``read_text``; the file is no JSON, or of something else.
    """
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SceneError(
            f"{path}: not valid JSON ({_told(error)}); copy or export it again"
        ) from error
    if not isinstance(value, kind):
        raise SceneError(f"{path}: holds no {what}; copy or export it again")
    return value


def _told(error: Exception) -> str:
    return str(error).splitlines()[0][:80] if str(error) else type(error).__name__
