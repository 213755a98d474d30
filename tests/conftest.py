"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """A shell starts what runs in the background without Ctrl-C, and every command of a test would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
