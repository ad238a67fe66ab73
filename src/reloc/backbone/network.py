"""The scene-agnostic network: a grey image to a grid of features, one per 8x8 pixels."""

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

# Pixels per cell of the context path.
CONTEXT_STRIDE = 16


@runtime_checkable
class Backbone(Protocol):
    """What mapping and localization ask of a backbone; any module that has it can take the place.

    Attributes:
        channels: length of a feature.
        stride: side of a cell in pixels; cell (i, j) looks at pixel
            (stride * (j + 0.5), stride * (i + 0.5)).
        fingerprint: tells two sets of weights apart; a map only works with the one it was made
            with.
    """

    channels: int
    stride: int
    fingerprint: str

    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, channels, ceil(H / stride), ceil(W / stride)) of grey images (B, 1, H, W).

        Args:
            images: brightness from 0 to 1. Features have unit variance per channel or near.
        """
        ...


@runtime_checkable
class ContextBackbone(Backbone, Protocol):
    """A backbone that adds context to features of its own, and can tell both.

    Features without context say better where exactly something is: they serve stereo.
    """

    def with_local(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features as of the call, and those before context was added, on the same grid.

        Args:
            images: as of the call.
        """
        ...


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU; the norm melts into the convolution for inference."""

    def __init__(self, inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=True)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Convolves (B, C_in, H, W), normalizes and clips at zero: (B, C_out, H', W')."""
        return functional.relu(self.norm(self.conv(x)))

    @torch.no_grad()
    def fuse(self) -> None:
        """Folds the batch norm's running statistics into the convolution's weights."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert norm.running_mean is not None and norm.running_var is not None
        assert self.conv.bias is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.conv.weight.mul_(scale[:, None, None, None])
        self.conv.bias.sub_(norm.running_mean).mul_(scale).add_(norm.bias)
        self.norm = nn.Identity()


class ConvBackbone(nn.Module):
    """Features at stride 8 from a local path and a wider one at stride 16.

    The local path sees 95 pixels and says precisely where it looks; the context path sees about
    three times as far and tells apart what looks alike nearby. About 19 GFLOP for 640x480.

    Args:
        channels: length of a feature.
        width: channels inside, at stride 8 and 16.
    """

    stride = 8

    def __init__(self, *, channels: int = 256, width: int = 256) -> None:
        super().__init__()
        self.channels = channels
        self.width = width
        self.fingerprint = "untrained"
        self.stem = nn.Sequential(
            ConvBlock(1, 32, stride=2),
            ConvBlock(32, 64, stride=2),
            ConvBlock(64, 64),
            ConvBlock(64, 128, stride=2),
            ConvBlock(128, width),
        )
        self.local = ConvBlock(width, width)
        self.context = nn.Sequential(
            ConvBlock(width, width, stride=2),
            ConvBlock(width, width),
            ConvBlock(width, width),
        )
        self.merge: nn.Module = ConvBlock(width, width)
        self.out = nn.Conv2d(width, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """See ``Backbone.__call__``. Each feature has the Euclidean length sqrt(channels)."""
        height, width = images.shape[-2:]
        # Cells of the context path must lie over exactly two by two of the local one, whatever the
        # size: a grid stretched by half a cell shifts what features look at by half a pixel.
        spare = (0, -width % CONTEXT_STRIDE, 0, -height % CONTEXT_STRIDE)
        x = self.stem((functional.pad(images, spare, mode="replicate") - 0.4) / 0.25)
        wide = functional.interpolate(
            self.context(x), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        x = self.out(self.merge(self.local(x) + wide))
        x = x[..., : -(-height // self.stride), : -(-width // self.stride)]
        return functional.normalize(x, dim=1) * math.sqrt(self.channels)

    def fuse(self) -> "ConvBackbone":
        """Melts all batch norms into their convolutions, in place, for inference."""
        for module in self.modules():
            if isinstance(module, ConvBlock):
                module.fuse()
        return self.eval()
