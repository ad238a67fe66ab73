"""A room whose heads know next to nothing of it, and whose landmarks do."""

import pytest


@pytest.fixture(scope="package")
def room(made_scene):
    from reloc import open_scene

    return open_scene(made_scene(mapping=40, queries=6, width=320, height=240))


@pytest.fixture(scope="package")
def map_file(room, made_once):
    from reloc import MappingOptions, map_scene
    from reloc.landmarks import LandmarkOptions

    toy = MappingOptions(
        heads=1, views=40, steps=5, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
    )

    def make(path):
        made = map_scene(room, options=toy, landmarks=LandmarkOptions(count=3000), device="cpu")
        made.scene_map.save(path)

    return made_once("landmarks-of-a-room.safetensors", make)
