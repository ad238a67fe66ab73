"""The whole way on a real place: map it by either method, localize its queries, count."""

from dataclasses import replace

import pytest

from reloc import LandmarkOptions, Localizer, Query, map_scene, open_scene, preset_options
from reloc.evaluation import evaluate
from reloc.methods.ridge import DRAFT

TRAINED = preset_options(
    "draft", heads=1, views=100, steps=300, batch=1024, width=256, short_side=240
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "landmarks", "every", "within", "recall"),
    # Landmarks are exact with half of the frames.
    [(DRAFT, 10_000, 2, "0.1%_0.1deg", 80), (TRAINED, 0, 1, "1%_2deg", 60)],
    ids=["draft", "heads"],
)
def test_a_map_of_a_real_place_localizes_its_queries(
    shared_scenes, options, landmarks, every, within, recall
):
    scene = open_scene(shared_scenes / "fox")
    scene = replace(scene, mapping=scene.mapping[::every])
    count = LandmarkOptions(count=landmarks)
    result = map_scene(scene, options=options, landmarks=count, device="cpu")
    localizer = Localizer(result.scene_map, device="cpu")
    queries = [Query(f.name, f.image, f.camera) for f in scene.queries]
    evaluation = evaluate(
        list(localizer.localize_many(queries)),
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=0,
        mapping_seconds=0,
    )
    assert evaluation.recall_of_extent["3%_5deg"] >= 90
    assert evaluation.recall_of_extent[within] >= recall

    # Photos of another place are not to be found here.
    foreign = open_scene(shared_scenes / "monument").queries[::8]
    camera = scene.queries[0].camera
    answers = localizer.localize_many(
        [Query(f.name, f.image, replace(camera, width=480, height=853)) for f in foreign]
    )
    assert not any(answer.localized for answer in answers)
