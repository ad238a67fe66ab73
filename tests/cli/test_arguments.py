"""What others script: the arguments of each verb, with their values and defaults."""

import re
from pathlib import Path

import pytest
import tyro

from reloc.cli.main import VERBS, function_of
from reloc.cli.options import CONFIG

# One argument a line, as this module writes it; a new one joins by a line, none goes.
RECORDED = Path(__file__).with_name("arguments.txt")


def arguments_of(verb):
    """The arguments in order, then the options by name: values, number of them and default."""
    parser = tyro.extras.get_parser(function_of(verb), config=CONFIG)
    lines = []
    for action in parser._actions:
        if action.dest == "help":
            continue
        name = " ".join(action.option_strings) or action.metavar
        # What stands after the last bracket of the help, where tyro puts the default.
        default = re.search(r"\((required|default: .*?|optional)\)$", action.help).group(1)
        values = "flag" if action.nargs == 0 else f"{action.metavar} x{action.nargs}"
        lines.append(f"{verb} {name} [{values}] {default}".rstrip())
    places = [line for line in lines if not line.startswith(f"{verb} --")]
    return [*places, *sorted(line for line in lines if line not in places)]


@pytest.mark.parametrize("verb", VERBS)
def test_arguments_stay_as_they_were(verb):
    recorded = RECORDED.read_text().splitlines()
    assert arguments_of(verb) == [line for line in recorded if line.startswith(f"{verb} ")]
