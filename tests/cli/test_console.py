"""Progress on the console: lines where there is no terminal, nothing when quiet."""

from rich.console import Console

from reloc.cli import console as module
from reloc.cli.console import console, progress_bar


def test_results_go_to_standard_output(capsys):
    console().print("a result")
    assert capsys.readouterr() == ("a result\n", "")


def test_lines_on_standard_error_without_a_terminal(capsys):
    with progress_bar() as progress:
        for done in range(1, 101):
            progress("features", done, 100, loss=0.5)
        progress("training", 1, 2)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("features: 1/100")
    assert "features: 100/100  loss 0.5" in lines
    assert lines[-1].startswith("training: 1/2")
    assert len(lines) == 3


def test_a_line_every_few_seconds_tells_the_time_left(capsys, monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    with progress_bar() as progress:
        for done in range(5):
            progress("fetch", done, 10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["fetch: 0/10", "fetch: 2/10, about 32 s left", "fetch: 4/10, about 24 s left"]


def test_quiet_says_nothing(capsys):
    with progress_bar(quiet=True) as progress:
        progress("features", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_for_each_stage(monkeypatch):
    screen = Console(force_terminal=True, width=120, record=True, highlight=False)
    monkeypatch.setattr(module, "Console", lambda **options: screen)
    with progress_bar() as progress:
        progress("features", 3, 4)
        progress("training", 0, 8, loss=2.25)
        progress("training", 8, 8, loss=1.125)
    text = screen.export_text()
    assert "3/4" in text
    assert "8/8" in text
    assert "loss 1.125" in text
