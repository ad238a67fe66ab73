"""What others add by a name: registered in Python, or offered by an installed package.

A package offers it by an entry point (``importlib.metadata``), which is loaded when its name is
asked for and not before. One that fails says so in a line and leaves the others alone.
"""

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from reloc.errors import OptionError, PluginError

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name.

    Those that come with the package are before those that were registered, and these before entry
    points of the same name.

    Args:
        kind: what they are called in messages.
        group: of the entry points.
        own: that come with the package.
        fault: says in a few words why something is none of the kind; None if it is one.
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        own: Mapping[str, T] | None = None,
        fault: Callable[[str, object], str | None],
    ) -> None:
        self._kind = kind
        self._group = group
        self._own = {} if own is None else own
        self._added: dict[str, T] = {}
        self._fault = fault

    def add(self, name: str, item: T) -> None:
        """Registers something, in place of what was registered under the name before.

        Raises:
            OptionError: it is none of the kind, or has the name of one that comes with the package.
        """
        if not name or not name.isprintable() or name in self._own:
            raise OptionError(f"{self._kind} {name!a}: give it a name of its own")
        fault = self._fault(name, item)
        if fault is not None:
            raise OptionError(f"{self._kind} {name!r}: {fault}")
        self._added[name] = item

    def names(self) -> list[str]:
        """All names in order: the package's own, registered ones, entry points; none is loaded."""
        return list(dict.fromkeys([*self._own, *self._added, *sorted(self._offered())]))

    def get(self, name: str) -> T:
        """What has a name.

        Raises:
            KeyError: nothing has.
            PluginError: it is an entry point that cannot be loaded, or is none of the kind.
        """
        for known in (self._own, self._added):
            if name in known:
                return known[name]
        return self._loaded(self._offered()[name])

    def others(self) -> tuple[dict[str, T], list[PluginError]]:
        """All that do not come with the package, by name, and what kept the rest from loading."""
        found, faults = dict[str, T](), list[PluginError]()
        for name in self.names():
            if name not in self._own:
                try:
                    found[name] = self.get(name)
                except PluginError as error:
                    faults.append(error)
        return found, faults

    def _offered(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in _entry_points(self._group, tuple(sys.path))}

    def _loaded(self, point: EntryPoint) -> T:
        package = point.dist.name if point.dist else point.module
        try:
            item = point.load()
        except Exception as error:  # whatever the code of others raises
            told = one_line(error)
            raise PluginError(
                f"{self._kind} {point.name!r} of package {package} cannot be loaded ({told}); mend "
                "or uninstall the package"
            ) from error
        fault = self._fault(point.name, item)
        if fault is not None:
            raise PluginError(
                f"{self._kind} {point.name!r} of package {package}: {fault}; mend or uninstall the "
                "package"
            )
        return item


@lru_cache(maxsize=32)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of the packages along ``sys.path``; to look through them takes milliseconds."""
    return tuple(entry_points(group=group))


def one_line(error: BaseException) -> str:
    """The kind of an error and what it says, in a short line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said:.120}" if said else type(error).__name__
