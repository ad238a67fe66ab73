"""What may be chosen about mapping."""

import pytest

from reloc.errors import OptionError
from reloc.heads import MlpHead
from reloc.methods.ace.options import (
    FULL_WIDTH,
    LEAST_WIDTH,
    PRESETS,
    MappingOptions,
    head_width,
    preset_options,
)


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
        {"blocks": 65},
        {"width": 8193},
        {"width": 8192, "blocks": 4},
        {"width": 4096, "short_side": 1440},
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
        preset_options("huge")  # type: ignore[arg-type]


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 8, 12])
def test_heads_together_weigh_what_one_of_full_width_does(heads):
    def weights(count, width):
        return sum(p.numel() for p in MlpHead(channels=256, width=width).parameters()) * count

    width = head_width(heads, channels=256, blocks=2)
    assert width % 8 == 0
    assert 0.88 < weights(heads, width) / weights(1, FULL_WIDTH) < 1.01


def test_very_many_heads_are_not_narrower_than_the_least_width():
    assert head_width(1000, channels=256, blocks=2) == LEAST_WIDTH
