"""One look at each image: keypoints for matching, and what the whole of it looks like."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import Backbone
from reloc.backbone.descriptor import global_descriptor
from reloc.backbone.extractor import FeatureExtractor
from reloc.capture.photos import SHORT_SIDE as JUDGED
from reloc.capture.photos import PhotoFacts, photo_facts
from reloc.errors import ImageError
from reloc.images.augment import plain_view
from reloc.images.image_cache import read_gray
from reloc.landmarks.keypoints import Keypoints, detect_keypoints, no_keypoints
from reloc.prefetching import prefetched
from reloc.progress import Progress
from reloc.sfm.database import KeypointStore

KEYPOINTS = 2048
# Pixels along the longer side of the image that is searched for them. Photos are farther apart than
# frames of a video, and finer detail is what tells one from another there.
LONGEST = {"video": 1000, "photos": 1600}
# What the backbone sees of an image suffices to tell what looks alike; a quarter of the time.
SHORT_SIDE = 240


def look_at(
    images: Sequence[Path],
    database: Path,
    backbone: Backbone,
    *,
    kind: str,
    device: torch.device,
    progress: Progress,
) -> tuple[NDArray[np.int8], list[PhotoFacts | None]]:
    """Puts the keypoints of images into a database; those that are there are not looked for again.

    Args:
        images: files whose headers can be read, in the order of the database.
        database: see ``create_database``.
        backbone: describes whole images.
        kind: ``video`` or ``photos``.
        device: where it computes.
        progress: told of every image.

    Returns:
        Descriptors (N, D) of the images, and what each is like; None of one that cannot be
        decoded, which has no keypoints.
    """
    extractor = FeatureExtractor(backbone, device=device)
    store = KeypointStore(database)
    there = [store.count(number) is not None for number in range(len(images))]
    descriptors, facts = list[NDArray[np.int8]](), list[PhotoFacts | None]()

    def seen(number: int) -> tuple[NDArray[np.uint8], PhotoFacts | None, Keypoints | None]:
        try:
            image = read_gray(images[number])
        except ImageError:
            return np.zeros((SHORT_SIDE, SHORT_SIDE), np.uint8), None, no_keypoints()
        small = plain_view(image, short_side=JUDGED).image
        scale = min(1.0, LONGEST[kind] / max(image.shape))
        found = None if there[number] else detect_keypoints(image, most=KEYPOINTS, scale=scale)
        return image, photo_facts(images[number].name, small), found

    try:
        with prefetched(seen, range(len(images)), ahead=4, workers=2) as results:
            for number, job in results:
                image, fact, found = job.result()
                if found is not None:
                    store.write(number, found)
                view = plain_view(image, short_side=SHORT_SIDE).image
                descriptors.append(global_descriptor(extractor(view)))
                facts.append(fact)
                progress("looking at images", number + 1, len(images))
    finally:
        store.close()
    return np.array(descriptors), facts
