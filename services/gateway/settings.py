"""Every setting of the api, read from CHORUS_* by the composition root only."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from services.acting import Role
from services.jobs.settings import StateSettings
from services.tls.settings import ClientTlsSettings, ServerTlsSettings


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class GatewaySettings(StateSettings, ServerTlsSettings, ClientTlsSettings):
    """Beside the state: where the doors listen, who may come in, and what is accepted."""

    host: str = "127.0.0.1"
    """Address that the REST and gRPC doors listen on"""
    port: int = Field(default=7860, ge=0, le=65535)
    """Port of REST and the web page"""
    grpc_port: int = Field(default=7861, ge=0, le=65535)
    """Port of the gRPC door"""
    users: Path | None = None
    """File of those who may log in, written by `chorus user add NAME`; with it nobody comes in without a login"""
    token: SecretStr = SecretStr("")
    """What programs show as `Authorization: Bearer ...`, also over gRPC; with it nobody comes in without"""
    session_hours: float = Field(default=168, gt=0)
    """How long a login lasts at most, hours"""
    session_idle_hours: float = Field(default=24, gt=0)
    """After how long without any request, and without an open page, a login ends, hours"""
    visibility: Literal["all", "own"] = "all"
    """Whose uploads, jobs and outputs one sees: all, or their own; admins see all"""
    audit_days: float = Field(default=365, ge=0)
    """Who did what is forgotten after that many days; 0 keeps it"""
    oidc_issuer: str = ""
    """https://... of an OpenID Connect provider where people log in who have no password here; empty: none"""
    oidc_client_id: str = ""
    """What this installation is called there; its redirect address is https://<host>/login/back"""
    oidc_client_secret: SecretStr = SecretStr("")
    """By which it shows there that it is the one"""
    oidc_name_claim: str = "email"
    """The claim that is taken for a person's name"""
    oidc_role_claim: str = "groups"
    """The claim that says what a person may do; points lead further in, as in realm_access.roles"""
    oidc_roles: Annotated[tuple[str, ...], NoDecode] = ("maker=*",)
    """role=value of that claim, separated by commas, the highest counts; * is everybody whom the provider knows"""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Further names that the page is reached by, as of a proxy on this machine; separated by commas"""
    requests_per_minute: int = Field(default=3000, gt=0)
    """What one client may ask of the REST door and the page"""
    preprocess_address: str = "127.0.0.1:7862"
    """host:port of the preprocess service; dns:///name:port spreads the calls over all replicas behind the name"""
    triton_url: str = "127.0.0.1:8001"
    """host:port of Triton's gRPC endpoint, or dns:///name:port"""
    max_upload_bytes: int = Field(default=2 << 30, gt=0)
    """Largest file that is accepted, bytes"""
    least_free_bytes: int = Field(default=1 << 30, ge=0)
    """Room that uploads and new batches leave on the disks of the store and of uploads, so that jobs that run can end,
    bytes; what would leave less is refused; 0: no such bound"""
    max_queued_jobs: int = Field(default=20_000, gt=0)
    """Jobs that may wait; above it a new batch is told to come again"""
    owner_bytes: int = Field(default=0, ge=0)
    """Uploads and outputs that one user may have, bytes; 0: no bound. Admins and the token have none"""
    owner_jobs: int = Field(default=0, ge=0)
    """Jobs of one user that may wait or run; 0: no bound. Admins and the token have none"""
    max_minutes: float = Field(default=10, gt=0)
    """Longest recording that is accepted, minutes"""
    drain_seconds: float = Field(default=3, ge=0)
    """How long requests under way may still take when the process is told to stop, seconds"""
    model_import: bool = True
    """Whether admins may import and remove models through the doors, where the api can write to its `families`"""
    engines: Path | None = None
    """Folder where the embedded Triton says what computes each model, for /v1/families; none: it is not known"""
    log_file: Path | None = None
    """Where the log of all processes lies, for the page's log view; none: each process logs to its stderr only"""

    @field_validator("oidc_roles")
    @classmethod
    def _check_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            role, _, wanted = each.partition("=")
            if role not in list(Role) or not wanted:
                raise ValueError(f"{each} is not role=value with one of the roles {', '.join(Role)}")
        return value

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("CHORUS_OIDC_ISSUER is set without CHORUS_OIDC_CLIENT_ID: set both, or neither")
        return self

    @field_validator("allowed_hosts", "oidc_roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
