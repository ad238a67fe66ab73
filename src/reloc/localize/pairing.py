"""Bringing estimates and frames together, by name and never by order."""

from collections.abc import Sequence

from reloc.errors import OptionError
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame


def paired(
    estimates: Sequence[Estimate], frames: Sequence[Frame]
) -> list[tuple[Frame, Estimate | None]]:
    """Every frame with the estimate of its name, in the order of the frames.

    A frame that has no estimate is paired with None.

    Raises:
        OptionError: two estimates or two frames share a name, or an estimate names no frame.
    """
    by_name: dict[str, Estimate] = {}
    for estimate in estimates:
        if estimate.image in by_name:
            raise OptionError(f"{estimate.image}: two estimates for one image; keep one of them")
        by_name[estimate.image] = estimate
    names = {frame.name for frame in frames}
    if len(names) < len(frames):
        raise OptionError("two frames share a name; names must tell the images apart")
    for name in by_name:
        if name not in names:
            raise OptionError(
                f"{name}: an estimate for an image that is none of the {len(frames)} frames; "
                "give the frames that were localized"
            )
    return [(frame, by_name.get(frame.name)) for frame in frames]
