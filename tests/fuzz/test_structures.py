"""Texts of the right form with anything in them: what stands in a field, a name or a spec."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reloc.heads import MlpHead, RidgeHead
from reloc.maps.scene_map import Region
from tests.fuzz.archives import tar_of, zip_of
from tests.fuzz.map_targets import NAME, VIEW_LENGTH, made_map
from tests.fuzz.mutation import Files
from tests.fuzz.running import run_input
from tests.fuzz.target import Target, file_of
from tests.fuzz.targets import TARGETS

# The examples are always the same ones. A faulty one is told as it is: to make it smaller could
# take minutes.
few = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
numbers = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, 10**400]),
    st.floats(),
)
texts = st.text(st.characters(), max_size=8)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
matrices = st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=3, max_size=4)


def check(target: Target, files: Files) -> None:
    """Fails unless the target reads the files or refuses them as it should."""
    with tempfile.TemporaryDirectory() as scratch:
        outcome = run_input(target, files, Path(scratch))
    assert not outcome.faulty, f"{outcome.where}: {outcome.detail}"


def with_fields(value: Any, changes: dict[str, Any]) -> Any:
    """A JSON value in which every object that has a field gets what the field is changed to."""
    if isinstance(value, list):
        return [with_fields(item, changes) for item in value]
    if isinstance(value, dict):
        kept = {key: with_fields(item, changes) for key, item in value.items()}
        return kept | {key: item for key, item in changes.items() if key in kept}
    return value


def fields_of(value: Any) -> set[str]:
    """The names of all fields in a JSON value."""
    if isinstance(value, list):
        return set().union(*map(fields_of, value))
    if isinstance(value, dict):
        return set(value) | set().union(*map(fields_of, value.values()))
    return set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("scene-transforms", "transforms.json"),
        ("evaluation", "eval.json"),
        ("poses-json", "poses.json"),
    ],
)
def test_any_value_in_any_field(name: str, file: str) -> None:
    target = TARGETS[name]
    valid = json.loads(target.seed(0)[file])
    changes = st.dictionaries(
        st.sampled_from(sorted(fields_of(valid))), values | matrices, min_size=1, max_size=2
    )

    @few
    @given(changes)
    def run(changed: dict[str, Any]) -> None:
        content = json.dumps(with_fields(valid, changed)).encode("utf-8", "surrogatepass")
        check(target, {**target.seed(0), file: content})

    run()


@pytest.mark.slow
@few
@given(st.dictionaries(st.sampled_from(["scene", "map", "heads", "steps", "preset"]), values))
def test_any_value_in_a_manifest(changed: dict[str, Any]) -> None:
    entry = {"scene": "a", "map": "a.safetensors", "heads": 2, **changed}
    check(TARGETS["manifest"], {"maps.jsonl": json.dumps(entry).encode()})


@few
@given(
    st.sampled_from(["", "OPENCV", "1 PINHOLE", "SIMPLE_RADIAL", "FOV", "FULL_OPENCV"]),
    st.lists(numbers.map(str) | texts, max_size=14),
    st.sampled_from([" ", ",", ", ", "\n", "\t"]),
)
def test_any_text_for_a_camera(model: str, words: list[str], between: str) -> None:
    text = f"{model} {between.join(words)}"
    for name in ("camera-text", "camera-file"):
        check(TARGETS[name], {"camera.txt": text.encode("utf-8", "surrogatepass")})


regions = st.builds(
    lambda kind, channels, scale, origin, frames, views: Region(
        MlpHead(channels=channels, width=16, blocks=0, scale=scale)
        if kind == "mlp"
        else RidgeHead(channels=channels, anchors=9, neighbours=3, scale=scale),
        np.array(origin),
        frames,
        np.ones((2, views), np.int8),
    ),
    kind=st.sampled_from(["mlp", "ridge"]),
    channels=st.sampled_from([8, 8, 7, 9]),
    scale=st.sampled_from([1.0, 1.0, 1e-30, 1e30, 3e38]),
    origin=st.tuples(*[st.sampled_from([0.0, 1e7, 1e150, 1e300])] * 3),
    frames=st.sampled_from([None, (), (0, 2), (2, 2, 2)]),
    views=st.sampled_from([VIEW_LENGTH, VIEW_LENGTH, 5]),
)


@pytest.mark.slow
@few
@given(
    st.lists(regions, min_size=1, max_size=3).map(tuple),
    st.sampled_from([8, 9, 48, 480]),
    st.floats(0, 1e300),
    st.booleans(),
)
def test_maps_of_any_sizes(
    found: tuple[Region, ...], short_side: int, extent: float, cameras: bool
) -> None:
    """Sound files whose parts need not fit together."""
    made = replace(made_map(0), regions=found, short_side=short_side, extent=extent, preview=None)
    if not cameras:
        made = replace(made, cameras=())
    check(TARGETS["map"], {NAME: file_of(made.save, NAME)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file", "packed"), [("zip", "hall.zip", zip_of), ("tar", "hall.tar.gz", tar_of)]
)
def test_any_names_in_an_archive(
    name: str, file: str, packed: Callable[[list[tuple[str, bytes]]], bytes]
) -> None:
    parts = st.sampled_from(["..", ".", "", "a", "b", "...zip", "..zip", ".zip", "a.zip", "C:"])
    names = st.lists(parts | texts, min_size=1, max_size=4).map("/".join)

    @few
    @given(st.lists(names, min_size=1, max_size=4))
    def run(found: list[str]) -> None:
        inner = zip_of([("x", b"y")])
        entries = [(n.encode("utf-8", "replace").decode().replace("\0", ""), inner) for n in found]
        check(TARGETS[name], {file: packed(entries)})

    run()
