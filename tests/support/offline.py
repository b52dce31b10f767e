"""A guard for tests that are to touch no network."""

import socket
from typing import Any, NoReturn

import pytest


def refuse_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whatever looks up a host or connects to one while the test runs."""

    def refuse(*given: Any, **named: Any) -> NoReturn:
        raise AssertionError(f"the network was touched: {given}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
