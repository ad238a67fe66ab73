"""The public names: all there, and loaded only when they are used."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import reloc


def run(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", reloc.__all__)
def test_every_name_is_there(name):
    assert getattr(reloc, name).__name__ == name


def test_the_names_are_sorted_and_once():
    assert list(reloc.__all__) == sorted(set(reloc.__all__))


def test_the_package_shows_its_names_and_its_version():
    assert {*reloc.__all__, "__version__"} <= set(dir(reloc))
    assert reloc.__version__ == version("reloc")


def test_a_name_that_is_none_is_refused():
    with pytest.raises(AttributeError, match="'reloc' has no attribute 'Relocator'"):
        _ = reloc.Relocator


@pytest.mark.parametrize(
    "code",
    [
        "import reloc",
        "from reloc import open_scene, Scene, Frame, Camera, RelocError",
        "from reloc.cli.main import main; main(['--help'])",
        "import reloc.cli.info, reloc.cli.convert",
    ],
)
def test_light_work_does_not_wait_for_heavy_libraries(code):
    heavy = "import sys; print([m for m in ('torch', 'matplotlib', 'poselib') if m in sys.modules])"
    done = run(f"{code}\n{heavy}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_star_import_brings_every_name():
    done = run("from reloc import *\nprint(map_scene.__module__, Localizer.__module__)")
    assert done.stdout.split() == ["reloc.methods.dispatch", "reloc.localize.localizer"]
