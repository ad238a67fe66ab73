"""Manifests, good and bad."""

from dataclasses import replace

import pytest

from reloc.errors import OptionError
from reloc.fleet.manifest import read_manifest
from reloc.methods.ace import PRESETS


def written(folder, text, name="many.toml"):
    path = folder / name
    path.write_text(text)
    return path


def test_both_forms_say_the_same(tmp_path):
    toml = written(
        tmp_path,
        '[defaults]\npreset = "draft"\n[[maps]]\nscene = "a"\nmap = "a.safetensors"\nseed = 3\n'
        '[[maps]]\nscene = "s3://b/c"\nmap = "s3://b/c.safetensors"\nheads = "auto"\n',
    )
    lines = written(
        tmp_path,
        '{"scene": "a", "map": "a.safetensors", "seed": 3, "preset": "draft"}\n\n'
        '{"scene": "s3://b/c", "map": "s3://b/c.safetensors", "heads": "auto", "preset": "draft"}',
        "many.jsonl",
    )
    jobs = read_manifest(toml)
    assert jobs == read_manifest(lines)
    assert jobs[0].scene == str(tmp_path / "a")
    assert jobs[0].options == replace(PRESETS["draft"], seed=3)
    assert jobs[1].scene == "s3://b/c"
    assert jobs[1].options.heads is None


def test_parallel_heads_are_jobs_of_one_map(tmp_path):
    text = '[[maps]]\nscene = "a"\nmap = "a.safetensors"\nheads = 2\nparallel_heads = %s\n'
    (alone,) = read_manifest(written(tmp_path, text % "false"))
    (shared,) = read_manifest(written(tmp_path, text % "true"))
    assert alone.heads() == ()
    assert alone.fingerprint("x") == shared.fingerprint("x")
    heads = shared.heads()
    assert [head.head for head in heads] == [0, 1]
    assert {head.out for head in heads} == {shared.out}
    assert [head.file for head in heads] == [f"{shared.out}.heads/{n}.safetensors" for n in (0, 1)]
    assert all(head.heads() == () for head in heads)
    assert len({job.fingerprint("x") for job in (shared, *heads)}) == 3


def test_fingerprints_tell_jobs_apart(tmp_path):
    text = '{"scene": "a", "map": "%s.safetensors", "seed": %d}\n'
    one, same, other = read_manifest(
        written(tmp_path, text % ("1", 0) + text % ("2", 0) + text % ("3", 1), "many.jsonl")
    )
    assert one.fingerprint("x") == same.fingerprint("x")
    assert len({one.fingerprint("x"), other.fingerprint("x"), one.fingerprint("y")}) == 3


def test_landmarks_are_of_the_map_and_not_of_a_head_alone(tmp_path):
    text = '[[maps]]\nscene = "a"\nmap = "a.safetensors"\nheads = 2\nparallel_heads = true\n'
    (usual,) = read_manifest(written(tmp_path, text))
    few, none = (
        read_manifest(written(tmp_path, f"{text}landmarks = {count}\n"))[0] for count in (5, 0)
    )
    assert [job.landmarks for job in (usual, few, none)] == [10_000, 5, 0]
    assert len({job.fingerprint("x") for job in (usual, few, none)}) == 3
    assert usual.heads()[1].fingerprint("x") == none.heads()[1].fingerprint("x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no map"),
        ("{", "line 1|is no JSONL"),
        ("[1]", "by name"),
        ('{"scene": "a", "map": "a.safetensors", "seed": 1, "seed": 2}', "a key twice"),
        ('{"map": "a.safetensors"}', "line 1: has no scene"),
        ('{"scene": "a"}', "has no map"),
        ('{"scene": "a", "map": "a"}', "ends in .safetensors"),
        ('{"scene": "a", "map": "a.safetensors", "sed": 1}', "no option is called 'sed'"),
        ('{"scene": "a", "map": "a.safetensors", "seed": "1"}', "give a number"),
        ('{"scene": "a", "map": "a.safetensors", "seed": -1}', "seed must not"),
        ('{"scene": "a", "map": "a.safetensors", "preset": 4}', "no preset"),
        ('{"scene": "a", "map": "a.safetensors", "landmarks": true}', "landmarks True: give"),
        ('{"scene": "a", "map": "a.safetensors", "landmarks": -1}', "line 1: landmarks must be"),
        ('{"scene": "a", "map": "a.safetensors", "parallel_heads": 2}', "true or false"),
        ('{"scene": "a", "map": "a.safetensors", "parallel_heads": true}', "heads as a number"),
        (
            '{"scene": "a", "map": "a.safetensors", "parallel_heads": true, "heads": 2, '
            '"time_limit": 60}',
            "no time_limit",
        ),
        ('{"scene": "a", "map": "a.safetensors"}\n' * 2, "line 2: .* twice"),
        (
            '{"scene": "a", "map": "a.safetensors", "heads": 2, "parallel_heads": true}\n'
            '{"scene": "a", "map": "a.safetensors.heads/1.safetensors"}',
            "line 2: .* twice",
        ),
        ('{"scene": "\\ud800", "map": "a.safetensors"}', "has no scene"),
        ('{"scene": "a", "map": "\\udcff.safetensors"}', "has no map"),
        ('{"scene": "a\\u0000", "map": "a.safetensors"}', "has no scene"),
        ('{"scene": "a", "map": "a.safetensors", "\\ud800": 1}', r"no option is called '\\ud800'"),
        ('{"scene": "a", "map": "a.safetensors", "query": "\\ud800"}', "has no query"),
        ('{"scene": "a", "map": "a.safetensors", "query": "../q"}', "in the scene's folder"),
        ('{"scene": "a", "map": "a.safetensors", "poses": "/etc/passwd"}', "in the scene's folder"),
        ('{"scene": "a", "map": "a.safetensors", "seed": 1%s}' % ("0" * 400), "give a number"),
    ],
)
def test_what_cannot_be_is_one_clear_line(tmp_path, text, says):
    with pytest.raises(OptionError, match=says) as caught:
        read_manifest(written(tmp_path, text, "many.jsonl"))
    assert "\n" not in str(caught.value)
    str(caught.value).encode()


def test_a_map_by_two_names_is_noticed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    text = '{"scene": "a", "map": "%s/a.safetensors"}\n'
    with pytest.raises(OptionError, match="twice"):
        read_manifest(written(tmp_path, text % "real" + text % "link", "many.jsonl"))


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        read_manifest(tmp_path / "none.toml")
    with pytest.raises(OptionError, match=r"\.toml or \.jsonl"):
        read_manifest(written(tmp_path, "a,b", "many.csv"))
