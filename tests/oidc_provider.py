"""A small OpenID Connect provider for tests: it lets in whoever it is told to, and signs what it is told to say."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "chorus"
SECRET = "a-secret-of-this-test"


class FakeProvider:
    """Says of the next who logs in what `claims` holds; `key` signs it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = RSAKey.generate_key(2048, {"kid": "first"})
        self.claims: dict[str, Any] = {}
        self.asked: list[str] = []
        self._waiting: dict[str, dict[str, str]] = {}

    def turn_key(self) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": token_urlsafe(4)})

    def log_in(self, address: str) -> str:
        """What a browser does that was sent here: the address that it is sent back to, once a person has logged in."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["client_id"] == CLIENT
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert "openid" in asked["scope"].split()
        code = token_urlsafe(8)
        self._waiting[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def logout_token(self, **claims: Any) -> str:
        """What it sends when somebody has logged out there; a claim that is None is left out."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": token_urlsafe(8)}
        said |= {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
        header = {"alg": "RS256", "kid": self.key.kid, "typ": "logout+jwt"}
        told = {key: value for key, value in {**said, **claims}.items() if value is not None}
        return jwt.encode(header, told, self.key)

    def exchange(self, sent: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The tokens for a code, once; None when anything about it is wrong."""
        asked = self._waiting.pop(sent["code"], None)
        shown = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).rstrip(b"=")
        if asked is None or shown != f"{CLIENT}:{SECRET}":
            return None
        if asked["code_challenge"] != challenge.decode() or asked["redirect_uri"] != sent["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        said = {key: value for key, value in {**claims, **self.claims}.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid}
        return {"access_token": "x", "token_type": "Bearer", "id_token": jwt.encode(header, said, self.key)}

    def answer(self, path: str) -> dict[str, Any] | None:
        """What it tells of itself."""
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        return {"keys": [self.key.as_dict(private=False)]} if path == "/keys" else None


@contextmanager
def running_provider() -> Iterator[FakeProvider]:
    """A provider on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server calls it
            self._send(provider.answer(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            sent = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(provider.exchange(sent, self.headers.get("authorization", "")), 400)

        def _send(self, document: dict[str, Any] | None, refusal: int = 404) -> None:
            content = json.dumps(document or {"error": "invalid_grant"}).encode()
            self.send_response(refusal if document is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = FakeProvider(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()
