"""What may be chosen about mapping."""

import pytest

from reloc.errors import OptionError
from reloc.mapping.options import PRESETS, MappingOptions, preset_options


def test_presets_grow():
    draft, standard, full = (PRESETS[name] for name in ("draft", "standard", "full"))
    assert draft.views < standard.views < full.views
    assert draft.steps < standard.steps < full.steps
    assert MappingOptions() == standard


def test_a_preset_takes_changes():
    assert preset_options("draft", seed=7).seed == 7
    assert preset_options("draft", seed=7).steps == PRESETS["draft"].steps


@pytest.mark.parametrize(
    "change",
    [
        {"views": 0},
        {"steps": -1},
        {"batch": 0},
        {"width": 0},
        {"cells_per_view": 0},
        {"buffer_gb": 0.0},
        {"buffer_gb": float("nan")},
        {"short_side": 63},
        {"short_side": 100_000},
        {"blocks": -1},
        {"time_limit": 0.0},
        {"time_limit": 1e9},
        {"time_limit": float("nan")},
    ],
)
def test_impossible_values_are_refused(change):
    with pytest.raises(OptionError) as caught:
        preset_options("standard", **change)
    assert next(iter(change)).replace("_", "-") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_is_refused_with_the_known():
    with pytest.raises(OptionError, match=r"huge.*draft.*full"):
        preset_options("huge")
