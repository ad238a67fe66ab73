"""Backbones, heads and readers of others: registered in Python, or offered by a package."""

import sys
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import reloc
from reloc import Backbone, Estimate, Head, MapError, OptionError, PluginError, SceneError, SceneMap
from reloc.backbone import find_backbone, load_backbone, registered
from reloc.geometry import Camera
from reloc.heads import build_head, kinds
from reloc.images.files import write_image
from reloc.maps import Region
from reloc.scenes import RawFrame, RawScene, open_scene, readers

CODE = """
    import torch
    from reloc.heads import MlpHead
    from reloc import Camera, RawFrame, RawScene
    import numpy as np

    class Patches(torch.nn.Module):
        channels, stride, fingerprint = 4, 8, "patches-of-a-package"

        def forward(self, images):
            return torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True).expand(-1, 4, -1, -1)

    class Offset(MlpHead):
        kind = "offset"

    class Lists:
        LAYOUT, LOOKS_FOR = "lists", "poses.lst"

        def matches(self, root):
            return (root / "poses.lst").is_file()

        def read(self, root):
            camera = Camera.pinhole(width=16, height=12, fx=20)
            names = (root / "poses.lst").read_text().split()
            frames = [RawFrame(n, root / n, camera, np.eye(4)) for n in names]
            return RawScene(tuple(frames), unit="metre")
"""
ENTRY_POINTS = """
    [reloc.backbones]
    patches = demo_plugin:Patches
    gone = demo_plugin:Gone
    broken = demo_broken:Anything

    [reloc.heads]
    offset = demo_plugin:Offset
    broken = demo_broken:Anything
    other = demo_plugin:Offset

    [reloc.readers]
    lists = demo_plugin:Lists
    broken = demo_broken:Anything
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that offers one of each, and others that cannot be loaded."""
    site = tmp_path / "site"
    about = site / "demo_plugin-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "demo_plugin.py").write_text(textwrap.dedent(CODE))
    (site / "demo_broken.py").write_text("raise ValueError('half\\nof it is missing')")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("demo_plugin", None)


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    """What a test registers is forgotten after it."""
    for registry in (registered._FACTORIES, kinds._KINDS, readers._READERS):
        monkeypatch.setattr(registry, "_added", {})


def folder_of(root, listed):
    """A folder with two images and a list of them."""
    root.mkdir()
    for name in ("a.png", "b.png"):
        write_image(root / name, np.zeros((12, 16), np.uint8))
    (root / listed).write_text("a.png\nb.png\n")
    return root


def map_with(head, backbone="0123456789abcdef"):
    regions = (Region(head.requires_grad_(False), np.zeros(3)),)
    return SceneMap(regions, backbone, 48, 1.0, "metre", ())


def test_packages_of_another_path_are_found(request):
    assert "offset" not in kinds._KINDS.names()
    request.getfixturevalue("package")
    assert "offset" in kinds._KINDS.names()


def test_a_package_offers_a_backbone(package):
    backbone = load_backbone("patches")
    assert isinstance(backbone, Backbone)
    assert backbone.fingerprint == "patches-of-a-package"
    # The others of the package that fail do not keep a map from finding its own.
    assert find_backbone("patches-of-a-package").channels == 4


def test_a_broken_backbone_is_named_in_a_line(package):
    for name, told in (("broken", "half of it is missing"), ("gone", "AttributeError")):
        with pytest.raises(PluginError, match=told) as refused:
            load_backbone(name)
        assert repr(name) in str(refused.value)
        assert "demo-plugin" in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(MapError, match=r"does not come with reloc.*'broken'") as unknown:
        find_backbone("of-none")
    assert "\n" not in str(unknown.value)
    assert load_backbone().channels


def test_a_map_with_the_head_of_a_package_is_read(package, tmp_path):
    offset = import_module("demo_plugin").Offset
    head = offset(channels=4, width=8, blocks=1, scale=2.0)
    map_with(head).save(tmp_path / "map.safetensors")
    read = SceneMap.load(tmp_path / "map.safetensors").head
    assert type(read) is offset
    expected = torch.cat([p.flatten() for p in head.parameters()]).half().float()
    assert torch.equal(torch.cat([p.flatten() for p in read.parameters()]), expected)


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        ("broken", PluginError, "half of it is missing"),
        ("other", PluginError, "its `kind` is another name"),
        ("nobody's", MapError, 'of kind "nobody\'s", unknown here'),
    ],
)
def test_a_map_whose_head_is_not_there_is_refused_in_a_line(package, tmp_path, kind, error, told):
    offset = import_module("demo_plugin").Offset
    head = offset(channels=4, width=8, blocks=1)
    head.kind = kind
    map_with(head).save(tmp_path / "map.safetensors")
    with pytest.raises(error, match=told) as refused:
        SceneMap.load(tmp_path / "map.safetensors")
    assert "\n" not in str(refused.value)


def test_a_package_offers_a_reader_and_one_that_fails_is_a_note(package, tmp_path):
    scene = open_scene(folder_of(tmp_path / "scene", "poses.lst"))
    assert (scene.layout, scene.unit, len(scene.mapping)) == ("lists", "metre", 2)
    (note,) = [note for note in scene.notes if "'broken'" in note]
    assert "half of it is missing" in note
    assert "\n" not in note
    with pytest.raises(SceneError, match=r"known are ace.*lists.*'broken'.*cannot be loaded"):
        open_scene(scene.root, layout="broken")
    with pytest.raises(SceneError, match="in folders of its own"):
        open_scene(scene.root, images=scene.root)


def test_a_registered_reader_takes_a_folder_of_images(tmp_path):
    @reloc.register_reader
    class Recording:
        LAYOUT, LOOKS_FOR, NAMES_IMAGES = "recording", "list", True

        def matches(self, root):
            return (root / "list").is_file()

        def read(self, root, *, images=None):
            camera = Camera.pinhole(width=16, height=12, fx=20)
            return RawScene((RawFrame("a.png", (images or root) / "a.png", camera, np.eye(4)),))

    root = folder_of(tmp_path / "scene", "list")
    (root / "a.png").rename(tmp_path / "a.png")
    assert [f.image for f in open_scene(root, images=tmp_path).mapping] == [tmp_path / "a.png"]


@pytest.mark.parametrize("where", ["matches", "read"])
def test_a_registered_reader_that_fails_says_so_in_a_line(tmp_path, where):
    class Failing:
        LAYOUT, LOOKS_FOR = "failing", "list"

        def matches(self, root):
            return (root / "list").is_file() and (where == "read" or 1 / 0)

        def read(self, root):
            return 1 / 0

    reloc.register_reader(Failing)
    error = PluginError if where == "read" else SceneError
    with pytest.raises(error, match=r"'failing' failed \(ZeroDivisionError") as refused:
        open_scene(folder_of(tmp_path / "scene", "list"))
    assert "\n" not in str(refused.value)


def test_a_registered_backbone_serves_its_maps(tmp_path):
    @reloc.register_backbone("own")
    class Own(nn.Module):
        channels, stride, fingerprint = 4, 8, "own-1"

        def forward(self, images):
            return nn.functional.avg_pool2d(images, 8, ceil_mode=True).expand(-1, 4, -1, -1)

    assert isinstance(load_backbone("own"), Own)
    head = build_head({"kind": "mlp", "channels": 4, "width": 8, "blocks": 0}, scale=1, weights=999)
    map_with(head, "own-1").save(tmp_path / "map.safetensors")
    localizer = reloc.Localizer.from_file(tmp_path / "map.safetensors", device="cpu")
    camera = Camera.pinhole(width=64, height=48, fx=50)
    found = localizer.localize(np.zeros((48, 64), np.uint8), camera)
    assert isinstance(found, Estimate)


def test_the_example_of_the_documentation_works(tmp_path):
    page = Path(__file__).resolve().parents[1] / "docs" / "public-interface.md"
    exec(page.read_text(encoding="utf-8").split("```python")[1].split("```")[0], {})
    backbone = load_backbone("brightness")
    assert backbone(torch.zeros(1, 1, 20, 30)).shape == (1, 1, 3, 4)
    write_image(tmp_path / "a.png", np.zeros((480, 640), np.uint8))
    (tmp_path / "recording.txt").write_text("a.png\n")
    assert [frame.name for frame in open_scene(tmp_path).mapping] == ["a.png"]


def test_a_backbone_that_cannot_be_made_is_named_in_a_line():
    reloc.register_backbone("raising")(lambda: 1 / 0)  # type: ignore[type-var]
    reloc.register_backbone("nothing")(lambda: None)
    for name, told in (("raising", "ZeroDivisionError"), ("nothing", "lacks channels")):
        with pytest.raises(PluginError, match=told):
            load_backbone(name)


def test_a_backbone_with_context_tells_its_local_features():
    class Own(nn.Module):
        channels, stride, fingerprint = 4, 8, "own-1"

        def forward(self, images):
            return self.with_local(images)[0]

        def with_local(self, images):
            local = nn.functional.avg_pool2d(images, 8, ceil_mode=True).expand(-1, 4, -1, -1)
            return 2 * local, local

    extractor = reloc.FeatureExtractor(Own(), device=torch.device("cpu"))
    features, local = extractor.with_local(np.full((48, 64), 100, np.uint8))
    assert torch.equal(features, 2 * local)
    assert local.abs().max() > 0


def test_a_reader_that_gives_no_scene_is_named_in_a_line(tmp_path):
    class Silent:
        LAYOUT, LOOKS_FOR = "silent", "list"

        def matches(self, root):
            return True

        def read(self, root):
            return None

    reloc.register_reader(Silent())
    with pytest.raises(PluginError, match=r"'silent' failed \(TypeError: .*NoneType"):
        open_scene(tmp_path)


def test_what_is_none_or_takes_a_name_of_the_package_is_not_registered():
    class Named(Head):
        kind = "mlp"

    class Bare:
        LAYOUT = "bare"

    class Colmap:
        LAYOUT = "colmap"

    refused: tuple[tuple[Any, Any, str], ...] = (
        (reloc.register_head, Named, "'mlp': give it a name of its own"),
        (reloc.register_head, object, "give it a name of its own"),
        (reloc.register_reader, Bare, "lacks LOOKS_FOR, matches, read"),
        (reloc.register_reader, Colmap, "'colmap': give it a name of its own"),
        (reloc.register_backbone("own"), 3, "no class or function"),
    )
    for register, item, told in refused:
        with pytest.raises(OptionError, match=told):
            register(item)
