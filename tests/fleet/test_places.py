"""Where scenes and maps lie."""

from pathlib import Path

import fsspec
import pytest

from reloc.errors import OptionError, SceneError
from reloc.fleet.places import local_scene, parted, present


def test_folder_and_name_of_paths_and_urls() -> None:
    assert parted("/a/b.safetensors") == ("/a", "b.safetensors")
    assert parted("s3://bucket/a/b.safetensors") == ("s3://bucket/a", "b.safetensors")


def test_what_is_there_is_known_by_path_and_url(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    asked = [f"{tmp_path}/a", f"{tmp_path}/b", f"{tmp_path}/none/a", f"file://{tmp_path}/a"]
    assert present([*asked, f"file://{tmp_path}/none/a"]) == {asked[0], asked[3]}


def test_a_local_scene_stays_where_it_is(tmp_path: Path) -> None:
    with local_scene(str(tmp_path)) as root:
        assert root == tmp_path


def test_a_far_scene_is_copied_and_the_copy_removed(tmp_path: Path) -> None:
    (tmp_path / "room" / "images").mkdir(parents=True)
    (tmp_path / "room" / "images" / "a.txt").write_text("a")
    with local_scene(f"file://{tmp_path}/room/") as root:
        assert root != tmp_path / "room"
        assert root.name == "room"
        assert (root / "images" / "a.txt").read_text() == "a"
    assert not root.exists()
    with pytest.raises(SceneError, match="no such folder"), local_scene(f"file://{tmp_path}/none"):
        pass
    with pytest.raises(OptionError, match="buckets"), local_scene("nonsense://a"):
        pass


def test_names_cannot_lead_out_of_the_copy() -> None:
    memory = fsspec.filesystem("memory")
    memory.store["/room/../../evil.txt"] = memory.store["/room/a.txt"] = object()
    try:
        entries = {name: {"size": 1} for name in memory.store}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(memory), "find", lambda *_, **__: entries)
            with pytest.raises(SceneError, match="lead out"), local_scene("memory://room"):
                pass
    finally:
        memory.store.clear()
