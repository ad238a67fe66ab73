"""Signals that end the work in order, and what none of them cuts in two."""

import signal
import sys
import threading

import pytest

from reloc.interruption import Stopped, stopping_signals, uninterrupted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
NAMES = ("SIGTERM", "SIGHUP")


@pytest.fixture(autouse=True)
def restored():
    """Leaves the handlers of the test run as they were."""
    numbers = [signal.Signals[name] for name in ("SIGINT", *NAMES)]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", NAMES)
def test_signals_end_the_work_as_ctrl_c_does(name):
    number = signal.Signals[name]
    signal.signal(number, signal.SIG_DFL)
    # A shell starts what runs in the background with it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt) as caught, stopping_signals():
        signal.raise_signal(number)
    assert isinstance(caught.value, Stopped)
    assert caught.value.number == number
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL, "the next one ends the process"


def test_ctrl_c_stays_what_it_is():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with stopping_signals():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt) as caught, stopping_signals():
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(caught.value, Stopped)


def test_what_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopping_signals():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_step_is_done_before_it_is_interrupted():
    done = []
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(Stopped), stopping_signals():
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]


def test_other_threads_are_left_alone():
    seen = []

    def work():
        with stopping_signals(), uninterrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
