"""What came of finding poses: how much is posed, what is missing, why, and what to film again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reloc.capture.photos import BLURRED, BURNT, DARK, FLAT, PhotoFacts

# Fewer keypoints do not tell an image from another one.
FEW_KEYPOINTS = 60
MOST_GAPS = 5

# Why an image has no pose: what is said of it, and what to do.
REASONS = {
    "damaged": ("cannot be read", "copy it again from the camera, or remove it"),
    "dark": ("too dark", "film it again with more light"),
    "bright": ("overexposed", "film it again, not against the light"),
    "bare": (
        "shows next to nothing that could be recognised",
        "film it again from further back, so that edges and textures come into view",
    ),
    "blurred": ("blurred", "film it again more slowly or with more light"),
    "alone": (
        "shows nothing that enough of the other images show",
        "film it again, with what comes before and after in view: half of each picture should be "
        "in the next one",
    ),
    "apart": (
        "fits together, but not with the rest",
        "film the way between both parts, slowly and with half of each picture in the next one",
    ),
    "weak": (
        "has too little in common with the rest",
        "film it again more slowly, stepping sideways and not only turning",
    ),
}


@dataclass(frozen=True)
class Seen:
    """What is known of an image after matching.

    Attributes:
        name: of the file.
        facts: what the picture is like; None if it cannot be decoded.
        keypoints: that were found.
        partners: images that it matches.
        time: seconds at which a video shows it, else None.
        model: number of the model that it is in, 0 for the largest, None for none.
    """

    name: str
    facts: PhotoFacts | None
    keypoints: int
    partners: int
    time: float | None = None
    model: int | None = None


@dataclass(frozen=True)
class Gap:
    """Images in a row that have no pose.

    Attributes:
        names: of their files.
        reason: why: a key of ``REASONS``.
        text: one line: which part it is, and why.
        remedy: what to film again.
    """

    names: tuple[str, ...]
    reason: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Outcome:
    """What came of finding poses.

    Attributes:
        images: that were looked at.
        posed: of these.
        others: how many images each other model has that no larger one has.
        points: that were triangulated.
        error_px: mean reprojection error.
        gaps: what is missing, the longest first.
        damaged: names of images that could not be read.
    """

    images: int
    posed: int
    others: tuple[int, ...]
    points: int
    error_px: float
    gaps: tuple[Gap, ...]
    damaged: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What a user should know, a line each."""
        lines = [
            f"poses of {self.posed} of {self.images} images, {self.points} points, reprojection "
            f"error {self.error_px:.2f} px; the unit of length is unknown: there are no metres"
        ]
        if self.damaged:
            names = ", ".join(self.damaged[:3]) + (", ..." if len(self.damaged) > 3 else "")
            lines.append(f"{len(self.damaged)} images cannot be read: {names}")
        if self.others:
            sizes = ", ".join(map(str, self.others[:MOST_GAPS]))
            lines.append(f"left out, since nothing joins them to the rest: parts of {sizes} images")
        lines += [f"missing: {gap.text}; {gap.remedy}" for gap in self.gaps[:MOST_GAPS]]
        if len(self.gaps) > MOST_GAPS:
            rest = sum(len(gap.names) for gap in self.gaps[MOST_GAPS:])
            lines.append(f"missing: {rest} images more, one here and one there")
        return lines


def gaps_of(seen: Sequence[Seen]) -> tuple[Gap, ...]:
    """The images without a pose in the largest model, those in a row together."""
    runs: list[list[Seen]] = []
    before = -2
    for number, image in enumerate(seen):
        if image.model == 0:
            continue
        if number == before + 1:
            runs[-1].append(image)
        else:
            runs.append([image])
        before = number
    return tuple(sorted(map(_gap, runs), key=lambda gap: -len(gap.names)))


def reason_of(image: Seen) -> str:
    """Why an image has no pose."""
    facts = image.facts
    if facts is None:
        return "damaged"
    if facts.shadow < DARK:
        return "dark"
    if facts.burnt > BURNT:
        return "bright"
    if facts.contrast < FLAT or image.keypoints < FEW_KEYPOINTS:
        return "bare"
    if image.model is not None:
        return "apart"
    if facts.blur > BLURRED:
        return "blurred"
    return "weak" if image.partners else "alone"


def _gap(run: Sequence[Seen]) -> Gap:
    reason, count = Counter(map(reason_of, run)).most_common(1)[0]
    what, remedy = REASONS[reason]
    some = "" if count == len(run) else f"most of it {'' if count > 1 else 'is '}"
    return Gap(
        tuple(image.name for image in run),
        reason,
        f"{part_text(run)}: {some}{what}",
        remedy,
    )


def part_text(run: Sequence[Seen]) -> str:
    """Which part of the capture images in a row are, as a person finds it."""
    first, last = run[0], run[-1]
    if first.time is not None and last.time is not None:
        begin, end = _clock(first.time), _clock(last.time)
        when = f"at {begin}" if begin == end else f"from {begin} to {end}"
        return f"{when} of the video ({_count(len(run), 'frame')})"
    if len(run) == 1:
        return first.name
    return f"{first.name} to {last.name} ({_count(len(run), 'photo')})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
