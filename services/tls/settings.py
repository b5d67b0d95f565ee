"""The TLS settings that processes share, read from CHORUS_TLS_*; without them nothing is encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.tls.identity import ClientTls, ServerTls

# Set to nothing is not set: `chorus up` takes a setting away from a process like this.
File = Annotated[Path | None, BeforeValidator(lambda value: value or None)]


class _TlsSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CHORUS_", frozen=True, use_attribute_docstrings=True)

    def _need(self, given: str, *others: str) -> None:
        """Refuse `given` without one of the others: half a setting must not look like protection."""
        if getattr(self, given) is not None and all(getattr(self, other) is None for other in others):
            needed = " or ".join(f"CHORUS_{other.upper()}" for other in others)
            raise ValueError(f"CHORUS_{given.upper()} is set without {needed}: set both, or neither")


class ServerTlsSettings(_TlsSettings):
    """Of a process that others call."""

    tls_certificate: File = None
    """PEM file of this process's certificate and those between it and its authority; with it the doors speak TLS"""
    tls_key: File = None
    """PEM file of the certificate's key"""
    tls_client_ca: File = None
    """PEM file of authorities; with it the gRPC door lets in only clients with a certificate of one of them"""

    @model_validator(mode="after")
    def _whole_server(self) -> Self:
        self._need("tls_certificate", "tls_key")
        self._need("tls_key", "tls_certificate")
        self._need("tls_client_ca", "tls_certificate")
        return self

    @property
    def server_tls(self) -> ServerTls | None:
        """None: in the clear."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return ServerTls(self.tls_certificate, self.tls_key, self.tls_client_ca)


class TritonTlsSettings(_TlsSettings):
    """Of a process that calls Triton."""

    tls_triton_ca: File = None
    """PEM file of the authorities that Triton's certificate must come from; with it the calls go over TLS"""
    tls_client_certificate: File = None
    """PEM file of the certificate by which this process shows who it is to those that it calls (mutual TLS)"""
    tls_client_key: File = None
    """PEM file of that certificate's key"""

    @model_validator(mode="after")
    def _whole_client(self) -> Self:
        self._need("tls_client_certificate", "tls_client_key")
        self._need("tls_client_key", "tls_client_certificate")
        self._need("tls_client_certificate", *self._authorities())
        return self

    @property
    def triton_tls(self) -> ClientTls | None:
        """None: in the clear."""
        return self._client_tls(self.tls_triton_ca)

    @classmethod
    def _authorities(cls) -> tuple[str, ...]:
        return ("tls_triton_ca",)

    def _client_tls(self, authorities: Path | None) -> ClientTls | None:
        if authorities is None:
            return None
        return ClientTls(authorities, self.tls_client_certificate, self.tls_client_key)


class ClientTlsSettings(TritonTlsSettings):
    """Of a process that calls preprocess as well."""

    tls_preprocess_ca: File = None
    """PEM file of the authorities that preprocess's certificate must come from; with it the calls go over TLS"""

    @property
    def preprocess_tls(self) -> ClientTls | None:
        """None: in the clear."""
        return self._client_tls(self.tls_preprocess_ca)

    @classmethod
    def _authorities(cls) -> tuple[str, ...]:
        return ("tls_preprocess_ca", "tls_triton_ca")
