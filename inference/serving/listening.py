"""Where a server listens. Checked before anything is loaded, so nothing heavy is imported here."""

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence


def check_address(host: str, port: int = 0) -> None:
    """
    Refuse an address on which no server can listen.

    Args:
        host (`str`): name or address, as `--host` takes it.
        port (`int`, *optional*, defaults to 0): 0 stands for any that is free.

    Raises:
        OSError: the port is in use or reserved, or the host is not an address of this machine.
    """
    failed = []
    found = _resolve(host, port)
    for family, _, _, _, (address, *_) in found:
        try:
            socket.create_server((address, port), family=family).close()
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                reason = f"{os.strerror(error.errno)}; choose another with --port"
                raise OSError(f"cannot listen on {host}, port {port}: {reason}") from error
            failed.append(error)
    if len(failed) == len(found):
        raise OSError(f"cannot listen on {host}: it is not an address of this machine ({failed[0]})")


def first_free_port(host: str, ports: Sequence[int]) -> int:
    """
    The first of some ports on which a server can listen.

    Args:
        host (`str`): as for [`check_address`].
        ports (`Sequence[int]`): one or more.

    Raises:
        OSError: all are in use or reserved, or the host is not an address of this machine.
    """
    check_address(host)
    for port in ports:
        try:
            check_address(host, port)
        except OSError:
            if len(ports) == 1:
                raise
        else:
            return port
    raise OSError(f"cannot listen on {host}: ports {ports[0]} to {ports[-1]} are all in use; choose one with --port")


def listens_on_loopback(host: str) -> bool:
    """
    Whether only this machine reaches a server that listens on `host`.

    Raises:
        OSError: there is no such host.
    """
    return all(ipaddress.ip_address(address).is_loopback for *_, (address, *_) in _resolve(host))


def _resolve(host: str, port: int = 0) -> list:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"cannot listen on {host}: it is not an address of this machine ({error})") from error
