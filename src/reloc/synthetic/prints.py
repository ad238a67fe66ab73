"""Prints and fronts: pictures, texts, books, drawers, doors, what is seen through windows.

Painters as in ``surfaces``; those that need no main colour ignore it.
"""

import cv2
import numpy as np

from reloc.synthetic import patterns
from reloc.synthetic.patterns import Floats, Rng, floats
from reloc.synthetic.surfaces import Shape, wood
from reloc.synthetic.world import Color


def picture(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
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


def poster(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Blocks of pictures and lettering on a pale sheet."""
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
            part = picture(rng, (end - y, width - 2 * pad), texel, base)
            image[y:end, pad : width - pad] = part
        else:
            line = int(rng.choice([0.012, 0.03, 0.07, 0.12]) / texel)
            patterns.lettering(image, rng, (pad, y, width - pad, end), max(2, line), ink)
        y = end + max(1, int(height * 0.02))
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.5, gain=0.7), 0.04)


def paper(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A printed sheet, with or without diagrams."""
    height, width = shape
    image = patterns.filled(shape, patterns.color((0.88, 0.87, 0.83), rng, 0.03))
    pad = max(1, width // 12)
    line = max(2, int(rng.choice([0.008, 0.015, 0.03]) / texel))
    ink = floats([0.12, 0.12, 0.16])
    patterns.lettering(image, rng, (pad, height // 12, width - pad, height * 11 // 12), line, ink)
    if rng.random() < 0.5:
        patterns.shapes(image, rng, 4, 0.35)
    return patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.2, gain=0.7), 0.03)


def board(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A whiteboard with writing and diagrams."""
    height, width = shape
    image = patterns.filled(shape, patterns.color((0.86, 0.88, 0.88), rng, 0.02))
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


def screen(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A screen with windows of text."""
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


def books(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
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


def drawers(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A front with drawers or doors, their gaps and handles."""
    image = wood(rng, shape, texel, base)
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
            center = ((x0 + x1) // 2, (y0 + y1) // 2)
            size = max(1, round(rng.uniform(0.012, 0.022) / texel))
            end = (center[0] + round(rng.uniform(0, 0.12) / texel), center[1])
            cv2.line(image, center, end, knob, size, cv2.LINE_AA)
    return image


def door(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A wooden door with panels."""
    image = wood(rng, shape, texel, base)
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


def cardboard(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """A side of a box with tape and print."""
    image = patterns.filled(shape, patterns.color(base, rng, 0.04))
    height, width = shape
    patterns.toned(image, patterns.noise(rng, shape, texel, coarsest=0.3, gain=0.9), 0.1)
    tape = slice(int(width * 0.44), int(width * 0.44) + max(1, int(0.05 / texel)))
    image[:, tape] = image[:, tape] * 0.5 + patterns.vivid(rng) * 0.4
    if height > 12 and width > 12:
        x, y = int(width * rng.uniform(0.05, 0.4)), int(height * rng.uniform(0.05, 0.5))
        x1, y1 = min(width - 1, x + width // 2), min(height - 1, y + height // 3)
        if rng.random() < 0.6:
            image[y:y1, x:x1] = paper(rng, (y1 - y, x1 - x), texel, base)
        else:
            line = max(4, int(rng.uniform(0.04, 0.09) / texel))
            patterns.lettering(image, rng, (x, y, x1, y1), line, floats(base) * 0.25)
    return patterns.scuffs(image, rng, texel, per_m2=30, strength=0.6)


def leaves(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
    """Leaves that lie over each other."""
    image = patterns.filled(shape, floats(base) * 0.25)
    height, width = shape
    for _ in range(min(900, int(height * width * texel**2 * 1500) + 20)):
        center = tuple((rng.uniform(0, 1, 2) * (width, height)).astype(int).tolist())
        long = max(1.5, rng.uniform(0.02, 0.06) / texel)
        axes = (int(long), max(1, int(long * rng.uniform(0.2, 0.4))))
        rgb = np.clip(floats(base) * rng.uniform(0.5, 1.7) + rng.normal(0, 0.04, 3), 0, 1)
        turn = rng.uniform(0, 360)
        cv2.ellipse(image, center, axes, turn, 0, 360, rgb.tolist(), -1, cv2.LINE_AA)
    return image


def view(rng: Rng, shape: Shape, texel: float, base: Color) -> Floats:
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
