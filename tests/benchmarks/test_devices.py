"""What the benchmark of devices counts, and how it compares."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from reloc.localize.estimate import Estimate


def estimate(shift: float | None) -> Estimate:
    pose = np.eye(4)
    pose[0, 3] = shift or 0.0
    return Estimate("a", shift is not None, None if shift is None else pose)


def test_a_trainer_is_the_same_each_time(script: Callable[[str], ModuleType]) -> None:
    devices = script("devices")
    sizes = {"heads": 2, "width": 16, "batch": 64}
    losses = [
        devices.loss_after(devices.toy_trainer(torch.device("cpu"), **sizes), 2) for _ in range(2)
    ]
    assert losses[0] == losses[1] > 0


def test_operations_grow_with_heads_and_batches(script: Callable[[str], ModuleType]) -> None:
    devices = script("devices")
    one = devices.step_flops(1, 224, 3072)
    # Six for each weight and feature, beside the directions.
    weights = 224 * (256 + 7 * 224 + 4)
    assert one == pytest.approx(6 * 3072 * weights, rel=0.3)
    assert one > 6 * 3072 * weights
    assert devices.step_flops(4, 224, 3072) == pytest.approx(4 * one)


def test_poses_are_compared_where_both_are_known(script: Callable[[str], ModuleType]) -> None:
    devices = script("devices")
    ones = [estimate(0.0), estimate(1.0), estimate(None)]
    others = [estimate(0.01), estimate(1.01), estimate(3.0)]
    assert devices.apart(ones, others, 2.0) == "2 by both, 0.500 % of the extent, 0.000 deg"
    assert devices.apart(ones[2:], others[2:], 2.0) == "none by both"
