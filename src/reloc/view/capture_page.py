"""Advice on a capture as one HTML page that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reloc.capture.advice import Advice
from reloc.capture.survey import Survey
from reloc.errors import ImageError
from reloc.files import StrPath, write_text
from reloc.images.files import read_image
from reloc.scenes.scene import Scene
from reloc.view.capture_plots import blur_strip, capture_plan, focal_curve
from reloc.view.page import card, embedded, html_page, html_text
from reloc.view.style import svg

EXAMPLES = 4  # photos shown with each piece of advice
EXAMPLE_SIDE = 280  # pixels


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
    title = f"{survey.scene_name}: before mapping"
    images = {frame.name: frame.image for frame in (*scene.mapping, *scene.queries)}
    places = [place for advice in survey.advice for place in advice.places]
    body = [
        f"<h1>{html_text(title)}</h1>",
        f'<p class="sub">{html_text(_basis(survey, scene))}</p>',
        "<h2>Advice</h2>",
    ]
    if not survey.advice:
        body.append(card("None: photos and poses look fine."))
    number = 1
    for advice in survey.advice:
        body.append(_advice(advice, images, first_place=number))
        number += len(advice.places)
    body += ["<h2>From above</h2>", card(svg(capture_plan(survey, places), title="floor plan"))]
    if survey.coverage is None:
        body.append(
            '<p class="hint">How many photos see the same was not judged: '
            "poses and photos have to agree first.</p>"
        )
    curve = focal_curve(survey)
    strips = [svg(blur_strip(survey), title="blur of the photos")] if survey.photos else []
    if curve is not None:
        strips.append(svg(curve, title="error of matches over focal length"))
    body += [
        "<h2>Photos, poses and focal length</h2>",
        card(f'<div class="side-by-side">{"".join(strips)}</div>'),
        '<p class="hint">Left: above the dotted line a photo is called blurred. Right: the lowest '
        "point should be at 1; pixels of a photo whose short side is 480.</p>",
    ]
    return html_page(title, "\n".join(body))


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


def _advice(advice: Advice, images: Mapping[str, Path], *, first_place: int) -> str:
    where = ""
    if advice.places:
        numbers = range(first_place, first_place + len(advice.places))
        where = f" On the plan: {', '.join(map(str, numbers))}."
    pictures = "".join(_example(name, images) for name in advice.frames[:EXAMPLES])
    return (
        f'<figure class="card advice {advice.severity}"><figcaption><b>{advice.severity}</b> '
        f"{html_text(advice.text)}<span>{html_text(advice.remedy)}.{where}</span></figcaption>"
        f'<div class="examples">{pictures}</div></figure>'
    )


def _example(name: str, images: Mapping[str, Path]) -> str:
    try:
        photo = read_image(images[name])
    except (ImageError, KeyError):
        return ""
    label = html_text(name)
    return f"<div>{embedded(photo, label, side=EXAMPLE_SIDE)}<span>{label}</span></div>"
