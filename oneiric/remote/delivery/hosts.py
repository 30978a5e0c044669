"""Which hosts a manifest from the network may lead to: none in the network of whoever reads it, but its own."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx

from oneiric.remote.errors import RemoteSyncError


def is_internal(address: str) -> bool:
    """Whether *address* is an IP address that is private, loopback, link-local, multicast or otherwise not public.

    A name is not.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_multicast or not ip.is_global


async def refuse_internal(host: str, *, timeout: float) -> None:  # noqa: ASYNC109 - becomes the client's error
    """Raise RemoteSyncError with reason path if *host* is an internal address, or a name that stands for one.

    httpx.ConnectTimeout if the name service takes longer than *timeout* seconds. A name without an address is left to
    the connection, which a proxy may make. The connection looks the name up again: DNS may have changed between check
    and use, so that whoever rules the name can still get past this; only a firewall stops that.
    """
    try:
        async with asyncio.timeout(timeout):
            addresses = await _addresses(host)
    except TimeoutError:
        raise httpx.ConnectTimeout(f"no address for the host within {timeout:g} s") from None
    for address in addresses:
        check_address(host, address)


def check_address(host: str, address: str) -> None:
    """Raise RemoteSyncError with reason path if *address*, for which *host* stands, is internal."""
    if is_internal(address):
        raise RemoteSyncError(
            f"{host[:128]!r} is an internal address, not on the manifest's own host (allow_private_hosts permits it).",
            reason="path",
        )


async def _addresses(host: str) -> list[str]:
    if is_internal(host):
        return [host]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # unknown, or no name at all
        return []
    return [str(address[0]) for *_rest, address in found]
