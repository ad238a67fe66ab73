"""How the arguments of a verb are read and told: plain types, real defaults, wrapped prose."""

import inspect
import re
import shutil
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
    """Calls what does the work of a verb with what the user gave, or prints the help."""
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    tyro.cli(
        told(function),
        prog=f"reloc {verb}",
        description=description(function, width=width),
        args=arguments,
        config=CONFIG,
        registry=REGISTRY,
    )


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose arguments are described by a line each: the help is wrapped anew."""
    text = inspect.getdoc(function) or ""
    function.__doc__ = re.sub(r"\n {8,}", " ", text)
    return function


def description(function: Callable[..., Any], *, width: int) -> str:
    """What the help says of a verb, before its arguments."""
    prose = (inspect.getdoc(function) or "").split("\n\nArgs:")[0]
    return "\n\n".join(textwrap.fill(part, width) for part in prose.split("\n\n"))
