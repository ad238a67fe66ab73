"""Advice on a capture as one HTML page that needs nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reloc.capture.advice import Advice
from reloc.capture.survey import Survey
from reloc.errors import ImageError
from reloc.files import StrPath, write_text
from reloc.images.files import read_image
from reloc.scenes.scene import Scene
from reloc.view.capture_plots import blur_strip, capture_plan, focal_curve
from reloc.view.page import jpeg_address, rendered
from reloc.view.style import svg

EXAMPLES = 4  # photos shown with each piece of advice
EXAMPLE_SIDE = 280  # pixels


@dataclass(frozen=True)
class _Example:
    """A photo that shows what the advice is about; ``source`` is an address for an ``<img>``."""

    name: str
    source: str


@dataclass(frozen=True)
class _Item:
    """A piece of advice, with the numbers that its places have on the plan."""

    severity: str
    text: str
    remedy: str
    places: Sequence[int]
    examples: Sequence[_Example]


def write_capture_page(path: StrPath, survey: Survey, scene: Scene) -> None:
    """Writes the page.

    Args:
        path: the HTML file.
        survey: the advice and its evidence.
        scene: the scene that was looked over, for its photos.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, capture_html(survey, scene))


def capture_html(survey: Survey, scene: Scene) -> str:
    """The page as text; arguments as ``write_capture_page``."""
    images = {frame.name: frame.image for frame in (*scene.mapping, *scene.queries)}
    places = [place for advice in survey.advice for place in advice.places]
    curve = focal_curve(survey)
    strips = [svg(blur_strip(survey), title="blur of the photos")] if survey.photos else []
    if curve is not None:
        strips.append(svg(curve, title="error of matches over focal length"))
    return rendered(
        "capture.html",
        title=f"{survey.scene_name}: before mapping",
        basis=_basis(survey, scene),
        advice=list(_items(survey.advice, images)),
        plan=svg(capture_plan(survey, places), title="floor plan"),
        judged=survey.coverage is not None,
        strips=strips,
    )


def _basis(survey: Survey, scene: Scene) -> str:
    """What the advice rests on, in one line."""
    parts = [f"{len(scene.mapping)} mapping photos, {len(survey.photos)} of them looked at"]
    errors = survey.agreement.errors
    if len(errors):
        parts.append(
            f"matches of {len(errors)} pairs are off by {np.median(errors):.2f} px (median)"
        )
    if survey.depth is not None:
        unit = "m" if survey.unit == "metre" else "scene units"
        parts.append(f"things are about {survey.depth:.2g} {unit} away")
    return "; ".join(parts)


def _items(advice: Sequence[Advice], images: Mapping[str, Path]) -> Iterator[_Item]:
    number = 1
    for one in advice:
        places = range(number, number + len(one.places))
        number += len(one.places)
        yield _Item(one.severity, one.text, one.remedy, places, _examples(one, images))


def _examples(advice: Advice, images: Mapping[str, Path]) -> list[_Example]:
    examples = []
    for name in advice.frames[:EXAMPLES]:
        with suppress(ImageError, KeyError):
            photo = read_image(images[name])
            examples.append(_Example(name, jpeg_address(photo, side=EXAMPLE_SIDE)))
    return examples
