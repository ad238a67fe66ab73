"""Surfaces: what walls, floors, furniture and cloth are made of.

Every painter takes a random generator, the size (height, width) in texels, the metres per texel
and a main colour, and returns an image (H, W, 3) of float32, about 0 to 1.
"""

import cv2
import numpy as np

from reloc.synthetic import patterns
from reloc.synthetic.patterns import Floats, Rng, floats
from reloc.synthetic.world import Color

Shape = tuple[int, int]


def plain(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Paint with faint blots."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.02))
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.9), 0.06)
    return patterns.scuffs(image, rng, texel, per_m2=25, strength=0.5)


def plaster(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Plaster with stains."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.02))
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.2, gain=0.85), 0.075)
    stain = patterns.noise(rng, shape, texel, coarsest=0.8, gain=0.6)
    patterns.mixed(image, patterns.color(base, rng, 0.12) * 0.7, np.clip(stain - 1.1, 0, 1) * 0.6)
    return patterns.scuffs(image, rng, texel, per_m2=14, strength=0.55)


def wallpaper(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Wallpaper with printed motifs, of which no two are the same."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.02))
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


def brick(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A brick wall with joints."""
    value, joint = _cells(rng, shape, texel, (0.075, 0.23), 0.5, 0.011)
    image = patterns.filled(shape, patterns.color(base, rng, 0.03))
    patterns.toned(image, value - 0.5, 0.55)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.0, gain=0.95), 0.13)
    patterns.mixed(image, floats([0.62, 0.6, 0.56]), joint * 0.85)
    return patterns.scuffs(image, rng, texel, per_m2=15, strength=0.6)


def tiles(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Square tiles with veins, some in another colour."""
    side = rng.choice([0.12, 0.2, 0.33, 0.45])
    value, joint = _cells(rng, shape, texel, (side, side), float(rng.choice([0, 0.5])), 0.006)
    image = patterns.filled(shape, patterns.color(base, rng, 0.03))
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


def wood(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Wood whose grain runs along the longer side."""
    upright = shape[0] > shape[1]
    grain = _grain(rng, shape[::-1] if upright else shape, texel)
    image = patterns.filled(shape, patterns.color(base, rng, 0.03))
    patterns.toned(image, grain.T if upright else grain, 0.13)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.6, gain=0.8), 0.06)
    return patterns.scuffs(image, rng, texel, per_m2=25, strength=0.5)


def planks(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A floor of planks."""
    size = (rng.uniform(0.07, 0.16), rng.uniform(0.7, 1.5))
    value, joint = _cells(rng, shape, texel, size, -1.0, 0.004)
    image = patterns.filled(shape, patterns.color(base, rng, 0.03))
    patterns.toned(image, value - 0.5, 0.6)
    patterns.toned(image, _grain(rng, shape, texel) * (0.5 + value), 0.12)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.0, gain=0.8), 0.06)
    patterns.mixed(image, floats(base) * 0.25, joint * 0.8)
    return patterns.scuffs(image, rng, texel, per_m2=14, strength=0.5)


def carpet(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A carpet with blots of another colour."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.03))
    blots = patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.8)
    patterns.mixed(image, patterns.vivid(rng), np.clip(blots * 1.5 - 0.8, 0, 1) * 0.45)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.7, gain=1.05), 0.14)
    return patterns.scuffs(image, rng, texel, per_m2=10, strength=0.6)


def rug(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A rug with frames and figures."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.05))
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


def fabric(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Cloth, with or without stripes."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.03))
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


def curtain(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Cloth in folds."""
    image = fabric(rng, shape, texel, base)
    waves = np.sin(np.cumsum(rng.uniform(0.2, 1.8, shape[1])) * texel * 60).astype(np.float32)
    return patterns.toned(image, np.broadcast_to(waves, shape), 0.3)


def metal(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Brushed metal."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.02))
    brushed = patterns.noise(rng, shape, texel, coarsest=0.1, gain=1.0, stretch=(1, 10))
    patterns.toned(image, brushed, 0.08)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.4, gain=0.8), 0.1)
    return patterns.scuffs(image, rng, texel, per_m2=40, strength=0.7)


def marble(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Marble with veins."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.02))
    for scale in (0.8, 0.4):
        veins = np.abs(patterns.noise(rng, shape, texel, coarsest=scale, gain=0.6))
        patterns.mixed(image, floats(base) * 0.35, np.clip(1 - veins * 5, 0, 1) * 0.6)
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.85), 0.07)
    return image


def panels(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A ceiling of panels with punched holes."""
    value, joint = _cells(rng, shape, texel, (0.6, 0.6), 0.0, 0.012)
    image = patterns.filled(shape, patterns.color(base, rng, 0.02))
    patterns.toned(image, value - 0.5, 0.12)
    holes = patterns.noise(rng, shape, texel, coarsest=0.03, gain=1.0)
    patterns.mixed(image, floats(base) * 0.4, np.clip(holes - 1.6, 0, 1))
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=1.2, gain=0.8), 0.07)
    patterns.mixed(image, floats([0.35, 0.35, 0.36]), joint * 0.8)
    return patterns.scuffs(image, rng, texel, per_m2=6, strength=0.5)


def shade(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """The cloth of a lamp shade."""
    image = fabric(rng, shape, texel, (0.8, 0.7, 0.5))
    return image * 0.5 + 0.4
