"""The options of ``reloc map``: what goes with which method, and what a method gets of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from reloc.cli.mapping_options import MapOptions
from reloc.errors import OptionError
from reloc.methods.ace import preset_options
from reloc.methods.dsacstar import DsacStarOptions
from reloc.methods.ridge import DRAFT, RidgeOptions


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "ridge", "resume": True}, "leave out resume"),
        ({"method": "ridge", "time_limit": 60.0}, "leave out resume, time-limit"),
        ({"method": "ridge", "heads": 2}, "one head"),
        ({"method": "ridge", "until": "2cm"}, "leave out until"),
        ({"method": "dsacstar", "until": "2cm"}, "leave out until"),
        ({"method": "ridge", "growth": Path("growth")}, "no training to watch"),
        ({"method": "ridge", "steps": 3}, "--method dsacstar"),
        ({"targets": "depth"}, "--method ridge"),
        ({"supervision": "depth"}, "--method dsacstar"),
        ({"steps": 3}, "--method dsacstar"),
        ({"learning_rate": 0.1}, "--method dsacstar"),
        ({"method": "dsacstar", "heads": 2}, "one head"),
        ({"method": "dsacstar", "film": Path("film.mp4")}, "not filmed"),
    ],
)
def test_what_does_not_go_together_is_refused(options, says):
    with pytest.raises(OptionError, match=says):
        MapOptions(**options)


def test_each_method_gets_its_own_options():
    assert MapOptions().of_method() == preset_options("standard")
    mlp = MapOptions(preset="draft", heads=3, width=64, buffer_gb=0.5, seed=2, time_limit=9.0)
    assert mlp.of_method() == preset_options(
        "draft", heads=3, width=64, buffer_gb=0.5, seed=2, time_limit=9.0
    )
    ridge = MapOptions(method="ridge", heads=1, targets="depth", seed=2)
    assert ridge.of_method() == RidgeOptions(targets="depth", seed=2)
    network = MapOptions(method="dsacstar", supervision="rgbd", steps=9, blocks=1, time_limit=9.0)
    assert network.of_method() == DsacStarOptions(
        supervision="rgbd", steps=9, blocks=1, time_limit=9.0
    )


def test_a_draft_is_fitted_in_closed_form_unless_a_training_is_asked_for():
    assert MapOptions(preset="draft", seed=2).of_method() == replace(DRAFT, seed=2)
    assert MapOptions(preset="draft", method="ridge", targets="depth").of_method() == replace(
        DRAFT, targets="depth"
    )
    asked = MapOptions(preset="draft", until="2cm 1deg").of_method()
    assert asked == preset_options("draft", until="2cm 1deg")
    trained = preset_options("draft")
    assert MapOptions(preset="draft", method="mlp").of_method() == trained
    assert MapOptions(preset="draft", growth=Path("growth")).of_method() == trained
    assert MapOptions(preset="draft", resume=True).of_method() == trained


@pytest.mark.parametrize(
    "option",
    [{"time_limit": 9.0}, {"heads": 3}, {"width": 64}, {"blocks": 1}, {"buffer_gb": 0.5}],
)
def test_each_option_of_a_training_trains_a_draft(option):
    made = MapOptions(preset="draft", **option).of_method()
    assert made == preset_options("draft", **option)


def test_impossible_values_are_refused_also_where_the_method_ignores_them():
    with pytest.raises(OptionError, match="buffer-gb"):
        MapOptions(method="ridge", buffer_gb=0.0).of_method()
