"""The gradient of an episode with the memory of one image, against plain autograd."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from reloc.backbone.meta.episode_loss import (
    Episode,
    EpisodeFitOptions,
    Rows,
    backward_episode,
    episode_loss,
)

OPTIONS = EpisodeFitOptions(neighbours=4, temperature=0.3, ridge=0.05, error_scale=5.0)


def image(seed, *, rows=12, anchors=0):
    """An image of 6-d inputs whose coordinates depend on them."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 6, generator=generator, dtype=torch.float64)
    coordinates = torch.stack([inputs[:, 0], inputs[:, 1] * inputs[:, 2], inputs[:, 3]], dim=1)
    pixels = 100 + 50 * torch.rand(rows, generator=generator, dtype=torch.float64)
    picks = torch.randperm(rows, generator=generator)[:anchors]
    return lambda: Rows(inputs, coordinates, pixels, picks)


def episode():
    support = [image(n, anchors=n % 4) for n in range(5)]
    return Episode(support=support, queries=[image(100 + n) for n in range(3)])


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8)).double()


def gradients(module):
    return torch.cat([p.grad.flatten() for p in module.parameters()])


def reference():
    module = network()
    loss = episode_loss(module, episode(), OPTIONS)
    loss.backward()
    return loss.detach(), gradients(module)


@pytest.mark.slow
def test_gradient_and_loss_are_those_of_plain_autograd():
    loss, expected = reference()
    module = network()
    total = backward_episode(module, episode(), OPTIONS)
    torch.testing.assert_close(total, loss, rtol=1e-10, atol=0)
    found = gradients(module)
    assert (found - expected).norm() < 1e-8 * expected.norm()
    assert expected.norm() > 1e-3


def test_gradient_is_that_of_finite_differences():
    module = network()
    backward_episode(module, episode(), OPTIONS)
    for name, parameter in module.named_parameters():
        values = []
        for sign in (1, -1):
            moved = copy.deepcopy(module)
            with torch.no_grad():
                moved.get_parameter(name).view(-1)[0] += sign * 1e-6
                values.append(episode_loss(moved, episode(), OPTIONS))
        slope = (values[0] - values[1]) / 2e-6
        assert parameter.grad.view(-1)[0].item() == pytest.approx(slope.item(), rel=1e-4, abs=1e-7)


def run_as_one_of_two(rank, folder):
    """One process of two; writes its loss and gradient to the folder."""
    torch.set_num_threads(1)
    rendezvous = f"file://{folder / 'rendezvous'}"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    module = network()
    total = backward_episode(module, episode(), OPTIONS, rank=rank, world=2, reduce=dist.all_reduce)
    torch.save({"loss": total, "gradient": gradients(module)}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_get_what_one_gets(tmp_path):
    loss, expected = reference()
    workers = [subprocess.Popen([sys.executable, __file__, str(r), tmp_path]) for r in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(found["loss"], loss, rtol=1e-10, atol=0)
        assert (found["gradient"] - expected).norm() < 1e-8 * expected.norm()


if __name__ == "__main__":
    run_as_one_of_two(int(sys.argv[1]), Path(sys.argv[2]))
