"""Backbones of others, by the names and the fingerprints that users and maps give."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from reloc.backbone.network import Backbone
from reloc.errors import PluginError, RelocError
from reloc.plugins import Registry, one_line

# Makes a backbone. Its attribute ``fingerprint``, if it has one, is that of what it makes.
Factory: TypeAlias = Callable[[], Backbone]
F = TypeVar("F", bound=Factory)


def _fault(name: str, item: object) -> str | None:
    return None if callable(item) else "is no class or function that makes a backbone"


_FACTORIES: Registry[Factory] = Registry("backbone", group="reloc.backbones", fault=_fault)


def register_backbone(name: str) -> Callable[[F], F]:
    """Makes a backbone known by a name: a decorator of its class, or of a function that makes it.

    ``load_backbone(name)`` and ``--backbone NAME`` then give it, and maps that were made with it
    find it if the class or function has its ``fingerprint`` as an attribute. A package offers one
    by an entry point of the group ``reloc.backbones`` instead.

    Args:
        name: what users call it.

    Raises:
        OptionError: it cannot be called, or has no name.
    """

    def registered(factory: F) -> F:
        _FACTORIES.add(name, factory)
        return factory

    return registered


def is_registered(name: str) -> bool:
    """Whether a backbone of others has the name; none is loaded."""
    return name in _FACTORIES.names()


def registered_backbone(name: str) -> Backbone:
    """The backbone of a name that ``is_registered``.

    Raises:
        PluginError: it cannot be made, or is none.
    """
    return _made(name, _FACTORIES.get(name))


def backbone_with(fingerprint: str) -> tuple[Backbone | None, list[PluginError]]:
    """The registered backbone with a fingerprint, if any, and what kept others from loading."""
    factories, faults = _FACTORIES.others()
    for name, factory in factories.items():
        if getattr(factory, "fingerprint", None) == fingerprint:
            return _made(name, factory), faults
    return None, faults


def _made(name: str, factory: Factory) -> Backbone:
    try:
        backbone = factory()
    except RelocError:
        raise
    except Exception as error:  # whatever the code of others raises
        raise PluginError(
            f"backbone {name!r} cannot be made ({one_line(error)}); mend what registers it"
        ) from error
    if not isinstance(backbone, Backbone):
        raise PluginError(
            f"backbone {name!r} lacks channels, stride, fingerprint or a call; mend what registers "
            "it"
        )
    return backbone
