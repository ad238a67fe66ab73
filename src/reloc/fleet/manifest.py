"""The manifest: which scenes to map, where the maps go, and how."""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reloc.errors import OptionError
from reloc.files import StrPath
from reloc.landmarks import LandmarkOptions
from reloc.library.entry import is_text
from reloc.methods.ace.options import PRESETS, MappingOptions, preset_options
from reloc.scenes.names import inside
from reloc.untrusted import parsed_json

MAX_BYTES = 256 << 20
_OPTIONS = frozenset(asdict(PRESETS["standard"]))
_FRACTIONS = ("time_limit", "buffer_gb")


@dataclass(frozen=True)
class MapJob:
    """One map to make, or one of its heads.

    Attributes:
        scene: folder of the scene, an absolute path or a URL.
        out: the map file to make, likewise.
        options: how to map it.
        query: file that lists images to hold back, in the scene's folder.
        poses: pose file to use in place of the scene's own, in its folder.
        parallel_heads: each head is a job of its own, which makes all steps; this one joins them.
        head: the number of the head to make, as a map that is a part of ``out``; None for ``out``.
        landmarks: to keep, at most; a head alone has none.
    """

    scene: str
    out: str
    options: MappingOptions
    query: str | None = None
    poses: str | None = None
    parallel_heads: bool = False
    head: int | None = None
    landmarks: int = LandmarkOptions.count

    @property
    def file(self) -> str:
        """The file to write; jobs go by it. Heads wait beside their map until they are joined."""
        return self.out if self.head is None else f"{self.out}.heads/{self.head}.safetensors"

    def heads(self) -> tuple["MapJob", ...]:
        """The jobs that have to end before this one can begin."""
        if not self.parallel_heads:
            return ()
        numbers = range(self.options.heads or 0)
        return tuple(replace(self, parallel_heads=False, head=number) for number in numbers)

    def fingerprint(self, backbone: str) -> str:
        """Tells what a map is made from: scene, lists, options and the backbone's fingerprint.

        The map carries it, so that a later run knows its own. How heads are shared out makes no
        difference to the map.
        """
        options = asdict(self.options)
        if options["until"] is None:  # maps that were made before it could be asked for anything
            del options["until"]
        made_from = [self.scene, self.query, self.poses, options, backbone]
        text = json.dumps(made_from, sort_keys=True)
        if self.head is not None:
            text += f"#{self.head}"
        elif self.landmarks:  # without, maps are those that were made before there were any
            text += f" {self.landmarks} landmarks"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_manifest(path: StrPath) -> tuple[MapJob, ...]:
    """Reads a manifest.

    TOML has a table ``[[maps]]`` for each map, with ``scene``, ``map`` and options, and perhaps a
    table ``[defaults]`` of options for all; JSONL has an object of the same keys on each line.
    Options are ``preset`` and the fields of ``MappingOptions``, ``landmarks``, ``query`` and
    ``poses``, files in the scene's folder, and ``parallel_heads``. Scenes and maps are relative to
    the manifest.

    Raises:
        OptionError: the file is missing or damaged, an entry names no scene or no map, has an
            option that does not exist or an impossible value, or two have the same map.
    """
    path = Path(path)
    jobs: dict[str, MapJob] = {}
    taken = set[str]()
    for where, entry in _entries(path):
        job = _job(entry, f"{path}: {where}", path.parent)
        for file in (job.out, *(head.file for head in job.heads())):
            # Links may give one place several names.
            place = file if "://" in file else os.path.realpath(file)
            if place in taken:
                raise OptionError(f"{path}: {where}: map {file} is there twice; name another file")
            taken.add(place)
        jobs[job.out] = job
    if not jobs:
        raise OptionError(f"{path}: names no map; add entries with scene and map")
    return tuple(jobs.values())


def _entries(path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OptionError(f"{path}: larger than {MAX_BYTES >> 20} MB; split it")
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            return _toml_entries(path, tomllib.loads(text))
        if path.suffix == ".jsonl":
            # Strings may hold what else ends a line.
            lines = enumerate(text.split("\n"), start=1)
            return [(f"line {n}", parsed_json(line)) for n, line in lines if line.strip()]
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(
            f"{path}: is no {path.suffix[1:].upper()} ({str(error).splitlines()[0]}); mend it"
        ) from error
    raise OptionError(f"{path}: the name of a manifest ends in .toml or .jsonl")


def _toml_entries(path: Path, content: dict[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    defaults, maps = content.pop("defaults", {}), content.pop("maps", [])
    if content or not isinstance(defaults, dict) or not isinstance(maps, list):
        raise OptionError(f"{path}: holds [[maps]] and [defaults] and nothing else")
    return [
        (f"map {n}", {**defaults, **entry} if isinstance(entry, dict) else entry)
        for n, entry in enumerate(maps, start=1)
    ]


def _job(entry: Any, where: str, folder: Path) -> MapJob:
    if not isinstance(entry, dict):
        raise OptionError(f"{where}: give scene, map and options by name")
    options = dict(entry)
    given = {key: options.pop(key, None) for key in ("scene", "map", "query", "poses")}
    parallel = options.pop("parallel_heads", options.pop("parallel-heads", False))
    landmarks = options.pop("landmarks", LandmarkOptions.count)
    for key, value in given.items():
        wanted = key in ("scene", "map")
        if (wanted or value is not None) and not (is_text(value) and value):
            raise OptionError(f"{where}: has no {key}; give its path{' or URL' if wanted else ''}")
        if not wanted and value is not None and inside(Path("/scene"), value) is None:
            raise OptionError(f"{where}: {key} {value[:80]!r}: name a file in the scene's folder")
    if not given["map"].endswith(".safetensors"):
        raise OptionError(f"{where}: {given['map']:.80}: the name of a map ends in .safetensors")
    try:
        return MapJob(
            _absolute(given["scene"], folder),
            _absolute(given["map"], folder),
            _mapping_options(options, parallel=parallel),
            query=given["query"],
            poses=given["poses"],
            parallel_heads=parallel,
            landmarks=_landmarks(landmarks),
        )
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from None


def _absolute(location: str, folder: Path) -> str:
    """A location by one name only, so that a map that is there twice is noticed."""
    return location if "://" in location else os.path.abspath(folder / location)  # noqa: PTH100


def _landmarks(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise OptionError(f"landmarks {given!r:.80}: give a number")
    return LandmarkOptions(count=given).count


def _mapping_options(given: dict[str, Any], *, parallel: Any) -> MappingOptions:
    if not isinstance(parallel, bool):
        raise OptionError(f"parallel_heads {parallel!r:.80}: give true or false")
    preset = given.pop("preset", "standard")
    changes: dict[str, str | int | float | None] = {}
    for name, value in given.items():
        # TOML and JSON are written with either.
        field = name.replace("-", "_")
        if field not in _OPTIONS:
            raise OptionError(
                f"no option is called {name[:80]!r}; there are query, poses, parallel_heads, "
                f"landmarks, preset, {_listed()}"
            )
        number = int | float if field in _FRACTIONS else int
        if field == "heads" and value == "auto":
            changes[field] = None
        elif field == "until":
            if not isinstance(value, str):
                raise OptionError(f"until {value!r:.80}: give a text such as '2cm 1deg'")
            changes[field] = value
        elif isinstance(value, number) and abs(value) < 1 << 63 and not isinstance(value, bool):
            changes[field] = value
        else:
            raise OptionError(f"{name} {value!r:.80}: give a number")
    options = preset_options((preset if isinstance(preset, str) else repr(preset))[:80], **changes)  # type: ignore[arg-type]
    limits = options.time_limit is not None or options.until is not None
    if parallel and (options.heads is None or limits):
        raise OptionError(
            "parallel_heads wants heads as a number, and steps but no time_limit and no until"
        )
    return options


def _listed() -> str:
    return ", ".join(sorted(_OPTIONS))
