"""How large a head may be, so that no map makes its reader compute, or take memory, without end."""

from reloc.errors import OptionError
from reloc.heads.head import MAX_CHANNELS
from reloc.heads.mlp import MAX_BLOCKS, MAX_WIDTH
from reloc.maps.contents import MAX_SHORT_SIDE

# Products that a head may compute for a square photo: a little more than the widest of two blocks
# does for images of the usual size.
MAX_WORK = 2**41
# Numbers that a layer of a head may give for a square photo: 256 MiB.
MAX_ACTIVATIONS = 2**26
_CELL = 8


def is_too_large(*, weights: int, layer: int, short_side: int) -> bool:
    """Whether no map may hold a head.

    Args:
        weights: of the head, each of which takes part in a product for each cell.
        layer: numbers that its widest layer gives for a cell.
        short_side: of the views, in pixels.
    """
    cells = (short_side / _CELL) ** 2
    return cells * weights > MAX_WORK or cells * layer > MAX_ACTIVATIONS


def check_mlp_options(*, width: int, blocks: int, short_side: int, least_side: int) -> None:
    """Refuses heads that no map may hold, whatever the backbone, before they are trained.

    Args:
        width: of the hidden layers.
        blocks: residual blocks.
        short_side: of the views, in pixels.
        least_side: that can be mapped from.

    Raises:
        OptionError: such a head.
    """
    if not 1 <= width <= MAX_WIDTH:
        raise OptionError(f"width must be 1 to {MAX_WIDTH}")
    if not 0 <= blocks <= MAX_BLOCKS:
        raise OptionError(f"blocks must be 0 to {MAX_BLOCKS}")
    if not least_side <= short_side <= MAX_SHORT_SIDE:
        raise OptionError(f"short-side must be {least_side} to {MAX_SHORT_SIDE} pixels")
    weights = width * (MAX_CHANNELS + (3 * blocks + 1) * width)
    if is_too_large(weights=weights, layer=width, short_side=short_side):
        raise OptionError(
            f"width {width} with blocks {blocks} is too large for a short-side of {short_side} "
            "pixels; choose one of them smaller"
        )
