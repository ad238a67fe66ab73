"""Smaller maps: weights rounded to a few bits, so that the outputs of the layers change least."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from reloc.errors import OptionError
from reloc.heads import Head
from reloc.landmarks.reduction import ReductionOptions, reduced
from reloc.maps.packing import (
    BITS,
    GROUP,
    PackedMatrix,
    PackedWeights,
    group_scales,
    packable,
    packed_matrix,
    rounded,
    unpacked_matrix,
)
from reloc.maps.scene_map import LEAST_VIEWS, MAX_VIEWS, Region, SceneMap
from reloc.sampling import even_picks

# Of the mean of the diagonal: keeps directions that the features hardly use well conditioned.
_DAMPING = 0.01


# A map of at most 1 MB, unless its heads are many or of the narrowest: docs/large-places.md.
SMALL_BITS = 3
SMALL_LANDMARKS = ReductionOptions(count=4000, dimensions=24, bits=4)


def compressed(
    scene_map: SceneMap,
    *,
    bits: int,
    features: Sequence[Tensor] | None = None,
    landmarks: ReductionOptions | None = None,
) -> SceneMap:
    """A map whose hidden layers are stored with a few bits per weight, and with less views.

    As many views are left as a library needs to find the place by, ``MAX_VIEWS``, and as its
    regions do to be told apart, ``LEAST_VIEWS`` of each.

    Args:
        scene_map: stays as it is.
        bits: 3, 4, 5, 6 or 8.
        features: for each region (N, channels) of its mapping images. With them the error of each
            rounded column is made up for by the columns to come (GPTQ, Frantar et al., 2023), which
            four bits and less need; without them every weight goes to its nearest value.
        landmarks: what is to be left of the map's; None for all.

    Raises:
        OptionError: another number of bits.
    """
    if bits not in BITS:
        raise OptionError(f"bits must be one of {', '.join(map(str, BITS))}")
    most = max(LEAST_VIEWS, MAX_VIEWS // len(scene_map.regions))
    regions = tuple(
        replace(
            _compressed(region, bits, None if features is None else features[number]),
            views=region.views[even_picks(len(region.views), most)],
        )
        for number, region in enumerate(scene_map.regions)
    )
    info = {**scene_map.info, "bits": bits}
    known = scene_map.landmarks
    if landmarks is not None and known is not None:
        cameras = [(c.world_from_cam, c.camera) for c in scene_map.cameras]
        known = reduced(known, cameras, options=landmarks)
    return replace(scene_map, regions=regions, landmarks=known, info=info)


@torch.no_grad()
def _compressed(region: Region, bits: int, features: Tensor | None) -> Region:
    head: Head = deepcopy(region.head)
    matrices: dict[str, PackedMatrix] = {}
    # In the order of the layers: each sees the inputs that the rounded ones before it give.
    for name, parameter in head.named_parameters():
        if not packable(parameter):
            continue
        layer = head.get_submodule(name.rpartition(".")[0])
        moments = None
        if features is not None and isinstance(layer, nn.Linear):
            moments = _input_moments(head, layer, features)
        matrices[name] = _rounded_matrix(parameter, bits, moments)
        parameter.copy_(unpacked_matrix(matrices[name], columns=parameter.shape[1], bits=bits))
    packed = PackedWeights(bits, matrices) if matrices else None
    return replace(region, head=head, packed=packed)


def _input_moments(head: Head, layer: nn.Linear, features: Tensor) -> Tensor:
    """X' X / N (inputs, inputs) float64 of what a layer gets to see."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].double()))
    head(features.float())
    hook.remove()
    inputs = torch.cat(seen)
    return inputs.T @ inputs / len(inputs)


def _rounded_matrix(weights: Tensor, bits: int, moments: Tensor | None) -> PackedMatrix:
    """Rounds a matrix (outputs, inputs) column by column.

    With the Cholesky factor U of the inverse of the inputs' moments, the error e_j of column j
    changes what follows by -e_j U_jk / U_jj: the best that the other columns can do about it.
    """
    left = weights.double().clone()
    columns = left.shape[1]
    factor = torch.eye(columns, dtype=torch.float64)
    if moments is not None:
        damping = _DAMPING * moments.diagonal().mean() * factor
        factor = torch.linalg.cholesky(torch.linalg.inv(moments + damping), upper=True)
    integers, scales = torch.empty_like(left), []
    for begin in range(0, columns, GROUP):
        scale = group_scales(left[:, begin : begin + GROUP], bits=bits)
        scales.append(scale)
        for j in range(begin, min(begin + GROUP, columns)):
            column = left[:, j : j + 1]
            integers[:, j : j + 1] = rounded(column, scale, bits=bits)
            if moments is not None:
                error = (column - integers[:, j : j + 1] * scale) / factor[j, j]
                left[:, j + 1 :] -= error @ factor[j : j + 1, j + 1 :]
    return packed_matrix(integers, torch.cat(scales, dim=1), bits=bits)
