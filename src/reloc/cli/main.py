"""The command line: one verb a file, errors as one line."""

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from reloc.cli.output import to_the_end
from reloc.errors import RelocError
from reloc.interruption import Stopped, stopping_signals

# Each verb is a function of its own name in the module of its name. They are imported when they
# are called for, so that `reloc info` does not wait for PyTorch.
VERBS = {
    "info": "Say what a scene holds: frames, cameras, extent, and what cannot be used.",
    "map": "Map a place from photos or a video.",
    "pose": "Find the poses of a video or of photos.",
    "map-many": "Map many places at a time, on this machine or a cluster.",
    "refine": "Train a map end to end for the pose.",
    "localize": "Say where photos were taken.",
    "eval": "Localize a scene's queries and measure the errors.",
    "compare": "Put evaluations side by side, and say which differences are real.",
    "view": "Make a page to move about in a place: points, cameras, errors, photos.",
    "film": "Film a map: its points, then the queries finding their place.",
    "export": "Write a map's points, a COLMAP model or trajectories for other programs.",
    "library": "Keep many maps in one place, to localize among them.",
    "heads": "List the heads of a map; add, replace or drop some.",
    "align": "Say where up is in a map, how long a metre is, and where on Earth it lies.",
    "compress": "Write a map in fewer bytes.",
    "convert": "Write a scene in another layout.",
    "download": "Fetch a public dataset as ready scenes.",
    "synthesize": "Make a synthetic scene from a seed.",
    "pretrain": "Train a backbone.",
    "meta-train": "Train the context that maps in closed form stand on.",
    "completion": "Print what makes a shell complete verbs and options.",
}
_MODULES = {"meta-train": "meta_train", "map-many": "map_many", "map": "map_", "eval": "eval_"}


def function_of(verb: str) -> Callable[..., Any]:
    """What does the work of a verb; its parameters are the arguments."""
    name = _MODULES.get(verb, verb)
    function: Callable[..., Any] = getattr(import_module(f"reloc.cli.{name}"), name)
    return function


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            "usage: reloc VERB ...",
            "",
            "Map a place from photos or a video, then say where any new photo was taken.",
            "",
            *lines,
            "",
            "reloc VERB --help tells the options of a verb; reloc --version the version.",
        ]
    )


@to_the_end
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status.

    0 done, 1 interrupted, 2 bad input, 128 and the number of the signal that asked it to end.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # File names need not be text, and a terminal need not know every letter.
        sys.stdout.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["help"] and len(given) > 1:
        given = [given[1], "--help"]
    if not given or given[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if given else 2
    if given[0] in ("-V", "--version", "version"):
        from importlib.metadata import version

        print(f"reloc {version('reloc')}")
        return 0
    verb = given[0]
    if verb not in VERBS:
        print(f"reloc: error: {_no_verb(verb)}", file=sys.stderr)
        return 2
    try:
        with stopping_signals():
            _run(verb, given[1:])
    except RelocError as error:
        _tell(f"error: {error}", error)
        return 2
    except KeyboardInterrupt as stop:
        _tell(f"interrupted{f'; {stop}' if str(stop) else ''}", stop)
        return 128 + stop.number if isinstance(stop, Stopped) else 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _tell(
            f"error: {where}{error.strerror or error}; check the path, its permissions and the "
            "space on its disk",
            error,
        )
        return 2
    except (MemoryError, RuntimeError) as error:
        from reloc.devices import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        _tell(
            f"error: out of memory ({_first_sentence(error)}); end what else uses it, or compute "
            "elsewhere with --device",
            error,
        )
        return 2
    return 0


def _no_verb(given: str) -> str:
    """What is said of a word that is no verb, with the verb that it comes nearest to."""
    near = get_close_matches(given.lower(), VERBS, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(VERBS)}"
    return f"no verb is called {given!r}; {meant}"


def _run(verb: str, arguments: Sequence[str]) -> None:
    from reloc.cli.arguments import run

    run(function_of(verb), verb=verb, arguments=arguments)


def _first_sentence(error: BaseException) -> str:
    """What an error says before it comes to details."""
    return re.split(r"\.\s|\n", str(error) or "none is left")[0].rstrip(".")


def _tell(line: str, reason: BaseException) -> None:
    """One line on standard error, with the notes that were made of what ended the work."""
    with suppress(OSError):  # the terminal that hung up
        print("; ".join([f"reloc: {line}", *getattr(reason, "__notes__", ())]), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
