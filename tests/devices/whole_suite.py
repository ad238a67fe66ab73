"""``pytest --emulate cuda``: the project's own tests on an emulated device.

Whatever device the package is asked to compute on, it is the emulated one. What was refused, and
what waits were counted, is told at the end.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
import torch
from _pytest.terminal import TerminalReporter

import reloc.devices

from .emulation import emulated
from .emulator import Kind

# Those of the emulation make devices of their own.
OWN = Path(__file__).parent
MOST_LINES = 60


class EmulatedSuite:
    """A plugin that emulates a device from the first import of a test to the end.

    Args:
        kind: of device.
    """

    def __init__(self, kind: Kind) -> None:
        self._undo = ExitStack()
        self.world = self._undo.enter_context(emulated(kind))
        real = reloc.devices.pick_device

        def pick_device(device: torch.device | str | None = None) -> torch.device:
            real(device)
            return self.world.device

        self._undo.enter_context(mock.patch.object(reloc.devices, "pick_device", pick_device))
        self._refused_by: dict[tuple[str, str], set[str]] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leaves out the tests of the emulation."""
        return True if OWN in collection_path.parents else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Notes which tests were refused something."""
        before = Counter(self.world.refused)
        result = yield
        for what in self.world.refused - before:
            self._refused_by.setdefault(what, set()).add(item.nodeid)
        return result

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Tells what was refused, and where the host waited most often."""
        terminalreporter.section(f"refused by {self.world.device}")
        for (what, line), tests in sorted(self._refused_by.items()):
            terminalreporter.write_line(f"{line}: {what}  <- {len(tests)}: {min(tests)}")
        terminalreporter.section(f"waits for {self.world.device}")
        for line, count in self.world.waits().most_common(MOST_LINES):
            terminalreporter.write_line(f"{count:8d}  {line}")

    def pytest_unconfigure(self) -> None:
        """Ends the emulation."""
        self._undo.close()
