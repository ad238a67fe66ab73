"""A map finds its backbone by the fingerprint, from Python as from the command line."""

from collections.abc import Callable

import numpy as np
import pytest

from reloc.backbone import Backbone, ConvBackbone, load_backbone, load_context_backbone
from reloc.backbone.weights import network_of, stored_state
from reloc.errors import MapError
from reloc.heads.mlp import MlpHead
from reloc.library import LibraryLocalizer, MapLibrary
from reloc.localize import Localizer
from reloc.maps.scene_map import Region, SceneMap

SHIPPED: dict[str, Callable[[], Backbone]] = {
    "photos": load_backbone,
    "rooms": lambda: load_backbone("rooms"),
    "context": load_context_backbone,
}


def map_of(fingerprint, channels, **own):
    head = MlpHead(channels=channels, width=8, blocks=1, scale=3.0)
    region = Region(head, np.zeros(3))
    return SceneMap((region,), fingerprint, 480, 4.0, "metre", (), **own)


@pytest.mark.parametrize("name", SHIPPED)
def test_maps_of_every_shipped_backbone_are_served_without_naming_it(name, tmp_path):
    backbone = SHIPPED[name]()
    made = map_of(backbone.fingerprint, backbone.channels)
    assert Localizer(made, device="cpu").extractor.fingerprint == backbone.fingerprint
    path = tmp_path / "kitchen.safetensors"
    made.save(str(path))
    opened = Localizer.from_file(str(path), device="cpu")
    assert opened.extractor.fingerprint == backbone.fingerprint
    library = MapLibrary(tmp_path / "maps", create=True)
    library.add(path)
    assert LibraryLocalizer(library, device="cpu").extractor.fingerprint == backbone.fingerprint


def test_a_backbone_is_given_by_its_file(tmp_path):
    rooms = load_backbone("rooms")
    made = map_of(rooms.fingerprint, rooms.channels)
    assert Localizer(made, "rooms", device="cpu").extractor.fingerprint == rooms.fingerprint
    with pytest.raises(MapError, match="no such backbone"):
        Localizer(made, tmp_path / "none.safetensors", device="cpu")


def test_an_unknown_backbone_is_asked_for_in_one_line(tmp_path):
    path, location = tmp_path / "own.safetensors", tmp_path / "maps"
    made = map_of("that-of-another", 8)
    made.save(path)
    library = MapLibrary(location, create=True)
    library.add(path)
    asked = "that-of-another, which does not come with reloc; pass its file"
    for opened, start in (
        (lambda: Localizer(made, device="cpu"), "made"),
        (lambda: Localizer.from_file(path, device="cpu"), str(path)),
        (lambda: LibraryLocalizer(library, device="cpu"), str(location)),
    ):
        with pytest.raises(MapError, match=asked) as raised:
            opened()
        assert str(raised.value).startswith(start)
        assert "\n" not in str(raised.value)


def test_a_map_with_a_backbone_of_its_own_needs_none(tmp_path):
    state = stored_state(ConvBackbone(channels=8, width=8).fuse())
    own = network_of(state, channels=8, width=8)
    path = tmp_path / "own.safetensors"
    map_of(own.fingerprint, 8, own_backbone=own).save(path)
    assert Localizer.from_file(path, device="cpu").extractor.fingerprint == own.fingerprint
