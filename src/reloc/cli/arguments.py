"""How the arguments of a verb are read and told: plain types, real defaults, wrapped prose."""

import contextlib
import functools
import inspect
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    UnsupportedTypeAnnotationError,
)

T = TypeVar("T")

CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
REGISTRY = ConstructorRegistry()
# Lines of prose as wide as this are still easy to read.
_WIDEST = 100


def _hint(default: str) -> str:
    """What the help says of a default; nothing where it is that nothing is given."""
    return "" if default in ("None", "") else f"(default: {default})"


# An option that may be left out, whose help says what holds then; and one of several values.
Omittable: TypeAlias = Annotated[T | None, tyro.conf.arg(help_behavior_hint=_hint)]
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TIME = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){name})?" for name in _UNITS))


def seconds_of(text: str) -> float:
    """The seconds of a time: a number of them, or with units as in 90s, 5m, 1.5h, 1h30m.

    Raises:
        ValueError: it is no time.
    """
    told = _TIME.fullmatch(text.strip().replace(" ", "").removesuffix("in"))
    if told is None or not any(told.groups()):
        return float(text)
    units = zip(told.groups(), _UNITS.values(), strict=True)
    return sum(float(number) * unit for number, unit in units if number)


# A time that may be left out, in seconds.
Duration: TypeAlias = Annotated[
    float | None,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="TIME",
        instance_from_str=lambda given: None if given == ["None"] else seconds_of(given[0]),
        is_instance=lambda value: value is None or isinstance(value, int | float),
        str_from_instance=lambda value: ["None" if value is None else f"{value:g}"],
    ),
    tyro.conf.arg(help_behavior_hint=_hint),
]
Several: TypeAlias = Annotated[tuple[T, ...], tyro.conf.arg(help_behavior_hint=_hint)]


@REGISTRY.primitive_rule
def _without_none(
    type_info: PrimitiveTypeInfo,
) -> PrimitiveConstructorSpec[Any] | UnsupportedTypeAnnotationError | None:
    """Names the type alone that an option takes which may be left out; it takes None as ever."""
    inner = tuple(t for t in get_args(type_info.type) if t is not type(None))
    if len(inner) == len(get_args(type_info.type)) or type_info.type_origin is tuple:
        return None
    plain: Any = Union[inner]  # noqa: UP007 - of a tuple
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(plain, type_info.markers))
    if isinstance(spec, UnsupportedTypeAnnotationError):
        return spec
    none = ["None"]
    return PrimitiveConstructorSpec(
        nargs=spec.nargs,
        metavar=spec.metavar,
        instance_from_str=lambda given: None if given == none else spec.instance_from_str(given),
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: none if value is None else spec.str_from_instance(value),
        choices=None if spec.choices is None else (*spec.choices, *none),
    )


def run(function: Callable[..., Any], *, verb: str, arguments: Sequence[str]) -> None:
    """Calls what does the work of a verb with what the user gave, or prints the help.

    Raises:
        SystemExit: after the help, with 0; after one line of what is wrong with the arguments, 2.
    """
    width = min(_WIDEST, shutil.get_terminal_size().columns)

    @functools.wraps(told(function))
    def read(*args: Any, **options: Any) -> Callable[[], Any]:
        return functools.partial(function, *args, **options)

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            work = tyro.cli(
                read,
                prog=f"reloc {verb}",
                description=description(function, width=width),
                args=arguments,
                config=CONFIG,
                registry=REGISTRY,
            )
    except SystemExit as stop:
        if stop.code:
            print(f"reloc: error: {_in_one_line(said.getvalue(), verb)}", file=sys.stderr)
        raise
    work()


def _in_one_line(box: str, verb: str) -> str:
    """What tyro says of wrong arguments, as all other errors are told.

    Args:
        box: sections of text in a frame, with a title.
        verb: whose arguments they are.
    """
    parts: list[list[str]] = [[]]
    # The first line is the title; the frame is one letter wide, a blank where it is ASCII.
    for line in box.splitlines()[1:]:
        inner = line[1:-1].rstrip()
        if not inner.strip("─- "):
            parts.append([])
        else:
            parts[-1].append(inner.removeprefix(" "))
    # What is indented by more than the names of arguments is their help.
    kept = [" ".join(x.strip() for x in part if not x.startswith(" " * 5)) for part in parts]
    told = [part for part in kept if not part.startswith(("For full", "Argument helptext"))]
    words = "; ".join(part[0].lower() + part[1:].rstrip(".") for part in told if part)
    return f"{words or 'wrong arguments'}; reloc {verb} --help tells them all"


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose arguments are described by a line each: the help is wrapped anew."""
    text = inspect.getdoc(function) or ""
    function.__doc__ = re.sub(r"\n {8,}", " ", text)
    return function


def description(function: Callable[..., Any], *, width: int) -> str:
    """What the help says of a verb, before its arguments."""
    prose = (inspect.getdoc(function) or "").split("\n\nArgs:")[0]
    return "\n\n".join(textwrap.fill(part, width) for part in prose.split("\n\n"))
