"""Map a scene with the features of a network of one's own.

Any object with `channels`, `stride`, `fingerprint` and a call on grey images is a backbone. This
one is a toy that shows the shapes; a real one would be trained. It is registered by a name, so that
maps made with it find it.

python examples/own_backbone.py kitchen own.safetensors [SECONDS]
"""

import sys

import torch
from torch import nn
from torch.nn import functional

from reloc import Localizer, map_scene, open_scene, preset_options, register_backbone


@register_backbone("patches")
class PatchBackbone(nn.Module):
    """One feature per 8x8 pixels: the brightness of its neighbourhood, projected at random."""

    channels = 128
    stride = 8
    fingerprint = "patches-1"  # another one whenever the features change
    weights: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(self.channels, 1, 24, 24, generator=generator)
        # Without its mean a filter does not answer to brightness as such.
        self.register_buffer("weights", weights - weights.mean((2, 3), keepdim=True))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 1, H, W) to features (B, channels, ceil(H / 8), ceil(W / 8))."""
        height, width = images.shape[-2:]
        margin = (8, 8 + -width % 8, 8, 8 + -height % 8)
        padded = functional.pad(images, margin, mode="replicate")
        return functional.layer_norm(
            functional.conv2d(padded, self.weights, stride=self.stride).movedim(1, -1),
            (self.channels,),
        ).movedim(-1, 1)


def main(folder: str, out: str, seconds: str = "300") -> None:
    options = preset_options("standard", time_limit=float(seconds))
    map_scene(open_scene(folder), "patches", options=options).scene_map.save(out)
    localizer = Localizer.from_file(out)
    print(f"{out}: made with {localizer.map.backbone}")


if __name__ == "__main__":
    main(*sys.argv[1:])
