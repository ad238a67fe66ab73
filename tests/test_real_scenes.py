"""The whole way on a real place: map it as a draft, localize its queries, count."""

from dataclasses import replace

import pytest

from reloc import Localizer, Query, map_scene, open_scene
from reloc.evaluation import evaluate
from reloc.methods.ridge import DRAFT


@pytest.mark.slow
def test_a_draft_of_a_real_place_localizes_its_queries(shared_scenes):
    scene = open_scene(shared_scenes / "fox")
    result = map_scene(scene, options=DRAFT, device="cpu")
    localizer = Localizer(result.scene_map, device="cpu")
    queries = [Query(f.name, f.image, f.camera) for f in scene.queries]
    evaluation = evaluate(
        list(localizer.localize_many(queries)),
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=0,
        mapping_seconds=0,
    )
    assert evaluation.recall_of_extent["1%_2deg"] == 100
    assert evaluation.median_translation < 0.001 * scene.extent()

    # Photos of another place are not to be found here.
    foreign = open_scene(shared_scenes / "monument").queries[::4]
    camera = scene.queries[0].camera
    answers = localizer.localize_many(
        [Query(f.name, f.image, replace(camera, width=480, height=853)) for f in foreign]
    )
    assert not any(answer.localized for answer in answers)
