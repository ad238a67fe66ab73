"""Views come back from a file as they went in."""

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.synthetic.cache import read_views, write_views
from reloc.synthetic.training_views import TrainingViews, correspondences, render_training_views


@pytest.mark.usefixtures("coarse")
def test_views_survive_a_file(tmp_path):
    views = render_training_views(0, views=3, size=64)
    write_views(tmp_path / "room.npz", views)
    read = read_views(tmp_path / "room.npz")
    assert (read.images == views.images).all() and (read.pairs == views.pairs).all()
    assert (read.world_from_cam == views.world_from_cam).all()
    np.testing.assert_allclose(read.depths, views.depths, rtol=1e-3)
    before, after = (correspondences(v, 0, 1) for v in (views, read))
    assert (before[1] == after[1]).mean() > 0.98
    both = before[1] & after[1]
    assert np.abs(before[0] - after[0])[both].max(initial=0.0) < 0.2


@pytest.mark.parametrize("content", [None, b"", b"no views", b"PK\x03\x04 cut short"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "room.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SceneError, match=r"room\.npz"):
        read_views(path)


def test_an_archive_of_other_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "room.npz", images=np.zeros(3))
    with pytest.raises(SceneError, match="render again"):
        read_views(tmp_path / "room.npz")


def made_views():
    rng = np.random.default_rng(0)
    return TrainingViews(
        rng.integers(0, 256, (2, 128, 128), np.uint8),
        rng.uniform(1, 5, (2, 128, 128)),
        rng.uniform(1, 50, (2, 4)),
        rng.normal(size=(2, 4, 4)),
        np.array([[0, 1], [1, 0]]),
        np.ones(2, np.float32),
    )


def test_damage_is_refused(tmp_path, damaged):
    path = tmp_path / "room.npz"
    write_views(path, made_views())
    content, right = path.read_bytes(), read_views(path)
    for seed in range(60):
        path.write_bytes(damaged(content, seed))
        try:
            found = read_views(path)
        except SceneError:
            continue
        assert all((getattr(found, name) == value).all() for name, value in vars(right).items())


def test_a_smaller_shape_is_damage(tmp_path):
    """NumPy stops reading before the checksum is compared."""
    path = tmp_path / "room.npz"
    write_views(path, made_views())
    content = path.read_bytes()
    assert content.count(b"(2, 128, 128)") == 2
    path.write_bytes(content.replace(b"(2, 128, 128)", b"(2, 128, 100)"))
    with pytest.raises(SceneError, match="render again"):
        read_views(path)
