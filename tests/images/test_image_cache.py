"""Images that are decoded once, within bounds of memory."""

import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError
from reloc.images import image_cache
from reloc.images.image_cache import ImageCache


@pytest.fixture
def paths(tmp_path):
    """Five images of 1200 pixels."""
    found = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(found):
        assert cv2.imwrite(str(path), np.full((30, 40), 10 * number, np.uint8))
    return found


@pytest.fixture
def decoded(monkeypatch):
    """Names of what was decoded."""
    names, read = [], image_cache.read_gray

    def noted(path):
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(image_cache, "read_gray", noted)
    return names


def test_what_fits_is_decoded_once(paths, decoded):
    cache = ImageCache()
    for _ in range(3):
        for number, path in enumerate(paths):
            assert (cache.read(path) == 10 * number).all()
    assert decoded == [path.name for path in paths]


def test_no_more_is_kept_than_fits_and_what_is_kept_stays(paths, decoded):
    cache = ImageCache(max_bytes=2 * 1200 + 1199)
    for _ in range(2):
        for path in paths:
            cache.read(path)
    assert decoded[5:] == ["2.png", "3.png", "4.png"]


def test_threads_may_share_it(paths):
    cache = ImageCache(max_bytes=3 * 1200)
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(cache.read, paths * 40))
    assert [int(image[0, 0]) for image in images] == [0, 10, 20, 30, 40] * 40
    assert cache._left == 0


def test_an_image_that_was_damaged_is_read_again(paths):
    cache = ImageCache()
    whole = paths[0].read_bytes()
    paths[0].write_bytes(whole[:20])
    with pytest.raises(ImageError):
        cache.read(paths[0])
    paths[0].write_bytes(whole)
    assert cache.read(paths[0]).shape == (30, 40)


@pytest.mark.parametrize(("pages", "expected"), [(1, 512 << 20), (10 << 20, int(0.1 * (40 << 30)))])
def test_more_is_kept_where_memory_is_free(pages, expected, monkeypatch):
    sizes = {"SC_AVPHYS_PAGES": pages, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__, raising=False)
    assert image_cache.room() == expected


def test_machines_that_do_not_tell_have_some_room(monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert image_cache.room() == 512 << 20
