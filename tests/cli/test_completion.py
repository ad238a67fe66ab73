"""Completion by the shell."""

import shutil
import subprocess

import pytest

from reloc.cli.completion import script
from reloc.cli.main import VERBS


@pytest.fixture(scope="module")
def text():
    return script("bash")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["reloc", "loc"], ["localize"]),
        (["reloc", "map"], ["map", "map-many"]),
        (["reloc", "map", "--time"], ["--time-limit"]),
        (["reloc", "localize", "map.safetensors", "--cam"], ["--camera"]),
        (["reloc", "info", "--time"], []),
        (["reloc", "map", "sc"], []),  # left to names of files
    ],
)
def test_bash_completes(text, words, found):
    line = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _reloc; echo ${{COMPREPLY[@]}}"
    run = subprocess.run(
        ["bash", "-c", f"{text}\n{asked}"], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == found


def test_all_verbs_are_known(reloc, text):
    run = reloc("completion", "zsh")
    assert run.status == 0
    assert "bashcompinit" in run.out
    for verb in VERBS:
        assert f"\n            {verb}) words=" in text
