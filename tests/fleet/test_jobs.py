"""The job table, without any worker: in SQLite, and in PostgreSQL where there is a server.

``RELOC_TEST_POSTGRES=postgresql://user@host/database`` names one that may be written to.
"""

import os
import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reloc.errors import OptionError, OutputError
from reloc.fleet.jobs import MAX_ATTEMPTS, Failure, JobTable, Tally

JOBS = [("a", "1", None), ("b", "2", None), ("c", "3", None)]


SERVER = os.environ.get("RELOC_TEST_POSTGRES")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a table may be: a file, or an empty schema on the server."""
    if request.param == "sqlite":
        yield str(tmp_path / "jobs")
        return
    if SERVER is None:
        pytest.skip("no server named")
    psycopg = pytest.importorskip("psycopg")
    schema = f"reloc_{uuid.uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"CREATE SCHEMA {schema}")
        yield f"{SERVER}?options=-csearch_path%3D{schema}"
        server.execute(f"DROP SCHEMA {schema} CASCADE")


def test_jobs_are_taken_once_and_in_order(place):
    with JobTable(place) as table:
        table.enter(JOBS)
        assert [table.take() for _ in range(4)] == ["a", "b", "c", None]
        assert table.tally() == Tally(running=3)


def test_a_later_run_goes_on_with_what_is_left(place):
    with JobTable(place) as table:
        table.enter(JOBS)
        table.finished(table.take(), seconds=1.0)
        table.refused(table.take(), "no images")
        table.take()
    with JobTable(place) as table:
        table.enter(JOBS)
        assert table.done() == ["a"]
        assert table.failures() == []
        assert [table.take() for _ in range(3)] == ["b", "c", None]


def test_a_process_that_is_killed_leaves_all_it_wrote_and_no_lock(place, killed_after):
    kept = []

    def work():
        table = JobTable(place)
        kept.append(table)
        table.enter([("a", "1", None), ("b", "2", None)])
        table.finished(table.take(), seconds=1.0)
        table.take()

    killed_after(work)
    with JobTable(place) as table:
        assert table.tally() == Tally(done=1, running=1)
        table.enter(JOBS)
        assert table.tally() == Tally(done=1, waiting=2)


def test_other_options_and_lost_maps_are_made_anew(place):
    with JobTable(place) as table:
        table.enter(JOBS)
        for _ in JOBS:
            table.finished(table.take(), seconds=1.0)
        table.enter([("a", "other", None), ("b", "2", None)])
        assert table.tally() == Tally(done=1, waiting=1)
        table.reopen(["b"])
        assert table.tally() == Tally(waiting=2)


def test_crashes_are_tried_again_so_often_and_bad_input_never(place):
    with JobTable(place) as table:
        table.enter(JOBS[:2])
        table.take()
        table.refused("a", "no images")
        for _ in range(MAX_ATTEMPTS):
            assert table.take() == "b"
            table.crashed("b", "died")
        assert table.take() is None
        reason = f"died (tried {MAX_ATTEMPTS} times)"
        assert table.failures() == [Failure("a", "no images"), Failure("b", reason)]


def test_a_whole_waits_until_its_parts_have_ended(place):
    with JobTable(place) as table:
        table.enter([("a/0", "1", "a"), ("a/1", "1", "a"), ("a", "1", None), ("b", "1", None)])
        assert [table.take() for _ in range(4)] == ["a/0", "a/1", "b", None]
        table.finished("a/0", seconds=1.0)
        table.crashed("a/1", "died")
        assert [table.take() for _ in range(2)] == ["a/1", None]
        table.refused("a/1", "no images")
        assert [table.take() for _ in range(2)] == ["a", None]


def test_one_process_holds_a_table(place):
    with JobTable(place), pytest.raises(OptionError, match="another map-many"):
        JobTable(place)


def test_reasons_may_hold_what_no_database_takes(place):
    with JobTable(place) as table:
        table.enter(JOBS[:1])
        table.refused("a", "found \udcff\0.png")
        assert table.failures() == [Failure("a", "found \\udcff.png")]


def test_all_entries_are_there_or_none(place):
    def broken():
        yield ("a", "other", None)
        raise KeyboardInterrupt

    with JobTable(place) as table:
        table.enter(JOBS)
        table.finished(table.take(), seconds=1.0)
        with pytest.raises(KeyboardInterrupt):
            table.enter(broken())
        assert table.tally() == Tally(done=1, waiting=2)


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "jobs"
    path.write_text("something else, long enough not to be empty" * 100)
    with pytest.raises(OptionError, match="--jobs"):
        JobTable(path)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE other (x)",
        "CREATE TRIGGER t AFTER UPDATE ON reloc_tasks BEGIN DELETE FROM reloc_tasks; END",
        "DROP TABLE reloc_tasks; CREATE VIEW reloc_tasks AS WITH RECURSIVE n (i) AS (VALUES (1) "
        "UNION ALL SELECT i + 1 FROM n) SELECT i AS out, 'done' AS state FROM n",
        "PRAGMA ignore_check_constraints = 1; UPDATE reloc_tasks SET state = 7",
        "UPDATE reloc_tasks SET state = 'failed', reason = hex(zeroblob(1000000))",
    ],
)
def test_a_table_that_was_tampered_with_is_one_line(tmp_path, script):
    path = tmp_path / "jobs"
    with JobTable(path) as table:
        table.enter(JOBS)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
    for _ in range(2):  # the first lets go of the file
        with pytest.raises((OptionError, OutputError), match="table of jobs") as caught:
            everything(path)
        assert "\n" not in str(caught.value)


def test_flipped_bits_are_noticed_or_harmless(tmp_path):
    path = tmp_path / "jobs"
    with JobTable(path) as table:
        table.enter((f"map-{number}", "1", None) for number in range(60))
    good = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(25):
        content = bytearray(good)
        for _ in range(rng.randint(1, 30)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        try:
            everything(path)
        except (OptionError, OutputError) as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 5


def everything(path):
    with JobTable(path) as table:
        table.failures()
        table.enter(JOBS)
        table.finished(table.take(), seconds=1.0)
        assert table.done() == ["a"]
        assert table.tally() == Tally(waiting=2, done=1)


def test_messages_keep_passwords(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(OptionError, match="cannot be used") as caught:
        JobTable("postgresql://me:secret@127.0.0.1:1/jobs?password=secret&connect_timeout=2")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:1/jobs" in str(caught.value)
