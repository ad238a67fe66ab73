"""A step of all heads on a device: what it asks of the host, and the graph it becomes on CUDA."""

from collections import Counter

import pytest
import torch
from torch.overrides import TorchFunctionMode

from reloc.heads.mlp import new_head
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.trainer import HeadsTrainer, TrainerOptions
from reloc.training import replay

from .emulation import emulated

HALF = torch.bfloat16
MOST_OPERATIONS = 150
# These make no work for the device.
FREE = {"__get__", "__getitem__", "_set_grad_enabled", "unbind", "view", "view_as", "detach"}


@pytest.fixture
def cuda():
    with emulated("cuda") as world:
        yield world


def trainer_on(device, *, heads, spilled=False):
    """Of heads that learn from noise; the features stay with the host if they are spilled."""
    chance = torch.Generator().manual_seed(0)
    features = torch.randn(400, 8, generator=chance).to(HALF)
    buffer = FeatureBuffer.empty(
        400,
        channels=8,
        cam_from_world=torch.eye(3, 4).repeat(4, 1, 1),
        device=device,
        features=torch.zeros_like(features) if spilled else None,
    )
    for frame in range(4):
        rays = torch.rand(100, 2, generator=chance) - 0.5
        part = features[100 * frame : 100 * (frame + 1)]
        part = part if spilled else part.to(device)
        buffer.append(part, rays, 80.0, frame, torch.ones(100))
    parts = [buffer.restricted(torch.tensor([n % 4]), buffer.cam_from_world) for n in range(heads)]
    made = [
        new_head(channels=8, width=16, blocks=2, scale=1.0, seed=n).to(device) for n in range(heads)
    ]
    return HeadsTrainer(made, parts, TrainerOptions(batch=32), amp=HALF)


def steps_of(trainer, count):
    for _ in range(count):
        trainer.step(min(1.0, trainer.steps / 15))


def weights(trainer):
    parts = [p.detach().cpu().flatten() for head in trainer.heads for p in head.parameters()]
    return torch.cat(parts)


@pytest.mark.parametrize("spilled", [False, True])
def test_no_step_waits(cuda, spilled):
    trainer = trainer_on(cuda.device, heads=3, spilled=spilled)
    cuda.notes.clear()
    # Over the end of what is drawn ahead, and of the steps before a capture.
    steps_of(trainer, 70)
    assert cuda.waits() == {}


class Operations(TorchFunctionMode):
    """Counts what the host asks for, but for views; a backward pass is one thing to ask for."""

    def __init__(self):
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func.__name__ not in FREE:
            self.names[func.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_the_operations_of_a_step_are_few_and_do_not_grow_with_the_heads():
    counts = []
    for heads in (1, 5):
        trainer = trainer_on("cpu", heads=heads)
        with Operations() as counted:
            steps_of(trainer, 4)
        counts.append(counted.names.total() / 4)
    assert counts[0] == counts[1] <= MOST_OPERATIONS


def test_a_replayed_graph_does_what_the_steps_do(cuda, monkeypatch):
    captured = trainer_on(cuda.device, heads=2)
    steps_of(captured, 14)
    graphs = [work._graph for work in captured._advance.values()]
    assert [graph.replays for graph in graphs] == [4, 4]
    monkeypatch.setattr(replay, "WARMUP", 100)
    plain = trainer_on(cuda.device, heads=2)
    steps_of(plain, 14)
    assert torch.equal(weights(captured), weights(plain))
    assert captured.states() == plain.states()


def test_a_captured_training_goes_on_from_a_stored_state(cuda):
    whole = trainer_on(cuda.device, heads=2)
    steps_of(whole, 10)
    state = whole.state_dict()
    state = {"heads": [{n: _copied(v) for n, v in head.items()} for head in state["heads"]]}
    steps_of(whole, 10)
    resumed = trainer_on(cuda.device, heads=2)
    steps_of(resumed, 12)
    resumed.load_state_dict(state)
    steps_of(resumed, 10)
    assert torch.equal(weights(resumed), weights(whole))


def _copied(value):
    return value if isinstance(value, int) else [part.clone() for part in value]


def test_work_that_cannot_be_captured_goes_on_as_it_is(cuda):
    done = []

    def waits():
        done.append(torch.ones(1).to(cuda.device).item())

    work = replay.Replayed(waits, cuda.device)
    for _ in range(replay.WARMUP):
        work()
    with pytest.warns(UserWarning, match="not captured"):
        work()
    work()
    cuda.refused.clear()
    assert len(done) == replay.WARMUP + 3
