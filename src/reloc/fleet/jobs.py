"""The job table: what is waiting, running, done and failed."""

from collections.abc import Iterable
from dataclasses import dataclass

from reloc.files import StrPath
from reloc.fleet.database import open_database

# So often a job is begun in one run; a worker that dies over and over dies of the job.
MAX_ATTEMPTS = 3
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS reloc_tasks (
        out TEXT PRIMARY KEY, number INTEGER NOT NULL, fingerprint TEXT NOT NULL, part_of TEXT,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
        attempts INTEGER NOT NULL, reason TEXT, seconds REAL, listed INTEGER NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS reloc_tasks_by_state ON reloc_tasks (state, number)",
    "CREATE INDEX IF NOT EXISTS reloc_tasks_by_whole ON reloc_tasks (part_of)",
)


@dataclass(frozen=True)
class Tally:
    """How many jobs are in which state."""

    waiting: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All jobs."""
        return self.waiting + self.running + self.done + self.failed


@dataclass(frozen=True)
class Failure:
    """A job that could not be done, by its file, and why."""

    out: str
    reason: str


class JobTable:
    """The states of the jobs of one manifest. Jobs go by the location of their file.

    Every change is on disk when the call returns. One process at a time holds a table, and lets go
    of it when it ends, however that happens: whoever opens the table next knows that nothing it
    calls running still runs for it.

    Args:
        location: an SQLite file, made if it is not there, or a database at ``postgresql://...``.

    Raises:
        OptionError: another process holds the table, or it cannot be opened.
        OutputError: no table of jobs can be there; all methods raise it if the database fails.
    """

    def __init__(self, location: StrPath) -> None:
        self._base = open_database(location, _SCHEMA)

    def close(self) -> None:
        """Lets go of the table."""
        self._base.close()

    def __enter__(self) -> "JobTable":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def enter(self, jobs: Iterable[tuple[str, str, str | None]]) -> None:
        """Begins a run: the table holds these jobs and no others.

        What was done stays done unless its fingerprint is another. All else is waiting, in this
        order: what ran when a run was cut short, and what failed, since its scene may have been
        mended.

        Args:
            jobs: file and fingerprint of each, and the file of the job that it is a part of: that
                one is not taken before all its parts have ended.
        """
        with self._base.transaction():
            self._base.run("UPDATE reloc_tasks SET listed = 0")
            self._base.run_many(
                "INSERT INTO reloc_tasks (out, number, fingerprint, part_of, state, attempts, "
                "listed) VALUES (?, ?, ?, CAST(? AS TEXT), 'waiting', 0, 1) "
                "ON CONFLICT (out) DO UPDATE SET listed = 1, state = CASE "
                "WHEN reloc_tasks.state = 'done' AND reloc_tasks.fingerprint = "
                "excluded.fingerprint THEN 'done' ELSE 'waiting' END, "
                "number = excluded.number, attempts = 0, reason = NULL, "
                "fingerprint = excluded.fingerprint, part_of = excluded.part_of",
                ((out, number, *job) for number, (out, *job) in enumerate(jobs)),
            )
            self._base.run("DELETE FROM reloc_tasks WHERE listed = 0")

    def done(self) -> list[str]:
        """The maps that are done."""
        return [
            out for (out,) in self._base.run("SELECT out FROM reloc_tasks WHERE state = 'done'")
        ]

    def reopen(self, outs: Iterable[str]) -> None:
        """Maps that were done are gone: they are waiting again."""
        with self._base.transaction():
            self._base.run_many(
                "UPDATE reloc_tasks SET state = 'waiting' WHERE out = ?", ((out,) for out in outs)
            )

    def take(self) -> str | None:
        """The next job that can begin, which is running from now on; None if there is none."""
        rows = self._base.run(
            "UPDATE reloc_tasks SET state = 'running', attempts = attempts + 1 WHERE out = (SELECT "
            "out FROM reloc_tasks AS job WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM "
            "reloc_tasks AS part WHERE part.part_of = job.out AND part.state IN ('waiting', "
            "'running')) ORDER BY number LIMIT 1) RETURNING out"
        )
        return rows[0][0] if rows else None

    def finished(self, out: str, *, seconds: float) -> None:
        """A job is done: its map is in its place."""
        self._base.run(
            "UPDATE reloc_tasks SET state = 'done', reason = NULL, seconds = ? WHERE out = ?",
            (seconds, out),
        )

    def refused(self, out: str, reason: str) -> None:
        """A job cannot be done, whoever tries."""
        self._base.run(
            "UPDATE reloc_tasks SET state = 'failed', reason = ? WHERE out = ?",
            (_plain(reason), out),
        )

    def crashed(self, out: str, reason: str) -> None:
        """Notes that a job ended without a map for no fault of its scene.

        It is waiting again, unless it was begun ``MAX_ATTEMPTS`` times.
        """
        self._base.run(
            "UPDATE reloc_tasks SET state = CASE WHEN attempts < ? THEN 'waiting' ELSE 'failed' "
            "END, reason = ? WHERE out = ?",
            (MAX_ATTEMPTS, _plain(f"{reason} (tried {MAX_ATTEMPTS} times)"), out),
        )

    def tally(self) -> Tally:
        """How the jobs stand."""
        return Tally(
            **dict(self._base.run("SELECT state, count(*) FROM reloc_tasks GROUP BY state"))
        )

    def failures(self) -> list[Failure]:
        """The failed jobs in the order of the manifest."""
        rows = self._base.run(
            "SELECT out, reason FROM reloc_tasks WHERE state = 'failed' ORDER BY number"
        )
        return [Failure(out, reason) for out, reason in rows]


def _plain(reason: str) -> str:
    """Text that any database takes: names of files in a message need not be text."""
    return reason.replace("\0", "").encode("utf-8", "backslashreplace").decode()
