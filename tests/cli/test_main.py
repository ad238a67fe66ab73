"""The command line as a whole: usage, exit status, and errors as one line."""

import errno
import os
import subprocess
import sys

import pytest
import torch

from reloc.cli import main as module
from reloc.cli import options as options_module
from reloc.cli.main import VERBS, main


def shell(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "reloc", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False, **options,
    )  # fmt: skip


def test_usage_names_every_verb(reloc):
    run = reloc("--help")
    assert run.status == 0
    assert all(f"\n  {verb} " in run.out for verb in VERBS)
    assert reloc().status == 2


def test_version(reloc):
    runs = [reloc(word) for word in ("--version", "-V", "version")]
    assert {run.status for run in runs} == {0}
    assert len({run.out for run in runs}) == 1
    assert runs[0].out.startswith("reloc ")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"reloc {verb}" in capsys.readouterr().out


def test_an_unknown_verb_is_refused(reloc):
    message = reloc("frobnicate").refusal()
    assert "'frobnicate'" in message
    assert "localize" in message


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("mapp", "map"), ("localise", "localize"), ("Eval", "eval"), ("meta_train", "meta-train")],
)
def test_of_a_typo_the_nearest_verb_is_named(reloc, typed, meant):
    message = reloc(typed).refusal()
    assert message == f"no verb is called {typed!r}; did you mean {meant}?"


def test_help_of_a_verb_by_the_word(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["help", "info"])
    assert stop.value.code == 0
    assert "reloc info" in capsys.readouterr().out
    assert main(["help", "inof"]) == 2
    assert "did you mean info?" in capsys.readouterr().err


def test_an_unknown_option_is_refused(capsys, small_scene):
    with pytest.raises(SystemExit) as stop:
        main(["info", str(small_scene), "--colour", "red"])
    assert stop.value.code == 2
    assert "--colour" in capsys.readouterr().err


def test_as_a_process(small_scene, tmp_path):
    good = shell("info", small_scene)
    assert (good.returncode, good.stderr) == (0, "")
    assert "small (ace)" in good.stdout
    bad = shell("info", tmp_path / "nowhere")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == f"reloc: error: {tmp_path / 'nowhere'}: no such folder\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_names_need_not_be_text(small_scene):
    odd = small_scene.rename(small_scene.with_name("small-\udcff"))
    run = shell("info", odd, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert (run.returncode, run.stderr) == (0, "")
    assert "small-\\udcff (ace)" in run.stdout


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 1, "reloc: interrupted\n"),
        (KeyboardInterrupt("go on"), 1, "reloc: interrupted; go on\n"),
        (BrokenPipeError(), 1, ""),
        (
            OSError(errno.ENOSPC, "No space left on device", "/somewhere/file"),
            2,
            "reloc: error: /somewhere/file: No space left on device; check the path, its "
            "permissions and the space on its disk\n",
        ),
    ],
)
def test_what_stops_a_verb_from_outside(reloc, monkeypatch, small_scene, error, status, line):
    def stopped(*args, **options):
        raise error

    monkeypatch.setattr(options_module, "open_scene", stopped)
    run = reloc("info", small_scene)
    assert (run.status, run.out, run.err) == (status, "", line)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has"),
            "CUDA out of memory",
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)."), "MPS backend out"),
        (MemoryError(), "none is left"),
    ],
)
def test_a_lack_of_memory_is_told_in_one_line(reloc, monkeypatch, small_scene, error, said):
    def greedy(*args, **options):
        raise error

    monkeypatch.setattr(options_module, "open_scene", greedy)
    run = reloc("info", small_scene)
    assert (run.status, run.err.count("\n")) == (2, 1)
    assert run.err.startswith(f"reloc: error: out of memory ({said}")


def test_mistakes_of_ours_are_not_hidden(monkeypatch, small_scene):
    def broken(*args, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "function_of", lambda verb: broken)
    with pytest.raises(ZeroDivisionError):
        main(["info"])
