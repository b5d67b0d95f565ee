"""Certificates of a company of our own, and folders of them that change as Kubernetes changes a mounted Secret."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import trustme

_LINK = "..data"


class SecretFolder:
    """Files that are links through one link, which is given another target: they all change in the same moment."""

    def __init__(self, folder: Path) -> None:
        """`folder` is new."""
        self.path = folder
        self._numbers = itertools.count()
        folder.mkdir()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Let these be the files."""
        version = self.path / f"..version{next(self._numbers)}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(Path(_LINK, name))
        link = self.path / "..new"
        link.symlink_to(version.name)
        link.replace(self.path / _LINK)


def pair(authority: trustme.CA, *names: str) -> dict[str, bytes]:
    """A new certificate for these names or addresses and its key, under the names of a Secret of the type tls."""
    made = authority.issue_cert(*names)
    chain = b"".join(each.bytes() for each in made.cert_chain_pems)
    return {"tls.crt": chain, "tls.key": made.private_key_pem.bytes()}


def shown_certificate(port: int) -> str:
    """The PEM of the certificate that a server on loopback shows to a new connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="chorus.test") as wrapped,
    ):
        found = wrapped.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found)
