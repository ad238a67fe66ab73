"""Fetching public datasets as scenes that are ready to open."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np

from reloc.errors import DownloadError, OutputError
from reloc.files import StrPath, write_text
from reloc.progress import Progress, silent
from reloc.scenes.archives import Limits, unpack
from reloc.scenes.datasets import Archive, Dataset
from reloc.scenes.fetch import Fetched, RetryPolicy, fetch, measured
from reloc.temporary import temporary_folder
from reloc.untrusted import parsed_json

POSE_SET = "poses_sfm.txt"
MANIFEST = "downloads.json"
_POSE_SET_BYTES = 16 << 20
_POSE_SET_HEADER = (
    "# name qw qx qy qz tx ty tz focal   (camera-from-world, COLMAP convention; pixels)"
)


@dataclass(frozen=True)
class Downloaded:
    """Scenes that are now there.

    Attributes:
        scenes: their folders.
        notes: one-line remarks that a user should see.
    """

    scenes: tuple[Path, ...]
    notes: tuple[str, ...]


def download_scenes(
    dataset: Dataset,
    folder: StrPath,
    *,
    scene: str | None = None,
    progress: Progress = silent,
    retry_policy: RetryPolicy | None = None,
    limits: Limits | None = None,
) -> Downloaded:
    """Fetches a dataset, or the archive that holds one of its scenes, into ``folder/<scene>``.

    Scenes that are there are not fetched again, what was cut short is continued. Archives are
    removed after unpacking; ``downloads.json`` remembers their sha256. A second set of poses, where
    the dataset has one, goes to ``poses_sfm.txt`` of each scene.

    Args:
        dataset: see ``reloc.scenes.datasets.dataset``.
        folder: where the scenes go.
        scene: one scene; its archive may hold others, which come with it.
        progress: called with stages "download" (MiB) and "unpack" (files).
        retry_policy: timeouts and retries; None for the usual ones.
        limits: what an archive may hold; None for the usual ones.

    Raises:
        OptionError: the dataset has no such scene.
        DownloadError: an archive cannot be fetched, is damaged or not to be trusted.
        OutputError: the folder cannot be written to.
    """
    archives = dataset.archives_of(scene)
    folder, retry_policy, limits = Path(folder), retry_policy or RetryPolicy(), limits or Limits()
    notes: list[str] = []
    names = [name for archive in archives for name in archive.scenes]
    with _disk_errors_named(folder):
        for archive in archives:
            missing = [name for name in archive.scenes if not _is_there(dataset, folder, name)]
            if missing:
                notes += _get(dataset, archive, missing, folder, progress, retry_policy, limits)
        if dataset.sfm_poses:
            notes += _get_pose_sets(
                dataset.sfm_poses, [folder / name for name in names], retry_policy
            )
    return Downloaded(scenes=tuple(folder / name for name in names), notes=tuple(notes))


@contextmanager
def _disk_errors_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}); choose a folder with space "
            "and write permission"
        ) from error


def _is_there(dataset: Dataset, folder: Path, name: str) -> bool:
    """Whether a scene's folder is complete; it appears in one step, so its marker tells.

    Raises:
        OutputError: something else stands at its place.
    """
    path = folder / name
    if (path / dataset.marker).exists():
        return True
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise OutputError(f"{path}: already there, and no scene of {dataset.name}; move it away")
    return False


def _get(
    dataset: Dataset,
    archive: Archive,
    missing: list[str],
    folder: Path,
    progress: Progress,
    retry_policy: RetryPolicy,
    limits: Limits,
) -> list[str]:
    """Fetches and unpacks one archive; returns remarks."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / PurePosixPath(urlsplit(archive.url).path).name
    if file.exists():
        # It arrived whole and there was no room to unpack it, or the user put it there.
        fetched = measured(file)
    else:
        fetched = fetch(archive.url, file, progress=progress, retry_policy=retry_policy)
    with temporary_folder(folder) as temporary:
        try:
            unpack(file, temporary, limits=limits, progress=progress)
            found = _scene_folders(dataset, archive, temporary)
        except DownloadError:
            # What is damaged or unsafe now will be so the next time.
            file.unlink(missing_ok=True)
            raise
        for name in missing:
            found[name].replace(folder / name)
    notes = _remember(folder, archive, fetched)
    file.unlink()
    return notes


def _scene_folders(dataset: Dataset, archive: Archive, unpacked: Path) -> dict[str, Path]:
    """Where each scene of an archive lies; archives differ in the folders around a scene.

    Raises:
        DownloadError: a scene is not in it.
    """
    stem = PurePosixPath(urlsplit(archive.url).path).stem
    depths = (unpacked.glob("/".join(["*"] * depth)) for depth in (1, 2, 3))
    folders = [unpacked, *(path for paths in depths for path in paths if path.is_dir())]
    found: dict[str, Path] = {}
    for path in folders:
        if not (path / dataset.marker).exists():
            continue
        names = {path.name, path.name.removeprefix(f"{dataset.name}_"), f"{stem}_{path.name}"}
        lower = {name.lower() for name in names}
        for scene in archive.scenes:
            if len(archive.scenes) == 1 or scene.lower() in lower:
                found.setdefault(scene, path)
    missing = [scene for scene in archive.scenes if scene not in found]
    if missing:
        raise DownloadError(
            f"{archive.url}: the archive does not hold {', '.join(missing)} (no {dataset.marker}); "
            f"see {dataset.page} for what became of it"
        )
    return found


def _remember(folder: Path, archive: Archive, fetched: Fetched) -> list[str]:
    """Notes an archive's checksum in the manifest; says so if it is not that of the last time."""
    path = folder / MANIFEST
    try:
        known = parsed_json(path.read_text(encoding="utf-8"))
        before = known.get(archive.url, {}).get("sha256")
    except (OSError, ValueError, AttributeError):
        known, before = {}, None
    known[archive.url] = {**asdict(fetched), "scenes": archive.scenes}
    write_text(path, json.dumps(known, indent=1) + "\n")
    if before not in (None, fetched.sha256):
        return [f"{archive.url} has changed since it was fetched before"]
    return []


def _get_pose_sets(base: str, scenes: list[Path], retry_policy: RetryPolicy) -> list[str]:
    """Fetches the second pose set of each scene; returns remarks.

    A scene is of use without it, so failure is a remark, and the first one ends the attempts.
    """
    for scene in scenes:
        try:
            if not (scene / POSE_SET).exists():
                _get_pose_set(f"{base}/{scene.name}", scene, retry_policy)
        except DownloadError as error:
            return [
                f"{scene.name} has its own poses only; run the same command again for {POSE_SET} "
                f"({error})"
            ]
    return []


def _get_pose_set(url: str, scene: Path, retry_policy: RetryPolicy) -> None:
    lines: list[str] = []
    with temporary_folder(scene) as temporary:
        for split in ("train", "test"):
            file = temporary / "poses.txt"
            fetch(f"{url}_{split}.txt", file, retry_policy=retry_policy, max_bytes=_POSE_SET_BYTES)
            lines += _pose_lines(file, f"{url}_{split}.txt")
    write_text(scene / POSE_SET, "\n".join([_POSE_SET_HEADER, *sorted(lines)]) + "\n")


def _pose_lines(file: Path, url: str) -> list[str]:
    """The lines of a pose set, each one name and eight numbers.

    Raises:
        DownloadError: it is something else.
    """
    lines = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if not words:
            continue
        try:
            good = len(words) == 9 and bool(np.isfinite([float(word) for word in words[1:]]).all())
        except ValueError:
            good = False
        if not good:
            raise DownloadError(f"{url}: no pose set, it has the line {line[:60]!r}")
        lines.append(" ".join(words))
    if not lines:
        raise DownloadError(f"{url}: the pose set is empty")
    return lines
