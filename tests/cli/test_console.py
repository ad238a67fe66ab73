"""Progress on the console: lines where there is no terminal, nothing when quiet."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from reloc.cli import console as module
from reloc.cli.console import console, progress_bar, recorded
from reloc.errors import OutputError
from reloc.progress import silent


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
    assert lines[1].startswith("features: 100/100, ")
    assert lines[1].endswith("/s  loss 0.5")
    assert lines[-1].startswith("training: 1/2")
    assert len(lines) == 3


def test_a_line_every_few_seconds_tells_the_time_left(capsys, monkeypatch):
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with progress_bar() as progress:
        for done in range(5):
            progress("fetch", done, 10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "fetch: 0/10",
        "fetch: 2/10, 0.25/s, about 32 s left",
        "fetch: 4/10, 0.25/s, about 24 s left",
    ]


def test_stages_are_shown_as_they_are_called(monkeypatch):
    screen = Console(force_terminal=True, width=120, record=True, highlight=False)
    monkeypatch.setattr(module, "Console", lambda **options: screen)
    with progress_bar() as progress:
        progress("seq[/x] [red]one[/red]", 1, 2)
    assert "seq[/x] [red]one[/red]" in screen.export_text()


def test_resumed_work_does_not_count_what_was_done_before(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with progress_bar() as progress:
        for done in (900, 910):
            progress("training", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["training: 900/1000", "training: 910/1000, 1/s, about 90 s left"]


def test_a_bar_of_resumed_work_does_not_count_what_was_done_before(monkeypatch):
    clock = iter(range(10**6))
    screen = Console(force_terminal=True, width=120, record=True, highlight=False)
    monkeypatch.setattr(module, "Console", lambda **options: screen)
    bars = module._bars(screen)
    bars.get_time = lambda: float(next(clock))
    progress = module._BarProgress(bars)
    for done in range(900, 911):
        progress("training", done, 1000)
    assert bars.tasks[0].speed <= 1


def test_a_bar_keeps_its_speed_while_the_total_is_corrected():
    clock = iter(range(10**6))
    screen = Console(force_terminal=True, width=120, record=True, highlight=False)
    bars = module._bars(screen)
    bars.get_time = lambda: float(next(clock))
    progress = module._BarProgress(bars)
    for done in range(1, 9):
        progress("training", done, 100 + done, loss=2.0)
    progress("training", 108, 108)
    assert bars.tasks[0].speed > 0
    assert (bars.tasks[0].total, bars.tasks[0].finished) == (108, True)
    assert bars.tasks[0].fields["figures"] == "loss 2"


def shown_bars(monkeypatch, *, width=120):
    screen = Console(force_terminal=True, width=width, record=True, highlight=False)
    monkeypatch.setattr(module, "Console", lambda **options: screen)
    bars = module._bars(screen)
    times = [0.0]
    bars.get_time = lambda: times[0]
    return bars, times, lambda: [str(module._TimeColumn().render(task)) for task in bars.tasks]


def test_a_stage_that_is_over_says_what_it_took_and_no_time_left(monkeypatch):
    bars, times, told = shown_bars(monkeypatch)
    progress = module._BarProgress(bars)
    for done in range(9):
        times[0] = 10.0 * done
        progress("training", done, 40)
    assert told() == ["1:20 min, about 5:20 min left"]
    progress("writing", 0, 1)
    times[0] = 3800.0
    assert told() == ["took 1:20 min", "1:02:00 h"]
    progress("writing", 1, 1)
    progress.end()
    times[0] = 9000.0
    assert told() == ["took 1:20 min", "took 1:02:00 h"]


def test_the_clock_of_a_stage_that_goes_on_runs_again(monkeypatch):
    bars, times, told = shown_bars(monkeypatch)
    progress = module._BarProgress(bars)
    for stage, done in (("training", 1), ("checking", 1), ("training", 2)):
        times[0] += 10.0
        progress(stage, done, 9)
    assert told()[1] == "took 10 s"
    assert not told()[0].startswith("took")
    with module.progress_bar() as shown:
        shown("training", 1, 9)
    assert isinstance(shown, module._BarProgress)
    assert "took" in str(module._TimeColumn().render(shown._bars.tasks[0]))


def test_recorded_progress_is_strict_json_by_the_line(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    told = []
    for append in (False, True):
        with recorded(lambda *a, **m: told.append((a, m)), path, append=append) as progress:
            progress("training", 1, 2, loss=float("nan"), inliers=0.5)
    lines = path.read_text().splitlines()
    assert len(lines) == len(told) == 2
    for line in lines:
        row = json.loads(line, parse_constant=pytest.fail)
        assert row.pop("seconds") >= 0
        assert row == {"stage": "training", "done": 1, "total": 2, "loss": None, "inliers": 0.5}
    with recorded(lambda *a, **m: None, path):
        pass
    assert path.read_text() == ""


def test_a_record_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("whole")
    path = tmp_path / "file" / "log.jsonl"
    with pytest.raises(OutputError, match="cannot be written"), recorded(silent, path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told():
    with (
        pytest.raises(OutputError, match=r"/dev/full: cannot be written .*space"),
        recorded(lambda *a, **m: None, Path("/dev/full")) as progress,
    ):
        progress("training", 1, 2)


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


def test_figures_are_shown_as_a_person_reads_them(capsys):
    with progress_bar() as progress:
        progress("training", 1, 2, loss=4.5, median_px=12.345, inliers=0.526)
    assert capsys.readouterr().err == "training: 1/2  loss 4.5  median 12.3 px  inliers 53 %\n"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_log_for_machines_beside_what_is_shown(capsys, tmp_path, quiet):
    path = tmp_path / "log.jsonl"
    with progress_bar(quiet=quiet, json_log=path) as progress:
        progress("features", 1, 1, loss=2.0)
    row = json.loads(path.read_text())
    assert (row["stage"], row["done"], row["loss"]) == ("features", 1, 2.0)
    assert bool(capsys.readouterr().err) is not quiet


SHOWN = """
import sys, time
from reloc.cli.console import progress_bar
with progress_bar() as progress:
    for done in range(1, 5):
        progress("features", done, 4)
        time.sleep(0.06)
    progress("training", 8, 8, inliers=0.5)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_in_a_real_terminal_and_in_a_pipe():
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    job = subprocess.Popen([sys.executable, "-c", SHOWN], stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # what Linux says when the other end is closed
        while chunk := os.read(ours, 4096):
            seen += chunk
    os.close(ours)
    assert job.wait() == 0
    assert b"\x1b[" in seen
    assert "4/4" in seen.decode()
    assert "/s" in seen.decode()
    assert "inliers 50 %" in seen.decode()
    piped = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, check=True)
    assert b"\x1b" not in piped.stderr
    lines = piped.stderr.decode().splitlines()
    assert [line.split(",")[0].split("  ")[0] for line in lines] == [
        "features: 1/4",
        "features: 4/4",
        "training: 8/8",
    ]
    assert piped.stdout == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_a_full_disk_leaves_whole_lines(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from reloc.cli.console import recorded\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "with recorded(lambda *a, **m: None, Path(sys.argv[1])) as progress:\n"
        "    for done in range(9): progress('features', done, 9)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "log"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert f"OutputError: {tmp_path / 'log'}: cannot be written (File too large)" in run.stderr
    text = (tmp_path / "log").read_text()
    assert text.endswith("\n")
    assert [json.loads(line)["done"] for line in text.splitlines()] == [0]
