"""What is shown belongs together: map or scene, evaluation, poses."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.view.exhibit import MAX_MAPPING, exhibit

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map


def test_an_evaluation_brings_estimates_to_the_frames_of_the_scene(gallery) -> None:
    shown = gallery.shown()
    assert (shown.title, shown.unit) == ("hall </script>", "metre")
    assert [frame.query for frame in shown.frames] == [False] * 6 + [True] * 3
    near = shown.frames[6]
    assert near.result is not None and near.result.translation_error == pytest.approx(0.02)
    assert near.image == gallery.queries[0].image


def test_without_an_evaluation_queries_are_shown_where_they_are_known(gallery) -> None:
    queries = (*gallery.queries[:2], replace(gallery.queries[2], world_from_cam=None))
    shown = exhibit(cloud=gallery.cloud, scene=replace(gallery.scene, queries=queries))
    assert [frame.name for frame in shown.frames if frame.query] == list(gallery.names[:2])


def test_an_evaluation_of_another_scene_is_refused(gallery) -> None:
    scene = replace(gallery.scene, queries=gallery.queries[:1])
    with pytest.raises(OptionError, match="the scene that was evaluated"):
        exhibit(cloud=gallery.cloud, scene=scene, evaluation=gallery.evaluation)


def test_an_evaluation_with_other_poses_is_refused(gallery) -> None:
    moved = gallery.queries[0].world_from_cam.copy()
    moved[0, 3] += 0.01
    queries = (replace(gallery.queries[0], world_from_cam=moved), *gallery.queries[1:])
    with pytest.raises(OptionError, match=r"near\.jpg: .* --poses"):
        exhibit(
            cloud=gallery.cloud,
            scene=replace(gallery.scene, queries=queries),
            evaluation=gallery.evaluation,
        )


def test_a_map_tells_its_landmarks(gallery) -> None:
    known = made_landmarks(20)
    shown = exhibit(cloud=gallery.cloud, scene=gallery.scene, scene_map=made_map())
    assert shown.landmarks.shape == (0, 3)
    with_some = replace(made_map(), landmarks=known)
    shown = exhibit(cloud=gallery.cloud, scene=gallery.scene, scene_map=with_some)
    np.testing.assert_array_equal(shown.landmarks, known.points)


def test_nothing_is_refused(gallery) -> None:
    with pytest.raises(OptionError, match="give a map or a scene"):
        exhibit(cloud=gallery.cloud)


def test_mapping_frames_are_bounded(gallery) -> None:
    many = gallery.scene.mapping * 500
    shown = exhibit(cloud=gallery.cloud, scene=replace(gallery.scene, mapping=many, queries=()))
    assert len(shown.frames) == MAX_MAPPING
