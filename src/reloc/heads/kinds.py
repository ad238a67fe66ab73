"""The kinds of heads that map files may name: those of the package, and those of others."""

from collections.abc import Mapping
from typing import Any, TypeVar

from reloc.heads.head import Head
from reloc.heads.mlp import MlpHead
from reloc.heads.ridge import RidgeHead
from reloc.plugins import Registry

H = TypeVar("H", bound=type[Head])

HEADS: dict[str, type[Head]] = {kind.kind: kind for kind in (MlpHead, RidgeHead)}


def _fault(name: str, item: object) -> str | None:
    if not (isinstance(item, type) and issubclass(item, Head)):
        return "is no subclass of reloc.Head"
    return None if getattr(item, "kind", None) == name else "its `kind` is another name"


_KINDS: Registry[type[Head]] = Registry("head", group="reloc.heads", own=HEADS, fault=_fault)


def register_head(head: H) -> H:
    """Makes a kind of head known, so that maps with it can be read; a decorator of its class.

    A package offers one by an entry point of the group ``reloc.heads`` instead, whose name is the
    ``kind``.

    Args:
        head: the class, a ``Head`` whose ``kind`` no head of the package has.

    Raises:
        OptionError: it is none.
    """
    _KINDS.add(getattr(head, "kind", ""), head)
    return head


def build_head(spec: Mapping[str, Any], *, scale: float, weights: int) -> Head:
    """An untrained head as a file describes it; see ``Head.from_spec``.

    Args:
        spec: ``kind`` and what ``Head.spec`` gave; not to be trusted.
        scale: typical depth of the scene, positive.
        weights: numbers that the file holds for the head.

    Raises:
        KeyError, ValueError: no such kind, or impossible sizes.
        PluginError: the kind is that of a package that cannot be loaded.
    """
    try:
        kind = _KINDS.get(spec["kind"])
    except KeyError as error:
        if "kind" not in spec:
            raise
        raise ValueError(f"a head of kind {ascii(spec['kind'])[:20]}, unknown here") from error
    return kind.from_spec(spec, scale=scale, weights=weights)
