"""Choosing where to compute."""

from typing import Any

import pytest
import torch

from reloc.devices import (
    float64_device,
    free_memory,
    inference_dtype,
    is_out_of_memory,
    pick_device,
    sharing_threads,
    synchronize,
    to_device,
    training_dtype,
)
from reloc.errors import OptionError
from reloc.methods.ace.optimizer import orthogonalized


def test_the_cpu_is_always_there():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device(torch.device("cpu")) == torch.device("cpu")


def test_the_best_device_is_one_that_works():
    device = pick_device()
    assert torch.ones(2, device=device).sum().item() == 2


@pytest.mark.parametrize("name", ["abacus", "", "cpu:x"])
def test_a_name_that_is_no_device_is_refused(name):
    with pytest.raises(OptionError, match="device") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


def test_a_device_that_this_machine_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match="no cuda device"):
        pick_device("cuda")
    with pytest.raises(OptionError, match="no meta device"):
        pick_device("meta")


def test_a_number_that_no_device_has_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(OptionError, match="no device cuda:7; the last is cuda:1"):
        pick_device("cuda:7")


@pytest.mark.parametrize(
    ("kind", "native", "inference", "training"),
    [
        ("cuda", True, torch.float16, torch.bfloat16),
        ("cuda", False, torch.float16, torch.float32),
        ("mps", False, torch.float16, torch.float32),
    ],
)
def test_gpus_train_in_bfloat16_only_where_it_is_native(
    monkeypatch, kind, native, inference, training
):
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: native or including_emulation,
    )
    device = torch.device(kind)
    assert (inference_dtype(device), training_dtype(device)) == (inference, training)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_what_a_device_is_asked(kind, monkeypatch):
    """PyTorch keeps 300 bytes of CUDA's memory, of which 100 are in use."""
    asked = []
    for owner, name, answer in (
        (torch.cuda, "mem_get_info", (1000, 4000)),
        (torch.cuda, "memory_reserved", 300),
        (torch.cuda, "memory_allocated", 100),
        (torch.mps, "recommended_max_memory", 2000),
        (torch.mps, "driver_allocated_memory", 800),
        (torch.cuda, "synchronize", "cuda"),
        (torch.mps, "synchronize", "mps"),
    ):

        def told(*_, answer=answer):
            asked.append(answer)
            return answer

        monkeypatch.setattr(owner, name, told)
    device = torch.device(kind)
    assert free_memory(device) == 1200
    synchronize(device)
    assert asked[-1] == kind
    assert float64_device(device).type == ("cpu" if kind == "mps" else kind)


def test_a_processor_needs_no_waiting_and_does_not_tell_its_memory():
    cpu = torch.device("cpu")
    synchronize(cpu)
    assert free_memory(cpu) is None
    assert float64_device(cpu) == cpu
    tensor = torch.ones(2)
    assert to_device(tensor, cpu) is tensor


def test_inference_runs_in_a_floating_type_that_the_cpu_has():
    dtype = inference_dtype(torch.device("cpu"))
    assert dtype in (torch.float32, torch.bfloat16)
    product = torch.ones(4, 4, dtype=dtype) @ torch.ones(4, 4, dtype=dtype)
    assert product[0, 0] == 4


@pytest.mark.parametrize(
    ("capability", "has_bfloat16", "wanted"),
    [
        ("AVX512", True, torch.bfloat16),
        ("AVX512", False, torch.float32),
        ("AVX2", True, torch.float32),
        ("DEFAULT", False, torch.float32),
    ],
)
def test_nothing_is_multiplied_in_bfloat16_where_it_is_emulated(
    monkeypatch, capability, has_bfloat16, wanted
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
    cpu = torch.device("cpu")
    assert training_dtype(cpu) == inference_dtype(cpu) == wanted
    assert orthogonalized(torch.randn(1, 8, 8)).dtype == wanted


def test_jobs_share_the_threads_that_there_are(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    given: list[Any] = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    cpu, other = torch.device("cpu"), torch.device("meta")
    for device, jobs, workers, each in (
        (cpu, 1, 1, 4), (cpu, 3, 3, 1), (cpu, 2, 2, 2), (cpu, 0, 1, 4), (other, 9, 1, 4)
    ):  # fmt: skip
        with sharing_threads(jobs, device) as (pool, number):
            assert pool.submit(int).result() == 0
        assert (number, given) == (workers, [each, 4])
        given.clear()
    monkeypatch.undo()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[...] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("[...] DefaultCPUAllocator: not enough memory: you tried"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("CUDA error: out of memory\nCompile with"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("MPS backend out of memory"), False),
    ],
)
def test_lack_of_memory_is_told_from_other_faults(error, expected):
    assert is_out_of_memory(error) == expected
