"""TLS settings: off by default, whole or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services.gateway.settings import GatewaySettings
from services.preprocess.settings import PreprocessSettings
from services.render.settings import RenderProcessSettings
from services.tls.identity import ClientTls, ServerTls
from services.worker.settings import WorkerSettings


def test_nothing_is_encrypted_unless_asked_for() -> None:
    settings = GatewaySettings()
    assert (settings.server_tls, settings.preprocess_tls, settings.triton_tls) == (None, None, None)


def test_the_environment_names_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("certificate", "key", "client_ca", "client_certificate", "client_key", "preprocess_ca"):
        monkeypatch.setenv(f"CHORUS_TLS_{name.upper()}", f"/tls/{name}")
    monkeypatch.setenv("CHORUS_TLS_TRITON_CA", "")
    settings = GatewaySettings()
    assert settings.server_tls == ServerTls(Path("/tls/certificate"), Path("/tls/key"), Path("/tls/client_ca"))
    own = Path("/tls/client_certificate"), Path("/tls/client_key")
    assert settings.preprocess_tls == ClientTls(Path("/tls/preprocess_ca"), *own)
    assert settings.triton_tls is None


@pytest.mark.parametrize(
    ("settings", "given", "missing"),
    [
        (GatewaySettings, "CERTIFICATE", "CHORUS_TLS_KEY"),
        (GatewaySettings, "KEY", "CHORUS_TLS_CERTIFICATE"),
        (PreprocessSettings, "CLIENT_CA", "CHORUS_TLS_CERTIFICATE"),
        (PreprocessSettings, "CLIENT_CERTIFICATE", "CHORUS_TLS_CLIENT_KEY"),
        (WorkerSettings, "CLIENT_KEY", "CHORUS_TLS_CLIENT_CERTIFICATE"),
    ],
)
def test_half_a_pair_is_refused(
    settings: type[BaseSettings], given: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _give_preprocess_its_own(monkeypatch)
    monkeypatch.setenv(f"CHORUS_TLS_{given}", "/tls/file")
    with pytest.raises(ValidationError, match=f"CHORUS_TLS_{given} is set without {missing}: set both, or neither"):
        settings()


@pytest.mark.parametrize("settings", [GatewaySettings, PreprocessSettings, RenderProcessSettings, WorkerSettings])
def test_a_client_certificate_that_nobody_would_see_is_refused(
    settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    _give_preprocess_its_own(monkeypatch)
    monkeypatch.setenv("CHORUS_TLS_CLIENT_CERTIFICATE", "/tls/file")
    monkeypatch.setenv("CHORUS_TLS_CLIENT_KEY", "/tls/file")
    with pytest.raises(ValidationError, match="CHORUS_TLS_TRITON_CA"):
        settings()


def _give_preprocess_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_STORE_URL", "file:///store")
    monkeypatch.setenv("CHORUS_SCRATCH", "/scratch")
