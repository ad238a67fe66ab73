"""``reloc completion``: what a shell completes."""

import re
from typing import Annotated, Literal

import tyro

from reloc.cli.arguments import CONFIG, REGISTRY

_SCRIPT = """\
# Completion of reloc for {shell}; made by `reloc completion {shell}`.
{prelude}_reloc() {{
    local words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{verbs}"
    else
        case "${{COMP_WORDS[1]}}" in
{options}
        esac
    fi
    COMPREPLY=()
    case "${{COMP_WORDS[COMP_CWORD]}}" in
        -*) ;;
        *) [ "$COMP_CWORD" -gt 1 ] && return ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _reloc reloc
"""


def completion(
    shell: Annotated[Literal["bash", "zsh"], tyro.conf.arg(metavar="SHELL")],
    /,
) -> None:
    """Print what makes a shell complete verbs, options and files.

    Args:
        shell: bash or zsh.
    """
    print(script(shell), end="")


def script(shell: Literal["bash", "zsh"]) -> str:
    """The completion of all verbs and their options, for a shell to run."""
    from reloc.cli.main import VERBS, function_of

    rows = []
    for verb in VERBS:
        parser = tyro.extras.get_parser(function_of(verb), config=CONFIG, registry=REGISTRY)
        names = {name for action in parser._actions for name in action.option_strings}
        options = sorted(name for name in names if re.fullmatch(r"--[a-z][a-z-]*", name))
        rows.append(f'            {verb}) words="{" ".join(options)}" ;;')
    prelude = "" if shell == "bash" else "autoload -U +X bashcompinit && bashcompinit\n"
    return _SCRIPT.format(
        shell=shell, prelude=prelude, verbs=" ".join(VERBS), options="\n".join(rows)
    )
