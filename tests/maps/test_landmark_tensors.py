"""Landmarks in the map file: a round trip, what it costs, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reloc.errors import MapError
from reloc.landmarks.compact import DescriptorBasis
from reloc.landmarks.landmarks import MAX_LANDMARKS, Landmarks
from reloc.landmarks.reduction import ReductionOptions, reduced
from reloc.landmarks.vantages import GROUPS, Vantages
from reloc.maps import landmark_tensors
from reloc.maps.scene_map import SceneMap

from .test_scene_map import made_map, rewritten


def made_landmarks(count=50, *, around=(0, 0, 0), seed=0):
    rng = np.random.default_rng(seed)
    units = np.abs(rng.normal(size=(count, 128))).astype(np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    directions = rng.normal(size=(count, 3))
    basis = DescriptorBasis.of(units)
    return Landmarks(
        points=rng.normal(size=(count, 3)) * 4 + around,
        deviations=rng.uniform(0.001, 0.1, count).astype(np.float32),
        directions=(directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(
            np.float32
        ),
        spreads=rng.uniform(0, 1, count).astype(np.float32),
        sizes=rng.uniform(0.01, 0.5, count).astype(np.float32),
        descriptors=basis.codes(units),
        basis=basis,
        vantages=Vantages(
            rng.normal(size=(20, 3)) * 4 + around,
            (directions[rng.integers(count, size=20)] / 9).astype(np.float32),
            1.7,
            rng.uniform(size=(count, 20)) < 0.2,
        ),
    )


@pytest.fixture
def saved(tmp_path):
    plain = made_map()
    path = tmp_path / "attic.reloc"
    replace(plain, landmarks=made_landmarks(around=plain.origin)).save(path)
    return path


def test_whole_descriptors_of_the_first_maps_with_landmarks_are_read(saved):
    known = SceneMap.load(saved).landmarks
    descriptors = torch.from_numpy(known.descriptors)
    early = {landmark_tensors.FACTORS: None, landmark_tensors.DESCRIPTORS: descriptors}
    rewritten(saved, tensors=early)
    np.testing.assert_array_equal(SceneMap.load(saved).landmarks.descriptors, known.descriptors)


def test_landmarks_come_back_as_they_were(saved):
    before = made_landmarks(around=made_map().origin)
    after = SceneMap.load(saved).landmarks
    assert after is not None
    assert np.abs(after.points - before.points).max() < 2e-6
    assert np.abs(after.directions - before.directions).max() < 0.01
    np.testing.assert_allclose(after.spreads, before.spreads, atol=1e-3)
    np.testing.assert_allclose(after.sizes, before.sizes, rtol=1e-3)
    np.testing.assert_allclose(after.deviations, before.deviations, rtol=1e-3)
    # Six bits for each direction, however wide it is.
    most = np.abs(before.descriptors.astype(int)).max(axis=0)
    off = np.abs(after.descriptors.astype(int) - before.descriptors)
    assert (off <= np.maximum(most / 60, most - 31 * np.maximum(1, most // 31))).all()
    assert off.mean() < 1.2
    assert after.bits == before.bits == 6
    np.testing.assert_array_equal(after.basis.directions, before.basis.directions)
    np.testing.assert_array_equal(after.basis.mean, before.basis.mean)
    assert after.basis.step == before.basis.step


def test_vantages_come_back(saved):
    before = made_landmarks(around=made_map().origin).vantages
    after = SceneMap.load(saved).landmarks.vantages
    assert (after.seen == before.seen).all()
    assert np.abs(after.centers - before.centers).max() < 2e-6
    np.testing.assert_array_equal(after.axes, before.axes)
    assert after.depth == pytest.approx(before.depth)


def test_the_first_maps_with_landmarks_tell_no_vantages(saved):
    told = (landmark_tensors.VANTAGES, landmark_tensors.SHOWN, landmark_tensors.DEPTH)
    rewritten(saved, tensors=dict.fromkeys(told))
    assert SceneMap.load(saved).landmarks.vantages is None


def test_saving_again_changes_nothing(saved, tmp_path):
    SceneMap.load(saved).save(tmp_path / "again.reloc")
    SceneMap.load(tmp_path / "again.reloc").save(tmp_path / "third.reloc")
    once, twice = (load_file(tmp_path / f"{name}.reloc") for name in ("again", "third"))
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)


@pytest.mark.parametrize("bits", [3, 4, 5, 6, 8])
def test_what_was_rounded_comes_back_exactly(tmp_path, bits):
    plain = made_map()
    rounding = ReductionOptions(count=500, dimensions=24, bits=bits)
    before = reduced(made_landmarks(500, around=plain.origin), [], options=rounding)
    replace(plain, landmarks=before).save(tmp_path / "map")
    after = SceneMap.load(tmp_path / "map").landmarks
    assert after is not None
    assert after.bits == bits
    assert (after.descriptors == before.descriptors).all()
    stored = load_file(tmp_path / "map")["landmarks.descriptors"]
    assert stored.shape == (500, 3 * bits)


def test_a_landmark_takes_50_bytes(tmp_path):
    sizes = []
    for count in (1000, 3000):
        path = tmp_path / f"{count}.reloc"
        landmarks, axes = made_landmarks(count), np.zeros((GROUPS, 3), np.float32)
        groups = Vantages(np.zeros((GROUPS, 3)), axes, 1.0, np.zeros((count, GROUPS), bool))
        replace(made_map(), landmarks=replace(landmarks, vantages=groups)).save(path)
        sizes.append(path.stat().st_size)
    assert 50 <= (sizes[1] - sizes[0]) / 2000 < 50.1


def test_maps_without_landmarks_are_of_the_version_before(tmp_path):
    path = tmp_path / "attic.reloc"
    empty = made_landmarks().subset(np.zeros(0, np.int64))
    for landmarks in (None, empty):
        replace(made_map(), landmarks=landmarks).save(path)
        assert b"reloc-map-2" in path.read_bytes()
        assert not [name for name in load_file(path) if name.startswith("landmarks")]
        assert SceneMap.load(path).landmarks is None


def test_maps_with_landmarks_say_so(saved):
    assert b"reloc-map-3" in saved.read_bytes()


def changed(name, row, value, dtype=None):
    def change(tensors):
        found = tensors[name].clone()
        found.view(len(found), -1)[row] = value
        return {name: found if dtype is None else found.to(dtype)}

    return change


HOSTILE = {
    "a point beyond all measure": changed("landmarks.points", 3, 1e30),
    "a point that is none": changed("landmarks.points", 3, float("nan")),
    "no direction": changed("landmarks.viewed", 3, 0),
    "negative sizes": changed("landmarks.measures", 3, -1.0),
    "endless sizes": changed("landmarks.measures", 3, float("inf")),
    "more than all around": changed("landmarks.measures", 3, 100.0),
    "no step": changed("landmarks.step", 0, 0.0),
    "an endless step": changed("landmarks.step", 0, float("inf")),
    "half of the points": lambda t: {"landmarks.points": t["landmarks.points"][:25].clone()},
    "none at all": lambda t: {"landmarks.points": t["landmarks.points"][:0].clone()},
    "no descriptors": lambda t: {"landmarks.descriptors": None},
    "no basis": lambda t: {"landmarks.basis": None},
    "no points": lambda t: {"landmarks.points": None},
    "long descriptors": lambda t: {"landmarks.descriptors": torch.zeros((50, 200)).byte()},
    "seven bits": lambda t: {"landmarks.descriptors": torch.zeros((50, 28)).byte()},
    "a basis of 31": lambda t: {"landmarks.basis": t["landmarks.basis"][:, :31].contiguous()},
    "no factor": changed("landmarks.factors", 3, 0),
    "a factor beyond measure": changed("landmarks.factors", 3, 128),
    "no factors": lambda t: {"landmarks.factors": None},
    "descriptors of another kind": lambda t: {
        "landmarks.descriptors": t["landmarks.descriptors"].float()
    },
    "a vantage beyond all measure": changed("landmarks.vantages", 3, 1e30),
    "no depth": changed("landmarks.depth", 0, 0.0),
    "half of the vantages": lambda t: {"landmarks.vantages": t["landmarks.vantages"][:8].clone()},
    "what no vantage shows": lambda t: {"landmarks.shown": None},
    "points in a row": lambda t: {"landmarks.points": t["landmarks.points"].reshape(-1).clone()},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_impossible_landmarks_are_refused_in_a_line(saved, change):
    rewritten(saved, tensors=change(load_file(saved)))
    with pytest.raises(MapError) as refused:
        SceneMap.load(saved)
    assert str(saved) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_too_many_landmarks_are_refused_before_they_are_read(saved, monkeypatch):
    monkeypatch.setattr(landmark_tensors, "MAX_LANDMARKS", 49)
    with pytest.raises(MapError, match="impossible number of landmarks"):
        SceneMap.load(saved)
    assert MAX_LANDMARKS >= 50
