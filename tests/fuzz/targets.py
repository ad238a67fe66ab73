"""All loaders of what comes from outside. A new one joins by an entry in one of these tables."""

from tests.fuzz import (
    archive_targets,
    capture_targets,
    image_targets,
    map_targets,
    record_targets,
    scene_targets,
    training_targets,
)
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for table in (
        scene_targets,
        capture_targets,
        image_targets,
        map_targets,
        record_targets,
        archive_targets,
        training_targets,
    )
    for target in table.TARGETS
}
