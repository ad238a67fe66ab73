"""Two processes take the steps that one takes with the batch of both."""

import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import torch.distributed as dist

from reloc.backbone.network import ConvBackbone
from reloc.backbone.pretrain.backbone_trainer import pretrain
from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.parallel import (
    average_gradients,
    place_among_processes,
    synchronize_norms,
)
from reloc.backbone.pretrain.view_pairs import PhotoPairs
from reloc.errors import OptionError

TOY = PretrainOptions(steps=3, pairs=4, size=64, points=24, channels=8, width=8, seed=3)


def contrast():
    photo = torch.randint(0, 256, (1, 1, 20, 20), generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(photo.float(), (200, 200), mode="bicubic")
    picture = large[0, 0].clamp(0, 255).byte().numpy()
    return Contrast([WeightedSource(PhotoPairs([picture], size=64), 1.0)])


def gradient(rank, world):
    """Loss, gradient and running statistics of the first step."""
    torch.manual_seed(0)
    network = ConvBackbone(channels=8, width=8)
    if world > 1:
        synchronize_norms(network)
    batch = contrast().batch(TOY, 0, rank=rank, world=world)
    loss, _ = contrast().loss(network.train(), batch, TOY)
    loss.backward()
    average_gradients(network)
    return {
        "loss": loss.detach(),
        "gradient": torch.cat([p.grad.flatten() for p in network.parameters()]),
        "statistics": torch.cat([b.flatten().float() for b in network.buffers()]),
    }


def weights():
    """Weights after a few steps in full precision: Adam magnifies the rounding of bf16."""
    full = patch("torch.autocast", lambda *_, **__: nullcontext())
    with tempfile.TemporaryDirectory() as folder, full:
        network = pretrain(contrast(), TOY, checkpoint=Path(folder) / "checkpoint.pt")
        rank, _ = place_among_processes()
        assert (Path(folder) / "checkpoint.pt").exists() == (rank == 0)
    return torch.cat([p.flatten() for p in network.parameters()])


def run_as_one_of_two(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=2
    )
    found = gradient(rank, 2) | {"weights": weights()}
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path):
    workers = [subprocess.Popen([sys.executable, __file__, str(r), tmp_path]) for r in range(2)]
    alone = gradient(0, 1)
    expected = weights()
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    one, two = (torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in range(2))
    assert torch.equal(one["weights"], two["weights"])
    torch.testing.assert_close(one["loss"], alone["loss"], rtol=1e-5, atol=0)
    torch.testing.assert_close(one["statistics"], alone["statistics"], rtol=1e-4, atol=1e-5)
    error = (one["gradient"] - alone["gradient"]).norm()
    assert error < 1e-4 * alone["gradient"].norm()
    assert (one["weights"] - expected).norm() < 1e-3 * expected.norm()


def test_the_shares_of_two_processes_make_the_batch():
    whole = contrast().batch(TOY, 5)
    shares = [contrast().batch(TOY, 5, rank=rank, world=2) for rank in range(2)]
    for rank, share in enumerate(shares):
        for name, tensor in whole.items():
            assert torch.equal(share[name], tensor[rank::2])


def test_pairs_that_cannot_be_shared_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "reloc.backbone.pretrain.backbone_trainer.place_among_processes", lambda: (0, 3)
    )
    with pytest.raises(OptionError, match="4 pairs"):
        pretrain(contrast(), TOY, checkpoint=tmp_path / "a")


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    run_as_one_of_two(int(sys.argv[1]), Path(sys.argv[2]))
