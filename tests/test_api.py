"""The public names: all there, and loaded only when they are used."""

import inspect
import subprocess
import sys
import typing
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

import pytest

import reloc


def run(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def classes_in(annotation):
    """The classes that an annotation is made of."""
    found = {annotation, typing.get_origin(annotation)}
    for argument in typing.get_args(annotation):
        for part in argument if isinstance(argument, list) else [argument]:
            found |= classes_in(part)
    return {part for part in found if inspect.isclass(part)}


def annotated(public):
    """What has annotations that a user meets: a function, or a class with its public members."""
    if not inspect.isclass(public):
        return [public]
    members = [
        getattr(member, "fget", getattr(member, "__func__", member))
        for name, member in inspect.getmembers(public)
        if name in ("__init__", "__call__") or not name.startswith("_")
    ]
    ours = [m for m in members if inspect.isfunction(m) and m.__module__.startswith("reloc.")]
    return [public, *ours]


@pytest.mark.parametrize("name", reloc.__all__)
def test_every_type_that_a_user_meets_is_public(name):
    met = {
        met
        for place in annotated(getattr(reloc, name))
        for label, annotation in typing.get_type_hints(place).items()
        if not label.startswith("_")
        for met in classes_in(annotation)
        if met.__module__.startswith("reloc.")
    }
    assert {kind.__name__ for kind in met} <= set(reloc.__all__)


def test_every_error_is_public():
    names = {name for name, error in vars(reloc.errors).items() if inspect.isclass(error)}
    assert names <= set(reloc.__all__)


@pytest.mark.parametrize("name", reloc.__all__)
def test_every_name_is_there(name):
    assert getattr(reloc, name).__name__ == name


def test_the_names_are_sorted_and_once():
    assert list(reloc.__all__) == sorted(set(reloc.__all__))


def test_the_package_shows_its_names_and_its_version():
    assert {*reloc.__all__, "geometry", "__version__"} <= set(dir(reloc))
    assert reloc.__version__ == version("reloc")


def test_a_name_that_is_none_is_refused():
    with pytest.raises(AttributeError, match="'reloc' has no attribute 'Relocator'"):
        _ = reloc.Relocator  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "code",
    [
        "import reloc",
        "import reloc; reloc.geometry.look_at((1, 0, 0), (0, 0, 0))",
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


def package_modules():
    return [name for name in sys.modules if name.partition(".")[0] == "reloc"]


@pytest.fixture
def unimported(monkeypatch):
    """The package is as in a new process, beside libraries that have been imported."""
    for name in package_modules():
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in package_modules():
        del sys.modules[name]


@pytest.mark.usefixtures("unimported")
def test_no_module_hides_a_name():
    for name in reloc._MODULES:
        import_module(f"reloc.{name}")
    fresh = sys.modules["reloc"]
    assert fresh is not reloc
    assert not [n for n in reloc.__all__ if isinstance(getattr(fresh, n), ModuleType)]


@pytest.mark.usefixtures("unimported")
def test_star_import_brings_every_name():
    names: dict[str, Any] = {}
    exec("from reloc import *", names)
    assert {*reloc.__all__} <= {*names}
    assert names["map_scene"].__module__ == "reloc.methods.dispatch"
    assert names["Localizer"].__module__ == "reloc.localize.localizer"
