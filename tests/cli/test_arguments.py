"""What others script: the arguments of each verb, with their values and defaults."""

import re
from pathlib import Path
from typing import Literal

import pytest
import tyro

from reloc.cli.arguments import CONFIG, REGISTRY, Duration, Omittable, run
from reloc.cli.main import VERBS, function_of

# One argument a line, as this module writes it; a new one joins by a line, none goes.
RECORDED = Path(__file__).with_name("arguments.txt")


def arguments_of(verb):
    """The arguments in order, then the options by name: values, number of them and default."""
    parser = tyro.extras.get_parser(function_of(verb), config=CONFIG, registry=REGISTRY)
    lines = []
    for action in parser._actions:
        if action.dest == "help":
            continue
        name = " ".join(action.option_strings) or action.metavar
        # What stands after the last bracket of the help, where tyro puts the default.
        told = re.search(r"\((required|default: .*?)\)\s*$", action.help)
        default = told.group(1) if told else "may be left out"
        values = "flag" if action.nargs == 0 else f"{action.metavar} x{action.nargs}"
        lines.append(f"{verb} {name} [{values}] {default}".rstrip())
    places = [line for line in lines if not line.startswith(f"{verb} --")]
    return [*places, *sorted(line for line in lines if line not in places)]


@pytest.mark.parametrize("verb", VERBS)
def test_arguments_stay_as_they_were(verb):
    recorded = RECORDED.read_text().splitlines()
    assert arguments_of(verb) == [line for line in recorded if line.startswith(f"{verb} ")]


@pytest.mark.parametrize("verb", VERBS)
def test_help_tells_plain_types_and_real_defaults(verb, capsys):
    with pytest.raises(SystemExit):
        run(function_of(verb), verb=verb, arguments=["--help"])
    shown = capsys.readouterr().out
    assert "None" not in shown
    assert "(default: )" not in shown
    parser = tyro.extras.get_parser(function_of(verb), config=CONFIG, registry=REGISTRY)
    assert not [action.help for action in parser._actions if "\n" in action.help]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300", 300), ("2.5", 2.5), ("90s", 90), ("5m", 300), ("5 m", 300), ("5min", 300),
        ("1.5h", 5400), ("1h30m", 5400), ("1d2h", 93600), ("-1", -1), ("1e3", 1000),
    ],
)  # fmt: skip
def test_times_have_units(text, seconds):
    given = []

    def made(*, limit: Duration = None):
        given.append(limit)

    run(made, verb="made", arguments=[f"--limit={text}"])
    run(made, verb="made", arguments=[])
    run(made, verb="made", arguments=["--limit", "None"])
    assert given == [seconds, None, None]


@pytest.mark.parametrize("text", ["", "m", "5x", "m5", "5s1h", "five"])
def test_what_is_no_time_is_refused(text, capsys):
    def made(*, limit: Duration = None):
        pytest.fail("was called")

    with pytest.raises(SystemExit):
        run(made, verb="made", arguments=[f"--limit={text}"])
    assert "--limit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "b", "--colour", "red"], "unrecognized options: --colour, red"),
        (["a", "b", "--time-limt", "5"], "perhaps you meant: --time-limit TIME"),
        (["a", "b", "--preset", "drft"], "invalid choice 'drft' for argument '--preset'"),
        (["a", "b", "--seed"], "missing value for argument '--seed'"),
        (["a"], "missing from reloc map: MAP"),
    ],
)
@pytest.mark.parametrize("columns", ["50", "200"])
def test_wrong_arguments_are_told_in_one_line(arguments, said, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as stop:
        run(function_of("map"), verb="map", arguments=arguments)
    assert stop.value.code == 2
    line, rest = capsys.readouterr().err.split("\n", 1)
    assert rest == ""
    assert line.startswith("reloc: error: ")
    assert said in line
    assert line.endswith("; reloc map --help tells them all")


def test_an_option_that_may_be_left_out_takes_none_too():
    given = []

    def made(
        *,
        width: Omittable[int] = None,
        to: Omittable[Literal["ply", "tum"]] = None,
        name: Omittable[str] = None,
    ):
        given.append((width, to, name))

    for words in ([], ["--width", "3"], ["--width", "None", "--to", "None"], ["--to", "tum"]):
        run(made, verb="made", arguments=words)
    assert given == [(None, None, None), (3, None, None), (None, None, None), (None, "tum", None)]
    for words in (["--width", "wide"], ["--to", "obj"]):
        with pytest.raises(SystemExit):
            run(made, verb="made", arguments=words)
