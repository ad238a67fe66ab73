"""Files that belong to an image by their names."""

from collections.abc import Iterable
from pathlib import Path


def first_word(path: Path) -> str:
    """The name up to its first dot."""
    return path.name.split(".")[0]


class SidecarFiles:
    """Files that belong to an image by name: the same stem, or the same up to the first dot.

    The second covers ``frame-000000.color.png`` with ``frame-000000.pose.txt``; it counts only
    where it is unique on both sides.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._stems: dict[str, Path] = {}
        self._words: dict[str, list[Path]] = {}
        self._used = set[Path]()
        for path in paths:
            self._stems[path.stem] = path
            self._words.setdefault(first_word(path), []).append(path)

    def of(self, image: Path, shared: set[str]) -> Path | None:
        """The image's file; ``shared`` are first words that several images have."""
        word = first_word(image)
        similar = self._words.get(word, [])
        path = self._stems.get(image.stem)
        if path is None and len(similar) == 1 and word not in shared:
            path = similar[0]
        if path is not None:
            self._used.add(path)
        return path

    def unused(self) -> list[Path]:
        """Files that no image asked for."""
        return [path for path in self._stems.values() if path not in self._used]
