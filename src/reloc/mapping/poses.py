"""Poses as a network wants them: around an origin, in single precision."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.geometry import inverted
from reloc.scenes.scene import Frame, poses_of


def centered_cam_from_world(frames: Sequence[Frame], origin: NDArray[np.float64]) -> Tensor:
    """(F, 3, 4) float32 poses in a world moved to ``origin``: large coordinates stay exact."""
    poses = poses_of(frames)
    poses[:, :3, 3] -= origin
    return torch.from_numpy(inverted(poses)[:, :3]).float()
