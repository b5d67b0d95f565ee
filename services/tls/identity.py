"""Who shows itself to whom: the files of a server, and those of a client."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from services.tls.files import FileMade, read_pems


@dataclass(frozen=True, slots=True)
class ServerTls:
    """By what a server shows who it is."""

    certificate: Path
    """PEM; the server's own first, then those between it and its authority"""
    key: Path
    """PEM, without a passphrase"""
    client_authorities: Path | None = None
    """With it, gRPC clients must have a certificate of one of these: mutual TLS"""

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a gRPC server; every new connection is shown the certificate of that moment."""
        files = [path for path in (self.certificate, self.key, self.client_authorities) if path is not None]
        configurations = FileMade(files, self._grpc_configuration)
        shown = configurations.current()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal shown
            before, shown = shown, configurations.current()
            return None if shown is before else shown

        return grpc.dynamic_ssl_server_credentials(
            shown,
            fetch,  # type: ignore[arg-type]  # None for "as before" is what grpc asks for, and its types forbid
            require_client_authentication=self.client_authorities is not None,
        )

    def web_context(self) -> ssl.SSLContext:
        """For a web server, the same; browsers and probes have no certificate, so that none is asked for."""
        contexts = FileMade([self.certificate, self.key], self._web_context)

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = contexts.current()

        context = self._web_context()
        context.sni_callback = choose
        return context

    def _grpc_configuration(self) -> grpc.ServerCertificateConfiguration:
        pems = read_pems(self.certificate, self.key, self.client_authorities)
        assert pems.key is not None
        assert pems.certificate is not None
        return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], pems.authorities)

    def _web_context(self) -> ssl.SSLContext:
        read_pems(self.certificate, self.key, None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Whom a client trusts, and under mutual TLS by what it shows who it is."""

    authorities: Path
    """PEM; the server's certificate must come from one of them, and be for the name that it was called by"""
    certificate: Path | None = None
    key: Path | None = None

    @property
    def files(self) -> Sequence[Path]:
        """All that it is made of."""
        return [path for path in (self.authorities, self.certificate, self.key) if path is not None]

    def grpc_credentials(self) -> grpc.ChannelCredentials:
        """For a channel, of the files as they are now; OSError or ValueError when they cannot be used."""
        pems = read_pems(self.certificate, self.key, self.authorities)
        return grpc.ssl_channel_credentials(pems.authorities, pems.key, pems.certificate)


def local_context(certificate: Path) -> ssl.SSLContext:
    """For a client on the server's own machine, which calls it by an address that its certificate is not for.

    It trusts the certificates in the server's own file, and no others.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context
