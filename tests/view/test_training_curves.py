"""Curves of a training from its log."""

import json

import numpy as np

from reloc.view.training_curves import training_curves, write_training_curves

ROWS = [
    {"seconds": 0.1 * n, "stage": "training", "done": n, "total": 50, "loss": 9.0 - 0.1 * n}
    | ({"recall": n, "lost": None} if n % 10 == 0 else {})
    for n in range(1, 51)
]


def test_each_figure_has_a_panel_with_its_values():
    figure = training_curves(ROWS)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "recall"]
    values, median = (np.asarray(line.get_xydata()) for line in figure.axes[0].lines)
    np.testing.assert_allclose(values[:, 1], 9.0 - 0.1 * values[:, 0])
    np.testing.assert_allclose(median[10:-10], values[10:-10])
    assert len(np.asarray(figure.axes[1].lines[0].get_xdata())) == 5


def test_the_picture_shows_the_stages_that_are_wanted(tmp_path):
    log = tmp_path / "log.jsonl"
    rendering = {"seconds": 0.0, "stage": "rendering", "done": 1, "total": 1, "other": 1.0}
    lines = [json.dumps(row) for row in [rendering, *ROWS]]
    log.write_text("\n".join([*lines, '{"seconds": 9.9, "sta']))
    write_training_curves(log, tmp_path / "curves.svg", stages=("training",))
    text = (tmp_path / "curves.svg").read_text()
    assert text.count("steps") == 2
    assert "other" not in text


def test_without_figures_nothing_is_drawn(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"seconds": 0.0, "stage": "training", "done": 1, "total": 1}))
    write_training_curves(log, tmp_path / "curves.svg", stages=("training",))
    assert not (tmp_path / "curves.svg").exists()
