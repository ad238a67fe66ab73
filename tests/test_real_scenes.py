"""The whole way on a real place: map it in less than draft quality, localize its queries, count."""

from dataclasses import replace

import pytest

from reloc import Localizer, Query, load_backbone, map_scene, open_scene, preset_options
from reloc.evaluation import evaluate


@pytest.mark.slow
def test_a_draft_of_a_real_room_localizes_most_of_its_queries(shared_scenes):
    scene = open_scene(shared_scenes / "fox")
    options = preset_options(
        "draft", heads=1, views=100, steps=300, batch=1024, width=256, short_side=240
    )
    result = map_scene(scene, load_backbone(), options=options, device="cpu")
    localizer = Localizer(result.scene_map, load_backbone(), device="cpu")
    queries = [Query(f.name, f.image, f.camera) for f in scene.queries]
    evaluation = evaluate(
        list(localizer.localize_many(queries)),
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=0,
        mapping_seconds=0,
    )
    assert evaluation.recall_of_extent["3%_5deg"] >= 90
    assert evaluation.recall_of_extent["1%_2deg"] >= 60

    # Photos of another place are not to be found here.
    foreign = open_scene(shared_scenes / "monument").queries[::4]
    camera = scene.queries[0].camera
    answers = localizer.localize_many(
        [Query(f.name, f.image, replace(camera, width=480, height=853)) for f in foreign]
    )
    assert not any(answer.localized for answer in answers)
