"""Paintings for the faces of solids: every material is a function from a seed and a size to pixels.

Paintings are made once per face, with detail at every scale from the face down to the texel, and
no two are alike. ``paint`` is the one entry; ``KINDS`` lists what there is.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.synthetic import patterns
from reloc.synthetic.patterns import Floats, Rng, floats
from reloc.synthetic.world import Colour, Material

Shape = tuple[int, int]
Painter = Callable[[Rng, Shape, float, Colour], Floats]


def paint(material: Material, seed: int, shape: Shape, texel: float) -> NDArray[np.uint8]:
    """The painting (H, W, 3), RGB, of a material.

    Args:
        material: its kind must be in ``KINDS``.
        seed: the same seed gives the same painting.
        shape: height and width in texels.
        texel: metres per texel.
    """
    rng = np.random.default_rng(seed)
    image = _PAINTERS[material.kind](rng, shape, texel, material.colour)
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def _plain(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.02))
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.9), 0.06)
    return patterns.scuffs(image, rng, texel, per_m2=25, strength=0.5)


def _plaster(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.02))
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.2, gain=0.85), 0.075)
    stain = patterns.noise(rng, shape, texel, coarsest=0.8, gain=0.6)
    patterns.mixed(image, patterns.colour(base, rng, 0.12) * 0.7, np.clip(stain - 1.1, 0, 1) * 0.6)
    return patterns.scuffs(image, rng, texel, per_m2=14, strength=0.55)


def _wallpaper(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.02))
    height, width = shape
    pitch = rng.uniform(0.16, 0.34) / texel
    motif = patterns.vivid(rng) * 0.5 + floats(base) * 0.5
    for row in range(int(height / pitch) + 2):
        for column in range(int(width / pitch) + 2):
            # Hand-printed: each motif differs from its neighbours in place, size and shape.
            at = (np.array([column + 0.5 * (row % 2), row]) + rng.normal(0, 0.1, 2)) * pitch
            petals, turn = int(rng.integers(3, 8)), rng.uniform(0, np.pi)
            size = pitch * rng.uniform(0.18, 0.36)
            rgb = np.clip(motif + rng.normal(0, 0.08, 3), 0, 1).tolist()
            for angle in turn + np.arange(petals) * 2 * np.pi / petals:
                tip = np.round(at + size * np.array([np.cos(angle), np.sin(angle)])).astype(int)
                root = tuple(np.round(at).astype(int).tolist())
                thick = max(1, int(size * 0.22))
                cv2.line(image, root, tuple(tip.tolist()), rgb, thick, cv2.LINE_AA)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.5, gain=0.85), 0.08)
    return patterns.scuffs(image, rng, texel, per_m2=8, strength=0.5)


def _cells(rng: Rng, shape: Shape, texel: float, size: tuple[float, float], shift: float,
           joint: float) -> tuple[Floats, Floats]:  # fmt: skip
    """Random value (H, W) of each cell of a bond, and the share of joint, 0 to 1."""
    height, width = shape
    y = (np.arange(height, dtype=np.float32) + rng.uniform(0, 50)) * (texel / size[0])
    row = np.floor(y).astype(np.int64)
    offsets = rng.random(int(row.max()) + 2) if shift < 0 else row * 0 + 0.0
    offset = offsets[row] if shift < 0 else (row % 2) * shift
    x = (np.arange(width, dtype=np.float32) * (texel / size[1]))[None] + offset[:, None]
    column = np.floor(x).astype(np.int64)
    table = rng.random((int(row.max()) + 1, int(column.max()) + 1)).astype(np.float32)
    value = table[row[:, None], column]
    in_y = np.minimum(y - row, 1 - y + row)[:, None] * size[0]
    in_x = np.minimum(x - column, 1 - x + column) * size[1]
    gap = np.minimum(in_y, in_x).astype(np.float32)
    return value, np.clip((joint / 2 - gap) / max(texel, joint * 0.3) + 0.5, 0, 1)


def _brick(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    value, joint = _cells(rng, shape, texel, (0.075, 0.23), 0.5, 0.011)
    image = patterns.filled(shape, patterns.colour(base, rng, 0.03))
    patterns.toned(image, value - 0.5, 0.55)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.0, gain=0.95), 0.13)
    patterns.mixed(image, floats([0.62, 0.6, 0.56]), joint * 0.85)
    return patterns.scuffs(image, rng, texel, per_m2=15, strength=0.6)


def _tiles(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    side = rng.choice([0.12, 0.2, 0.33, 0.45])
    value, joint = _cells(rng, shape, texel, (side, side), float(rng.choice([0, 0.5])), 0.006)
    image = patterns.filled(shape, patterns.colour(base, rng, 0.03))
    patterns.toned(image, value - 0.5, 0.25)
    accent = patterns.vivid(rng)
    patterns.mixed(image, accent, (value > rng.uniform(0.8, 0.95)).astype(np.float32) * 0.7)
    veins = np.abs(patterns.noise(rng, shape, texel, coarsest=0.6, gain=0.7) + (value - 0.5) * 3)
    patterns.mixed(image, floats(base) * 0.55, np.clip(1 - veins * 4, 0, 1) * 0.5)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.0, gain=0.85), 0.06)
    patterns.mixed(image, floats([0.4, 0.39, 0.37]), joint * 0.8)
    return patterns.scuffs(image, rng, texel, per_m2=10, strength=0.5)


def _grain(rng: Rng, shape: Shape, texel: float) -> Floats:
    grain = patterns.noise(rng, shape, texel, coarsest=0.08, gain=0.9, stretch=(1, 14))
    rings = patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.55, stretch=(1, 5))
    return floats(0.6 * grain + 0.8 * np.sin(rings * 6))


def _wood(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    # The grain runs along the longer side.
    upright = shape[0] > shape[1]
    grain = _grain(rng, shape[::-1] if upright else shape, texel)
    image = patterns.filled(shape, patterns.colour(base, rng, 0.03))
    patterns.toned(image, grain.T if upright else grain, 0.13)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.6, gain=0.8), 0.06)
    return patterns.scuffs(image, rng, texel, per_m2=25, strength=0.5)


def _planks(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    size = (rng.uniform(0.07, 0.16), rng.uniform(0.7, 1.5))
    value, joint = _cells(rng, shape, texel, size, -1.0, 0.004)
    image = patterns.filled(shape, patterns.colour(base, rng, 0.03))
    patterns.toned(image, value - 0.5, 0.6)
    patterns.toned(image, _grain(rng, shape, texel) * (0.5 + value), 0.12)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.0, gain=0.8), 0.06)
    patterns.mixed(image, floats(base) * 0.25, joint * 0.8)
    return patterns.scuffs(image, rng, texel, per_m2=14, strength=0.5)


def _carpet(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.03))
    blots = patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.8)
    patterns.mixed(image, patterns.vivid(rng), np.clip(blots * 1.5 - 0.8, 0, 1) * 0.45)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.7, gain=1.05), 0.14)
    return patterns.scuffs(image, rng, texel, per_m2=10, strength=0.6)


def _rug(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.05))
    height, width = shape
    inset = 0.0
    for _ in range(int(rng.integers(2, 5))):
        inset += rng.uniform(0.03, 0.1) / texel
        corner, far = (int(inset), int(inset)), (int(width - inset), int(height - inset))
        if far[0] - corner[0] < 4 or far[1] - corner[1] < 4:
            break
        cv2.rectangle(image, corner, far, patterns.vivid(rng).tolist(), -1)
    patterns.shapes(image, rng, int(rng.integers(40, 90)), 0.2)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.4, gain=1.05), 0.12)
    return image


def _fabric(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.03))
    height, width = shape
    if rng.random() < 0.5:
        accent = patterns.vivid(rng)
        for axis in range(int(rng.integers(1, 3))):
            edges = np.cumsum(rng.uniform(0.01, 0.07, 200)) / texel
            stripe = np.searchsorted(edges, np.arange(width if axis == 0 else height)) % 2
            share = (stripe * 0.45).astype(np.float32)
            share = np.broadcast_to(share if axis == 0 else share[:, None], shape)
            patterns.mixed(image, accent, share)
    else:
        patterns.shapes(image, rng, max(4, int(150 * height * width * texel**2)), 0.15)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.35, gain=0.95), 0.14)
    return patterns.scuffs(image, rng, texel, per_m2=20, strength=0.5)


def _curtain(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = _fabric(rng, shape, texel, base)
    waves = np.sin(np.cumsum(rng.uniform(0.2, 1.8, shape[1])) * texel * 60).astype(np.float32)
    return patterns.toned(image, np.broadcast_to(waves, shape), 0.3)


def _metal(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.02))
    brushed = patterns.noise(rng, shape, texel, coarsest=0.1, gain=1.0, stretch=(1, 10))
    patterns.toned(image, brushed, 0.08)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.4, gain=0.8), 0.1)
    return patterns.scuffs(image, rng, texel, per_m2=40, strength=0.7)


def _marble(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.02))
    for scale in (0.8, 0.4):
        veins = np.abs(patterns.noise(rng, shape, texel, coarsest=scale, gain=0.6))
        patterns.mixed(image, floats(base) * 0.35, np.clip(1 - veins * 5, 0, 1) * 0.6)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.85), 0.07)
    return image


def _panels(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    """A ceiling of panels with punched holes."""
    value, joint = _cells(rng, shape, texel, (0.6, 0.6), 0.0, 0.012)
    image = patterns.filled(shape, patterns.colour(base, rng, 0.02))
    patterns.toned(image, value - 0.5, 0.12)
    holes = patterns.noise(rng, shape, texel, coarsest=0.03, gain=1.0)
    patterns.mixed(image, floats(base) * 0.4, np.clip(holes - 1.6, 0, 1))
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.2, gain=0.8), 0.07)
    patterns.mixed(image, floats([0.35, 0.35, 0.36]), joint * 0.8)
    return patterns.scuffs(image, rng, texel, per_m2=6, strength=0.5)


def _picture(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    """Paintings: a landscape of layered hills, or shapes without meaning."""
    height, width = shape
    image = patterns.gradient(shape, patterns.vivid(rng), patterns.vivid(rng))
    if rng.random() < 0.5:
        for level in np.sort(rng.uniform(0.25, 0.95, int(rng.integers(3, 6)))):
            ridge = patterns.noise(rng, (2, width), 1.0, coarsest=width / 2, gain=0.5)[0]
            top = (level + 0.07 * ridge) * height
            below = np.arange(height)[:, None] > top[None]
            image[below] = patterns.vivid(rng)
    patterns.shapes(image, rng, int(rng.integers(12, 45)), rng.uniform(0.2, 0.6))
    strokes = patterns.noise(rng, shape, texel, coarsest=0.2, gain=0.9, stretch=(1, 3))
    return patterns.toned(image, strokes, 0.12)


def _poster(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    height, width = shape
    image = patterns.filled(shape, patterns.vivid(rng) * 0.5 + 0.45)
    ink = patterns.vivid(rng) * 0.35
    y, pad = int(height * 0.05), max(1, int(width * 0.06))
    while y < height * 0.95:
        block = int(height * rng.uniform(0.08, 0.35))
        end = min(y + block, int(height * 0.95))
        if end - y < 3 or width < 8:
            break
        if rng.random() < 0.45:
            part = _picture(rng, (end - y, width - 2 * pad), texel, base)
            image[y:end, pad : width - pad] = part
        else:
            line = int(rng.choice([0.012, 0.03, 0.07, 0.12]) / texel)
            patterns.lettering(image, rng, (pad, y, width - pad, end), max(2, line), ink)
        y = end + max(1, int(height * 0.02))
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.7), 0.04)


def _paper(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    height, width = shape
    image = patterns.filled(shape, patterns.colour((0.88, 0.87, 0.83), rng, 0.03))
    pad = max(1, width // 12)
    line = max(2, int(rng.choice([0.008, 0.015, 0.03]) / texel))
    ink = floats([0.12, 0.12, 0.16])
    patterns.lettering(image, rng, (pad, height // 12, width - pad, height * 11 // 12), line, ink)
    if rng.random() < 0.5:
        patterns.shapes(image, rng, 4, 0.35)
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.2, gain=0.7), 0.03)


def _board(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    """A whiteboard with writing and diagrams."""
    height, width = shape
    image = patterns.filled(shape, patterns.colour((0.86, 0.88, 0.88), rng, 0.02))
    for _ in range(int(rng.integers(4, 9))):
        x, y = (rng.uniform(0.02, 0.7, 2) * (width, height)).astype(int).tolist()
        ink = floats([(0.1, 0.15, 0.5), (0.6, 0.1, 0.1), (0.1, 0.1, 0.1), (0.05, 0.4, 0.15)])
        box = (x, y, min(width - 2, x + width // 3), min(height - 2, y + height // 3))
        if rng.random() < 0.6:
            line = max(4, int(rng.uniform(0.03, 0.08) / texel))
            patterns.lettering(image, rng, box, line, ink[rng.integers(4)])
        else:
            points = rng.uniform(0, 1, (6, 2)) * (box[2] - x, box[3] - y) + (x, y)
            path = [np.round(points).astype(np.int32).reshape(-1, 1, 2)]
            cv2.polylines(image, path, True, ink[rng.integers(4)].tolist(), 2, cv2.LINE_AA)
    wiped = patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.8, stretch=(1, 3))
    return patterns.toned(image, wiped, 0.045)


def _screen(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    height, width = shape
    image = patterns.filled(shape, floats([0.1, 0.12, 0.16]) + patterns.vivid(rng) * 0.15)
    for _ in range(int(rng.integers(3, 7))):
        x, y = (rng.uniform(0, 0.7, 2) * (width, height)).astype(int).tolist()
        x1, y1 = min(width, x + width // 2), min(height, y + height // 2)
        paper = patterns.vivid(rng)
        image[y:y1, x:x1] = paper
        ink = floats(1 - paper)
        line = max(2, int(0.02 / texel))
        patterns.lettering(image, rng, (x + 1, y + 1, max(x + 2, x1 - 1), y1), line, ink)
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.1), 0.04)


def _books(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    """Spines side by side, with titles."""
    height, width = shape
    image = patterns.filled(shape, floats([0.05, 0.04, 0.04]))
    x = 0.0
    while x < width:
        wide = max(1.5, rng.uniform(0.012, 0.055) / texel)
        top = int(height * rng.choice([0, 0, rng.uniform(0, 0.25)]))
        a, b = round(x), min(width, max(round(x) + 1, round(x + wide) - int(texel < 0.004)))
        cover, ink = patterns.vivid(rng), patterns.vivid(rng)
        image[top:, a:b] = cover
        for _ in range(int(rng.integers(1, 5))):
            y = int(rng.uniform(top, height))
            image[y : y + max(1, int(rng.uniform(0.003, 0.05) / texel)), a:b] = ink
        if b - a > 4:
            label = np.ascontiguousarray(np.rot90(image[top:, a:b]))
            box = (label.shape[1] // 8, 1, label.shape[1] * 7 // 8, label.shape[0])
            patterns.lettering(label, rng, box, max(2, (b - a) * 2 // 3), 1 - cover)
            image[top:, a:b] = np.rot90(label, -1)
        x += wide
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.2, gain=0.9), 0.08)


def _drawers(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    """A front with drawers or doors, their gaps and handles."""
    image = _wood(rng, shape, texel, base)
    height, width = shape
    rows, columns = max(1, round(height * texel / 0.3)), max(1, round(width * texel / 0.5))
    dark = (floats(base) * 0.25).tolist()
    gap = max(1, round(0.006 / texel))
    knob = patterns.vivid(rng).tolist()
    for row in range(rows):
        for column in range(columns):
            x0, x1 = (round(width * (column + s) / columns) for s in (0, 1))
            y0, y1 = (round(height * (row + s) / rows) for s in (0, 1))
            image[y0:y1, x0:x1] *= rng.uniform(0.85, 1.12)
            cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), dark, gap)
            centre = ((x0 + x1) // 2, (y0 + y1) // 2)
            size = max(1, round(rng.uniform(0.012, 0.022) / texel))
            end = (centre[0] + round(rng.uniform(0, 0.12) / texel), centre[1])
            cv2.line(image, centre, end, knob, size, cv2.LINE_AA)
    return image


def _door(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = _wood(rng, shape, texel, base)
    height, width = shape
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    for row in range(rows):
        for column in range(columns):
            x0, x1 = (int(width * (0.1 + 0.8 * (column + s) / columns)) for s in (0.07, 0.93))
            y0, y1 = (int(height * (0.06 + 0.88 * (row + s) / rows)) for s in (0.05, 0.95))
            for inset, tone in ((0, 0.45), (1, 1.25), (2, 0.7)):
                step = round(inset * 0.012 / texel)
                rgb = np.clip(floats(base) * tone, 0, 1).tolist()
                corner, far = (x0 + step, y0 + step), (x1 - step, y1 - step)
                cv2.rectangle(image, corner, far, rgb, max(1, round(0.01 / texel)))
    return image


def _cardboard(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, patterns.colour(base, rng, 0.04))
    height, width = shape
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.3, gain=0.9), 0.1)
    tape = slice(int(width * 0.44), int(width * 0.44) + max(1, int(0.05 / texel)))
    image[:, tape] = image[:, tape] * 0.5 + patterns.vivid(rng) * 0.4
    if height > 12 and width > 12:
        x, y = int(width * rng.uniform(0.05, 0.4)), int(height * rng.uniform(0.05, 0.5))
        x1, y1 = min(width - 1, x + width // 2), min(height - 1, y + height // 3)
        if rng.random() < 0.6:
            image[y:y1, x:x1] = _paper(rng, (y1 - y, x1 - x), texel, base)
        else:
            line = max(4, int(rng.uniform(0.04, 0.09) / texel))
            patterns.lettering(image, rng, (x, y, x1, y1), line, floats(base) * 0.25)
    return patterns.scuffs(image, rng, texel, per_m2=30, strength=0.6)


def _leaves(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = patterns.filled(shape, floats(base) * 0.25)
    height, width = shape
    for _ in range(min(900, int(height * width * texel**2 * 1500) + 20)):
        centre = tuple((rng.uniform(0, 1, 2) * (width, height)).astype(int).tolist())
        long = max(1.5, rng.uniform(0.02, 0.06) / texel)
        axes = (int(long), max(1, int(long * rng.uniform(0.2, 0.4))))
        rgb = np.clip(floats(base) * rng.uniform(0.5, 1.7) + rng.normal(0, 0.04, 3), 0, 1)
        turn = rng.uniform(0, 360)
        cv2.ellipse(image, centre, axes, turn, 0, 360, rgb.tolist(), -1, cv2.LINE_AA)
    return image


def _view(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    """What is seen through a window: sky, hills, houses with windows of their own."""
    height, width = shape
    sky = floats([0.62, 0.78, 0.95])
    image = patterns.gradient(shape, sky, sky * 0.6)
    clouds = patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.6, stretch=(1, 2))
    patterns.mixed(image, floats([0.95, 0.95, 0.95]), np.clip(clouds, 0, 1) * 0.8)
    x = 0
    while x < width:
        wide = int(width * rng.uniform(0.08, 0.3)) + 2
        top = int(height * rng.uniform(0.3, 0.8))
        wall = patterns.vivid(rng) * 0.6
        image[top:, x : x + wide] = wall
        step = max(3, int(0.05 / texel))
        for wy in range(top + step // 2, height - step // 2, step):
            for wx in range(x + step // 2, min(x + wide, width) - step // 2, step):
                image[wy : wy + step // 2, wx : wx + step // 2] = wall * rng.uniform(0.3, 1.8)
        x += wide
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.3), 0.05)


def _shade(rng: Rng, shape: Shape, texel: float, base: Colour) -> Floats:
    image = _fabric(rng, shape, texel, (0.8, 0.7, 0.5))
    return image * 0.5 + 0.4


_PAINTERS: dict[str, Painter] = {
    "plain": _plain,
    "plaster": _plaster,
    "wallpaper": _wallpaper,
    "brick": _brick,
    "tiles": _tiles,
    "wood": _wood,
    "planks": _planks,
    "carpet": _carpet,
    "rug": _rug,
    "fabric": _fabric,
    "curtain": _curtain,
    "metal": _metal,
    "marble": _marble,
    "panels": _panels,
    "picture": _picture,
    "poster": _poster,
    "paper": _paper,
    "board": _board,
    "screen": _screen,
    "books": _books,
    "drawers": _drawers,
    "door": _door,
    "cardboard": _cardboard,
    "leaves": _leaves,
    "view": _view,
    "shade": _shade,
}

KINDS: tuple[str, ...] = tuple(_PAINTERS)
