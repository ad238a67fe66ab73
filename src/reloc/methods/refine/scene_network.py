"""A backbone that learns together with the heads of a map, shown whole images."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from reloc.backbone import Backbone, ConvBackbone
from reloc.backbone.weights import fingerprint
from reloc.devices import to_device
from reloc.errors import OptionError
from reloc.heads import Head
from reloc.mapping.views import Kind
from reloc.methods.refine.images import Cells, TrainingImages
from reloc.pose.ransac import Matches


def trainable_copy(backbone: Backbone) -> ConvBackbone:
    """A fused copy, to be trained on one place.

    Raises:
        OptionError: the backbone has an adapter, or is of another kind: no map could hold it.
    """
    if not isinstance(backbone, ConvBackbone):
        raise OptionError(
            "a backbone with an adapter cannot be trained for one place; name one without"
        )
    return copy.deepcopy(backbone).fuse()


class SceneNetwork(nn.Module):
    """A backbone and the heads on it.

    Args:
        backbone: fused; is changed.
        heads: are changed.
        images: what to train on.
        head_of: for each frame of the images, the number of the head that learns from it.
        device: where to compute.
        amp: precision of the products.
    """

    def __init__(
        self,
        backbone: ConvBackbone,
        heads: Sequence[Head],
        images: TrainingImages,
        *,
        head_of: Sequence[int],
        device: torch.device,
        amp: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.backbone, self.heads = backbone, nn.ModuleList(heads)
        self.images = images
        self.device = device
        self._head_of = head_of
        self._amp = amp
        self.to(device).requires_grad_(True)

    def forward(self, shown: int, *, kind: Kind) -> tuple[Tensor, Cells]:
        """Scene coordinates (N, 3) of the usable cells of a training image, and these.

        Args:
            shown: its number in the order of training.
            kind: how the view is made.

        Raises:
            SceneError: no image can be used.
        """
        view = self.images.at(shown, kind=kind)
        head = self.heads[self._head_of[view.number]]
        with torch.autocast(self.device.type, self._amp, enabled=self._amp != torch.float32):
            features = self.backbone(to_device(view.image, self.device))[0].flatten(1).T
            coordinates = head(features[to_device(view.usable, self.device)])
        cells = replace(
            view.cells,
            rays=to_device(view.cells.rays, self.device),
            depths=to_device(view.cells.depths, self.device),
            cam_from_world=to_device(view.cells.cam_from_world, self.device),
        )
        return coordinates.float(), cells

    def finished(self) -> ConvBackbone:
        """The backbone as a map holds it; it and the heads learn no more, on the processor."""
        self.cpu().requires_grad_(False).eval()
        self.backbone.fingerprint = fingerprint(self.backbone)
        return self.backbone


def drawn_matches(
    coordinates: Tensor,
    cells: Cells,
    *,
    count: int,
    generator: torch.Generator,
    measured: bool = False,
) -> Matches:
    """Of one view, so many cells drawn at random, for the search of poses; padded if it has fewer.

    Args:
        coordinates: (N, 3) with their gradient.
        cells: what they belong to.
        count: cells that are drawn.
        generator: where chance comes from.
        measured: whether the known depths give measured points.
    """
    picks = torch.randperm(len(coordinates), generator=generator, device=coordinates.device)
    places = torch.arange(count, device=picks.device)
    usable, picks = places < len(picks), picks[places % len(picks)]
    rays, depths = cells.rays[picks], cells.depths[picks]
    points = torch.cat([rays, torch.ones_like(depths)[:, None]], dim=1) * depths[:, None]
    return Matches(
        coordinates[picks][None],
        rays[None],
        torch.full((1,), cells.focal, device=rays.device),
        usable[None],
        points[None] if measured else None,
        (usable & (depths > 0))[None] if measured else None,
    )
