"""``reloc compare``, from the files of ``reloc eval`` to table and page."""

import json
import shutil

import pytest

from reloc.cli.main import main


@pytest.fixture(scope="module")
def figures(made_map, made_place, tmp_path_factory):
    """The figures of a map on two frames; not to be written to."""
    folder = tmp_path_factory.mktemp("figures")
    query, out = folder / "seen.txt", folder / "one.json"
    query.write_text("train/rgb/00001.jpg\ntrain/rgb/00004.jpg\n")
    files = ("--query", str(query), "--json", str(out))
    assert main(["eval", str(made_map), str(made_place), *files, "--quiet"]) == 0
    return out


@pytest.fixture
def judged(figures, tmp_path):
    """A copy of them."""
    return shutil.copy(figures, tmp_path / "one.json")


def changed(path, name, **values):
    facts = json.loads(path.read_text()) | values
    out = path.with_name(name)
    out.write_text(json.dumps(facts))
    return out


def test_a_table_and_a_page(reloc, judged, tmp_path):
    other = changed(judged, "two.json", map_name="two.safetensors")
    run = reloc("compare", judged, other, "--report", tmp_path / "page")
    assert run.status == 0, run.err
    assert "two" in run.out
    assert "median position" in run.out
    assert "2 of 2" in run.out
    page = tmp_path / "page" / "index.html"
    assert run.out.splitlines()[-1] == f"report: {page}"
    assert "2 maps compared" in page.read_text()


def test_maps_of_one_name_are_told_apart_by_their_files(reloc, judged):
    run = reloc("compare", judged, changed(judged, "two.json"))
    assert run.status == 0
    assert "one" in run.out
    assert "two" in run.out
    assert reloc("compare", judged, judged).status == 0


def test_one_file_is_not_enough(reloc, judged):
    assert "1 evaluations to compare" in reloc("compare", judged).refusal()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "no json", '{"frames": [{"image": NaN}]}', "\udcff", "[" * 100_000]
)
def test_what_is_no_evaluation_is_refused(reloc, judged, tmp_path, content):
    bad = tmp_path / "bad.json"
    bad.write_bytes(content.encode("utf-8", "surrogateescape"))
    message = reloc("compare", judged, bad).refusal()
    assert message.startswith(f"{bad}: is not what `reloc eval --json` writes")


def test_nan_in_a_file_is_refused(reloc, judged):
    bad = judged.with_name("bad.json")
    bad.write_text(
        judged.read_text().replace('"median_translation": ', '"median_translation": NaN, "x": ')
    )
    assert "NaN in JSON" in reloc("compare", judged, bad).refusal()


def test_other_frames_are_refused(reloc, judged):
    frames = json.loads(judged.read_text())["frames"]
    other = changed(judged, "two.json", frames=[f | {"image": "z" + f["image"]} for f in frames])
    assert "no frame with a true pose is in all" in reloc("compare", judged, other).refusal()


def test_a_page_below_a_file_is_refused(reloc, judged, tmp_path):
    (tmp_path / "file").write_text("whole")
    run = reloc("compare", judged, judged, "--report", tmp_path / "file" / "page")
    assert str(tmp_path / "file" / "page") in run.refusal()
