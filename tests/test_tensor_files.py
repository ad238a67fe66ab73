"""Files of tensors: their digest, and what is refused before a tensor is read."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from reloc.tensor_files import DIGEST, Layout, digest_of, open_tensors, write_tensors

TENSORS = {
    "b": torch.arange(6, dtype=torch.float32).reshape(2, 3).T,
    "a": torch.tensor(1.5, dtype=torch.float16),
    "none": torch.zeros((0, 4), dtype=torch.int8),
}
METADATA = {"format": "toy", "about": "ä\n"}
LAYOUTS = {"a": Layout("F16", ()), "b": Layout("F32", (3, 2)), "none": Layout("I8", (0, 4))}
PLAIN = frozenset(METADATA)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    write_tensors(path, {n: t.contiguous() for n, t in TENSORS.items()}, METADATA)
    return path


def read(path, layouts=LAYOUTS):
    with open_tensors(path) as file:
        return file.read(layouts, plain=PLAIN)


def test_what_is_written_is_read(path):
    with open_tensors(path) as file:
        assert file.layouts == LAYOUTS
        assert {k: v for k, v in file.metadata.items() if k != DIGEST} == METADATA
    found = read(path)
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


def test_the_digest_is_the_one_of_the_documentation(path):
    about = (
        '[[["a","F16",[]],["b","F32",[3,2]],["none","I8",[0,4]]],'
        '[["about","\\u00e4\\n"],["format","toy"]]]'
    )
    octets = torch.tensor([0, 3, 1, 4, 2, 5]).float().numpy().tobytes()
    expected = hashlib.sha256(about.encode() + b"\x00\x3e" + octets).hexdigest()
    assert digest_of(TENSORS, METADATA) == expected
    with safe_open(path, framework="pt") as file:
        assert file.metadata()[DIGEST] == expected


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"a": torch.tensor(1.25).half()}, {}),
        ({}, {"about": "else"}),
        ({}, {"more": ""}),
        ({}, {DIGEST: "0" * 64}),
        ({}, {DIGEST: ""}),
    ],
)
def test_other_content_than_its_digest_is_of_is_refused(path, tensors, metadata):
    with safe_open(path, framework="pt") as file:
        told = file.metadata()
    save_file({**load_file(path), **tensors}, path, metadata={**told, **metadata})
    with pytest.raises(ValueError, match="other content"):
        read(path)


def test_files_from_before_there_were_digests_are_read(path):
    tensors = load_file(path)
    save_file(tensors, path, metadata=METADATA)
    assert torch.equal(read(path)["a"], TENSORS["a"])
    save_file(tensors, path, metadata={**METADATA, "sha255": "0" * 64})
    with pytest.raises(ValueError, match="no digest"):
        read(path)


@pytest.mark.parametrize(
    ("layouts", "reason"),
    [
        ({**LAYOUTS, "c": Layout("F16", ())}, "too few"),
        ({"a": LAYOUTS["a"], "none": LAYOUTS["none"]}, "unknown"),
        ({**LAYOUTS, "a": Layout("F32", ())}, "type or shape"),
        ({**LAYOUTS, "b": Layout("F32", (2, 3))}, "type or shape"),
    ],
)
def test_other_tensors_than_expected_are_not_read(path, layouts, reason, monkeypatch):
    monkeypatch.setattr("reloc.tensor_files.digest_of", lambda *_: pytest.fail("read"))
    with pytest.raises(ValueError, match=reason):
        read(path, layouts)


def test_every_kind_of_damage_is_noticed(path, damaged):
    content = path.read_bytes()
    # Large enough that most blocks hit something, small enough to try much.
    for seed in range(300):
        broken = damaged(content, seed)
        path.write_bytes(broken)
        try:
            found = read(path)
        except ValueError:
            continue
        assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())
        with open_tensors(path) as file:
            assert {k: file.metadata[k] for k in METADATA} == METADATA


def test_a_digest_does_not_confuse_names_and_values():
    one = digest_of({}, {"a": "b", "c": ""})
    assert one != digest_of({}, {"a": 'b"],["c":'})
    assert one != digest_of({}, json.loads('{"a": "bc"}'))
