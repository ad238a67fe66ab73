"""The rules of the emulated devices, one by one."""

import copy
import io
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

from reloc.heads.mlp import new_head

from .emulation import emulated
from .emulator import DeviceFault, asking_line


@pytest.fixture(params=["cuda", "mps"])
def there(request):
    """The emulated device; what it refuses is meant to be refused."""
    with emulated(request.param) as world:
        yield world


@pytest.fixture
def mps():
    with emulated("mps") as world:
        yield world


def noted(world, what):
    return sum(count for (found, _), count in world.notes.items() if what in found)


def test_tensors_say_where_they_are(there):
    kind = there.device.type
    for tensor in (
        torch.zeros(2, device=kind),
        torch.zeros(2).to(there.device),
        torch.tensor([1.0, 2.0], device=there.device),
        torch.as_tensor([1.0], device=kind) + 1,
        torch.zeros(2, device=kind).new_ones(3),
        torch.randn(3, 2, device=kind)[1:].T.exp().sum(dim=0),
    ):
        assert tensor.device == there.device
        assert (tensor.is_cuda, tensor.is_mps, tensor.is_cpu) == (
            kind == "cuda",
            kind == "mps",
            False,
        )
        assert tensor.cpu().device.type == "cpu"
    assert torch.zeros(2).device.type == "cpu"


def test_arithmetic_and_gradients_are_those_of_the_host(there):
    x = torch.randn(5, 3)
    head = new_head(channels=3, width=4, blocks=1, scale=2.0, seed=0)
    moved = copy.deepcopy(head).to(there.device)
    for network, inputs in ((head, x), (moved, x.to(there.device))):
        network(inputs).square().sum().backward()
    for ours, theirs in zip(moved.parameters(), head.parameters(), strict=True):
        assert isinstance(ours, nn.Parameter)
        assert ours.device == ours.grad.device == there.device
        assert torch.equal(ours.grad.cpu(), theirs.grad)


def test_nothing_is_left_of_it_afterwards():
    before = torch.zeros, torch.Tensor.to, torch.Generator, torch.autocast
    with emulated("cuda"):
        kept = torch.ones(2, device="cuda")
    assert before == (torch.zeros, torch.Tensor.to, torch.Generator, torch.autocast)
    assert not torch.cuda.is_available()
    assert float(kept.sum()) == 2


@pytest.mark.parametrize(
    "meeting",
    [
        lambda a, b: a + b,
        lambda a, b: b * a,
        lambda a, b: b.add_(a),
        lambda a, b: torch.cat([a, b]),
        lambda a, b: torch.where(a > 0, a, b),
        lambda a, b: functional.linear(a, b),
        lambda a, b: b[a.long()],
        lambda a, b: a.__setitem__(a.long(), b),
        lambda a, b: torch.stack([a[0], b[0]]),
    ],
)
def test_tensors_of_two_devices_are_refused(there, meeting):
    with pytest.raises(DeviceFault, match="same device"):
        meeting(torch.zeros(3, device=there.device), torch.zeros(3))
    assert there.refused


def test_numbers_of_the_host_and_copies_are_taken(there):
    a = torch.ones(3, device=there.device)
    assert (a * torch.tensor(2.0) + 1).device == there.device
    a.copy_(torch.zeros(3))
    a[1:] = torch.ones(2)
    assert a.tolist() == [0, 1, 1]
    assert not there.refused


def test_arrays_want_a_copy_on_the_host(there):
    tensor = torch.ones(3, device=there.device)
    with pytest.raises(DeviceFault, match="to numpy"):
        tensor.numpy()
    assert tensor.cpu().numpy().sum() == 3


def test_chance_is_of_the_device(there):
    own, other = torch.Generator(there.device), torch.Generator()
    torch.randint(9, (3,), generator=own, device=there.device)
    torch.rand(3, generator=other)
    with pytest.raises(DeviceFault, match="device type for generator"):
        torch.rand(3, generator=other, device=there.device)
    with pytest.raises(DeviceFault, match="device type for generator"):
        torch.zeros(3).to(there.device).normal_(generator=other)


@pytest.mark.parametrize(
    "refused",
    [
        lambda x: x.double(),
        lambda x: x.bfloat16(),
        lambda x: torch.zeros(2, dtype=torch.float64, device=x.device),
        lambda x: torch.zeros(2, dtype=torch.float64).to(x.device),
        lambda x: torch.linalg.eigh(x @ x.T),
        lambda x: torch.linalg.svd(x),
        lambda x: functional.grid_sample(
            x[None, None], x[None, :, :2, None], padding_mode="border", align_corners=False
        ),
        lambda x: torch.zeros(2).to(x.device, non_blocking=True),
        lambda x: torch.autocast("mps", torch.bfloat16).__enter__(),
    ],
)
def test_what_mps_lacks_is_refused(mps, refused):
    with pytest.raises(DeviceFault):
        refused(torch.ones(3, 3, device=mps.device))


def test_a_copy_to_the_host_that_nobody_awaits_is_refused():
    with emulated("cuda") as world, pytest.raises(DeviceFault, match="before it is made"):
        torch.ones(2, device=world.device).to("cpu", non_blocking=True)


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: f"{x.sum()}",
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.where(x > 0),
        lambda x: x[[0, 1]],
        lambda x: x[torch.tensor([0, 1])],
        lambda x: x.new_tensor([1.0]),
        lambda x: torch.tensor([1.0], device=x.device),
        lambda x: torch.ones(2).to(x.device),
        lambda x: x.cpu(),
    ],
)
def test_waits_are_counted_by_line(there, waiting):
    x = torch.ones(3, device=there.device)
    there.notes.clear()
    waiting(x)
    assert [line.split(":")[0] for line in there.waits()] == ["test_emulator.py"]


def test_what_waits_for_nothing_is_not_counted(there):
    x = torch.ones(3, device=there.device)
    there.notes.clear()
    x[1], x[0:2], x[torch.zeros(2, dtype=torch.long, device=x.device)]
    x[x > 0] = 0.0
    torch.where(x > 0, x, 1.0).median()
    nn.utils.clip_grad_norm_([nn.Parameter(x)], 1.0)
    assert not there.waits()


def test_threads_and_files_keep_to_the_rules(there):
    made = []
    thread = threading.Thread(target=lambda: made.append(torch.ones(2, device=there.device) + 1))
    thread.start()
    thread.join()
    assert made[0].device == there.device
    torch.save({"x": made[0]}, content := io.BytesIO())
    content.seek(0)
    assert torch.equal(torch.load(content, map_location="cpu")["x"], torch.full((2,), 2.0))


def test_hooks_keep_to_the_rules(there):
    x = torch.ones(2, device=there.device, requires_grad=True)
    doubled = x * 2
    doubled.register_hook(lambda gradient: gradient + torch.ones(2))
    with pytest.raises(DeviceFault):
        doubled.sum().backward()


def test_seeds_of_the_device_are_noted(there):
    new_head(channels=3, width=4, blocks=1, scale=1.0, seed=0)
    assert not noted(there, "reseeds")
    torch.manual_seed(0)
    assert noted(there, "reseeds") == 1


def test_the_line_that_asks_is_that_of_a_test():
    assert asking_line().startswith("test_emulator.py:")
