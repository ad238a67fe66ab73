"""Standard output that is closed, full, or no longer read: a line or none, never a traceback."""

import os
import subprocess
import sys

import pytest

PROGRAM = f"'{sys.executable}' -m reloc"


@pytest.mark.parametrize("command", ["--help", pytest.param("info --help", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("output", "status", "words"),
    [
        ("| true", 1, []),
        (">&-", 0, []),
        pytest.param("> /dev/full", 2, ["standard output"], marks=[
            pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")  # noqa: PTH110
        ]),
    ],
)  # fmt: skip
def test_output_that_leads_nowhere(command, output, status, words):
    # The reader is gone before the first byte comes.
    wait = "sleep 0.2; " if "|" in output else ""
    script = f"set -o pipefail; ({wait}exec {PROGRAM} {command}) {output}"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == status
    lines = done.stderr.splitlines()
    assert len(lines) == len(words), done.stderr
    for line, word in zip(lines, words, strict=True):
        assert line.startswith("reloc: error: ") and word in line
