"""A video or photos to posed frames: structure from motion, stage by stage, each kept on disk.

Schönberger and Frahm, "Structure-from-Motion Revisited", CVPR 2016, as COLMAP computes it; above
some hundred images globally, as Pan et al., "Global Structure-from-Motion Revisited", ECCV 2024.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from reloc.backbone import Backbone, load_backbone
from reloc.capture.photos import PhotoFacts
from reloc.devices import pick_device
from reloc.errors import RelocError, SceneError
from reloc.files import write_text
from reloc.images.files import image_size
from reloc.images.lens import read_lens
from reloc.progress import Progress, silent
from reloc.scenes.checks import MIN_MAPPING_FRAMES
from reloc.sfm.cameras import guessed_cameras
from reloc.sfm.captures import Capture
from reloc.sfm.database import KeypointStore, create_database, image_name, pycolmap_or_refusal
from reloc.sfm.folder import PosesFolder, Taken
from reloc.sfm.frames import photo_frames, video_frames_taken
from reloc.sfm.models import ROUNDS, FoundModel, found_models, read_model, turn_upright, write_model
from reloc.sfm.outcome import Outcome, Seen, gaps_of
from reloc.sfm.pairs import pairs_to_match
from reloc.sfm.process import run_task
from reloc.sfm.seeing import look_at

# From so many images on all poses are solved at once: adding them one by one, with an adjustment
# of all every so often, takes longer and longer.
GLOBAL_FROM = 500
# Pixels off an epipolar line: COLMAP's own.
TOLERANCE = 4.0
GOES_ON = "the same command goes on with the poses where it was"
# COLMAP's kinds of pairs whose points one homography explains: the camera turned, or all is flat.
# Where more than this share is so, poses are as good as guessed.
_FLAT_PAIRS, MOST_FLAT = (5, 6), 0.95


@dataclass(frozen=True)
class Posed:
    """Poses that were found.

    Attributes:
        folder: a scene in COLMAP's layout.
        images: the folder of its images.
        outcome: what came of it.
        earlier: whether they were there before.
    """

    folder: Path
    images: Path
    outcome: Outcome
    earlier: bool


def pose_capture(
    capture: Capture,
    out: Path,
    *,
    backbone: Backbone | None = None,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> Posed:
    """Finds the poses of a capture and writes them as a scene in COLMAP's layout.

    The same call goes on where an earlier one was interrupted, and finds what it has found.

    Args:
        capture: a video or photos.
        out: the folder of the scene: ``images`` (frames of a video, else a link to the photos),
            ``sparse/0`` and ``poses.json``. It is made, or is one of this function's.
        backbone: what tells which images look alike; by default the shipped one.
        device: where it computes.
        progress: told of each stage.

    Raises:
        OptionError: pycolmap is not installed.
        OutputError: the folder holds something else, or cannot be written to.
        SceneError: no poses can be found; says why, and what to film.
        ImageError: the video cannot be decoded.
    """
    folder = PosesFolder(out, capture)
    if (found := folder.outcome()) is not None:
        return Posed(out, folder.images, found, earlier=True)
    pycolmap_or_refusal()
    if capture.kind == "photos" and len(capture.photos) < MIN_MAPPING_FRAMES:
        raise SceneError(
            f"{capture.path}: {_photos(len(capture.photos))}; poses take {MIN_MAPPING_FRAMES} at "
            "least, and a map some 30: take them a step apart, with half of each in the next one"
        )
    folder.begin()
    try:
        take = video_frames_taken if capture.kind == "video" else photo_frames
        if (taken := folder.taken()) is None:
            try:
                taken = take(capture, folder, progress=progress)
            except RelocError:
                folder.discard()
                raise
        network = backbone or load_backbone()
        return _Posing(capture, folder, taken, network, pick_device(device), progress).posed()
    except KeyboardInterrupt as stop:
        stop.add_note(GOES_ON)
        raise


class _Posing:
    """The stages from images on."""

    def __init__(
        self,
        capture: Capture,
        folder: PosesFolder,
        taken: Taken,
        backbone: Backbone,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self._capture, self._folder, self._taken = capture, folder, taken
        self._backbone, self._device, self._progress = backbone, device, progress
        self._paths = [folder.images / name for name in taken.names]
        self._lenses = [read_lens(path) for path in self._paths]
        self._pairs = folder.work / "pairs.txt"

    def posed(self) -> Posed:
        facts = self._look()
        self._match()
        verified = self._verified()
        flat = sum(kind in _FLAT_PAIRS for *_, kind in verified)
        if flat > MOST_FLAT * len(verified):
            raise SceneError(
                f"{self._capture.path}: nothing moves against its background in {flat} of "
                f"{len(verified)} pairs of images that match: the camera only turns, or sees one "
                "flat surface; film while stepping sideways, with near and far things in view"
            )
        models = self._reconstruct()
        seen = self._seen(facts, models)
        best = models[0] if models else None
        if best is None or len(best.images) < MIN_MAPPING_FRAMES:
            raise SceneError(self._refusal(seen))
        best = self._refined()
        turn_upright(best, [lens.turn or 0 for lens in self._lenses])
        names = dict(enumerate(self._taken.names))
        outcome = Outcome(
            images=len(seen) + len(self._taken.damaged),
            posed=len(best.images),
            others=_parts_apart(models),
            points=best.model.num_points3D(),
            error_px=best.model.compute_mean_reprojection_error(),
            gaps=gaps_of(seen),
            damaged=self._taken.damaged,
        )
        self._folder.finish(
            lambda model: write_model(best, model, names=names, images=self._folder.images),
            outcome,
        )
        return Posed(self._folder.path, self._folder.images, outcome, earlier=False)

    def _look(self) -> list[PhotoFacts | None]:
        database = self._folder.database
        if not database.exists():
            sizes = [image_size(path) for path in self._paths]
            cameras = guessed_cameras(sizes, self._lenses)
            self._folder.place(database, lambda path: create_database(path, cameras))
        if (facts := self._folder.facts()) is not None and self._pairs.exists():
            return facts
        descriptors, facts = look_at(
            self._paths,
            database,
            self._backbone,
            kind=self._capture.kind,
            device=self._device,
            progress=self._progress,
        )
        self._folder.keep_facts(facts)
        pairs = pairs_to_match(descriptors, kind=self._capture.kind)
        write_text(self._pairs, "".join(f"{image_name(a)} {image_name(b)}\n" for a, b in pairs))
        return facts

    def _match(self) -> None:
        if self._folder.has("matched"):
            return
        run_task(
            "match",
            stage="matching images",
            total=len(self._pairs.read_text().splitlines()),
            progress=self._progress,
            count=self._matched_pairs,
            database=str(self._folder.database),
            pairs=str(self._pairs),
            threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else -1,
            tolerance=TOLERANCE,
        )
        self._folder.mark("matched")

    def _reconstruct(self) -> list[FoundModel]:
        models = self._folder.work / "models"
        if not models.exists():
            count = len(self._paths)
            self._folder.place(
                models,
                lambda path: run_task(
                    "reconstruct",
                    stage="finding poses",
                    total=count,
                    progress=self._progress,
                    database=str(self._folder.database),
                    out=str(path),
                    images=count,
                    method="global" if count >= GLOBAL_FROM else "incremental",
                    least=MIN_MAPPING_FRAMES,
                ),
            )
        return found_models(models)

    def _refined(self) -> FoundModel:
        refined = self._folder.work / "refined"
        if not refined.exists():
            self._folder.place(
                refined,
                lambda path: run_task(
                    "refine",
                    stage="refining poses",
                    total=ROUNDS,
                    progress=self._progress,
                    models=str(self._folder.work / "models"),
                    out=str(path),
                ),
            )
        return read_model(refined)

    def _seen(self, facts: Sequence[PhotoFacts | None], models: Sequence[FoundModel]) -> list[Seen]:
        store = KeypointStore(self._folder.database)
        keypoints = [store.count(number) or 0 for number in range(len(self._paths))]
        store.close()
        partners = Counter[int]()
        for first, second, _ in self._verified():
            partners.update((first, second))
        model_of = dict[int, int]()
        for number, model in reversed(list(enumerate(models))):
            model_of |= dict.fromkeys(model.images, number)
        times = self._taken.times or (None,) * len(self._paths)
        return [
            Seen(name, facts[n], keypoints[n], partners[n], times[n], model_of.get(n))
            for n, name in enumerate(self._taken.names)
        ]

    def _matched_pairs(self) -> int:
        # Not in the process that writes: two libraries of SQLite in one undo each other's locks.
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._folder.database)) as database:
            [(count,)] = database.execute("SELECT COUNT(*) FROM two_view_geometries")
            return int(count)
        return 0

    def _verified(self) -> list[tuple[int, int, int]]:
        """Pairs of images that match, and COLMAP's kind of each."""
        pycolmap = pycolmap_or_refusal()
        with closing(sqlite3.connect(self._folder.database)) as database:
            rows = database.execute(
                "SELECT pair_id, config FROM two_view_geometries WHERE rows > 0"
            ).fetchall()
        pairs = [(pycolmap.pair_id_to_image_pair(pair), kind) for pair, kind in rows]
        return [(int(a) - 1, int(b) - 1, kind) for (a, b), kind in pairs]

    def _refusal(self, seen: Sequence[Seen]) -> str:
        """Why there are no poses, in one line."""
        where, count = self._capture.path, len(seen)
        what = "frames" if self._capture.kind == "video" else "photos"
        verified = self._verified()
        if not verified:
            [gap] = gaps_of([replace(image, model=None) for image in seen])
            if gap.reason != "alone":
                return f"{where}: no poses: {gap.text}; {gap.remedy}"
            return (
                f"{where}: no two of the {count} {what} have enough in common; take them of one "
                "place, a step apart, with half of each in the next one"
            )
        alone = sum(image.partners == 0 for image in seen)
        return (
            f"{where}: no {MIN_MAPPING_FRAMES} of the {count} {what} fit together ({alone} have "
            f"nothing in common with any other, {len(verified)} pairs have something); film more "
            "slowly, a step apart, with half of each picture in the next one"
        )


def _parts_apart(models: Sequence[FoundModel]) -> tuple[int, ...]:
    """How many images each model has that none before it has, the largest left out."""
    counted, sizes = set(models[0].images), list[int]()
    for model in models[1:]:
        own = set(model.images) - counted
        counted |= own
        sizes.append(len(own))
    return tuple(size for size in sizes if size)


def _photos(count: int) -> str:
    return f"{count} photo{'' if count == 1 else 's'}"
