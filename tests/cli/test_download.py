"""``reloc download``: the licence first, then the scenes."""

import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reloc.cli import download as module
from reloc.cli.download import download
from reloc.cli.options import ProgressOptions
from reloc.errors import OptionError
from reloc.scenes.datasets import Addresses, dataset


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def wayspots(tmp_path: Path, small_scene: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a server that the verb takes for Niantic's, with the small scene ten times."""
    folder = tmp_path / "server"
    folder.mkdir()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for scene in dataset("wayspots").scenes:
            opened.add(small_scene, arcname=f"wayspots_{scene}")
    (folder / "wayspots.tar.gz").write_bytes(buffer.getvalue())
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    addresses = Addresses(wayspots=f"http://127.0.0.1:{http.server_port}")
    monkeypatch.setattr(module, "dataset_called", lambda name: dataset(name, addresses))
    yield folder
    http.shutdown()
    http.server_close()
    thread.join()


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_licence_comes_first_and_scenes_are_listed(capsys, tmp_path, wayspots):
    download("wayspots", "bears", to=tmp_path / "sets", accept_licence=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("licence: ")
    assert "https://research.nianticlabs.com" in lines[2]
    assert str(tmp_path / "sets" / "wayspots" / "bears") in lines
    assert (tmp_path / "sets" / "wayspots" / "bears" / "train" / "rgb" / "0.png").exists()


def test_nobody_to_ask_means_nothing_is_fetched(capsys, tmp_path, wayspots, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(OptionError, match="add --accept-licence"):
        download("wayspots", to=tmp_path / "sets")
    assert "licence: " in capsys.readouterr().out
    assert not (tmp_path / "sets").exists()


def test_the_user_is_asked_and_may_refuse(tmp_path, wayspots, monkeypatch):
    for answer in ("n\n", "\n", ""):
        monkeypatch.setattr("sys.stdin", Keyboard(answer))
        with pytest.raises(OptionError, match="not accepted; nothing was fetched"):
            download("wayspots", to=tmp_path / "sets")
    assert not (tmp_path / "sets").exists()
    monkeypatch.setattr("sys.stdin", Keyboard("yes\n"))
    download("wayspots", to=tmp_path / "sets", log=ProgressOptions(quiet=True))
    assert (tmp_path / "sets" / "wayspots" / "therock").is_dir()


def test_an_unknown_scene_is_refused_before_the_licence(capsys, tmp_path):
    with pytest.raises(OptionError, match="its scenes are"):
        download("7scenes", "attic", to=tmp_path)
    assert capsys.readouterr().out == ""
