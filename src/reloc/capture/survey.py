"""Looking a capture over before it is mapped."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.capture.advice import SEVERITIES, Advice, named, share_text
from reloc.capture.agreement import Agreement, judged_agreement
from reloc.capture.coverage import Coverage, coverage
from reloc.capture.epipolar import pair_depth
from reloc.capture.photos import SHORT_SIDE, PhotoFacts, photo_advice, photo_facts
from reloc.capture.tentative_matches import (
    Features,
    MatchedPair,
    choose_pairs,
    find_features,
    match,
)
from reloc.errors import ImageError, SceneError
from reloc.images.files import read_image
from reloc.progress import Progress, silent
from reloc.sampling import even_picks
from reloc.scenes.scene import Frame, Scene, posed, poses_of

Array = NDArray[np.float64]

ANCHORS = 30
MAX_COVERAGE_FRAMES = 500
MIN_DEPTHS = 3


@dataclass(frozen=True)
class Survey:
    """What a capture is like.

    Attributes:
        scene_name: the scene.
        unit: ``meter`` where scene units are metres.
        advice: what will hurt, the most serious first; empty where nothing will.
        photos: the photos that were looked at, in the order of the scene.
        frames: the mapping frames that the coverage was judged by.
        agreement: how poses and focal lengths fit the photos.
        coverage: how the frames lie to each other; None where the poses cannot be trusted.
        depth: typical distance of what the photos show, in scene units; None where not known.
        seconds: how long the survey took.
    """

    scene_name: str
    unit: str
    advice: tuple[Advice, ...]
    photos: tuple[PhotoFacts, ...]
    frames: tuple[Frame, ...]
    agreement: Agreement
    coverage: Coverage | None
    depth: float | None
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The advice and what it rests on, for JSON."""
        errors = self.agreement.errors
        return {
            "advice": [asdict(a) for a in self.advice],
            "photos_looked_at": len(self.photos),
            "pairs_matched": len(errors),
            "match_error_px": float(np.median(errors)) if len(errors) else None,
            "depth": self.depth,
        }


def survey_scene(scene: Scene, *, seconds: float = 30.0, progress: Progress = silent) -> Survey:
    """Looks over the mapping frames of a scene: some of the photos, all of the poses.

    Args:
        scene: with at least one posed mapping frame.
        seconds: about how long to take; with less, fewer photos are looked at.
        progress: told after every photo.

    Raises:
        SceneError: no mapping frame has a pose.
    """
    began = time.monotonic()
    frames = posed(scene.mapping)
    if not frames:
        raise SceneError(
            f"{scene.root}: no mapping frame has a pose; there is nothing to look over"
        )
    poses = poses_of(frames)
    pairs = choose_pairs(poses, anchors=ANCHORS)
    # In an order that leaves the looks spread over the capture if time runs out.
    order = np.random.default_rng(0).permutation(len(pairs))
    inspection = _Inspection(frames, pairs, deadline=began + 0.8 * seconds, progress=progress)
    matched = match([pairs[i] for i in order], inspection.features) if pairs else []
    if not pairs:
        inspection.features(0)
    judged = judged_agreement(
        matched,
        poses,
        tried=inspection.pairs_tried(),
        names=[f.name for f in frames],
        focals=[f.camera.focal for f in frames],
    )
    depth = _depth(matched, poses) if judged.trusted else None
    some = even_picks(len(frames), MAX_COVERAGE_FRAMES)
    picked = tuple(frames[i] for i in some)
    covered = None
    advice = [*inspection.damage(), *photo_advice(inspection.facts()), *judged.advice]
    if depth is not None:
        covered = coverage(picked, scene.queries, depth=depth)
        advice += covered.advice
    elif judged.trusted:
        advice.append(_no_depth(len(matched)))
    return Survey(
        scene_name=scene.name,
        unit=scene.unit,
        advice=tuple(sorted(advice, key=lambda a: SEVERITIES.index(a.severity))),
        photos=inspection.facts(),
        frames=picked,
        agreement=judged,
        coverage=covered,
        depth=depth,
        seconds=time.monotonic() - began,
    )


def _depth(matched: Sequence[MatchedPair], poses: Array) -> float | None:
    depths = [d for d in (pair_depth(pair, poses) for pair in matched) if d]
    return float(np.median(depths)) if len(depths) >= max(MIN_DEPTHS, 0.1 * len(matched)) else None


def _no_depth(pairs: int) -> Advice:
    return Advice(
        kind="parallax",
        severity="serious",
        text=f"nothing moves against its background in {pairs} pairs of neighbouring photos: the "
        "camera only turns on the spot",
        remedy="take photos of the same things from several places, some steps apart",
    )


class _Inspection:
    """Photos that are looked at once each, until time runs out."""

    def __init__(
        self,
        frames: Sequence[Frame],
        pairs: Sequence[tuple[int, int]],
        *,
        deadline: float,
        progress: Progress,
    ) -> None:
        self._frames = frames
        self._pairs = pairs
        self._total = len({index for pair in pairs for index in pair}) or 1
        self._deadline = deadline
        self._progress = progress
        self._seen: dict[int, tuple[PhotoFacts, Features]] = {}
        self._damaged: dict[int, str] = {}

    def features(self, index: int) -> Features | None:
        """Features of a frame; None if its photo is damaged or there is no time left."""
        if index not in self._seen and index not in self._damaged:
            if self._seen and time.monotonic() > self._deadline:
                return None
            self._look(index)
        return self._seen[index][1] if index in self._seen else None

    def _look(self, index: int) -> None:
        frame = self._frames[index]
        try:
            image = read_image(frame.image, gray=True)
        except ImageError as error:
            self._damaged[index] = str(error)
            return
        scale = min(1.0, SHORT_SIDE / min(image.shape))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        features = find_features(small, frame.camera.resized(*size))
        self._seen[index] = (photo_facts(frame.name, small), features)
        self._progress("looking at photos", len(self._seen) + len(self._damaged), self._total)

    def facts(self) -> tuple[PhotoFacts, ...]:
        return tuple(self._seen[index][0] for index in sorted(self._seen))

    def pairs_tried(self) -> int:
        return sum(i in self._seen and j in self._seen for i, j in self._pairs)

    def damage(self) -> list[Advice]:
        """Photos that could not be read."""
        if not self._damaged:
            return []
        names = tuple(self._frames[index].name for index in sorted(self._damaged))
        looked = len(self._damaged) + len(self._seen)
        return [
            Advice(
                kind="damaged",
                severity="warning",
                text=f"cannot be read: {share_text(len(names), looked)}, {named(names)}",
                remedy="copy them again from the camera, or remove them",
                frames=names,
            )
        ]
