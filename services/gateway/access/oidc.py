"""Logging in at another provider by OpenID Connect: the code flow with PKCE, and what the provider says of a person.

Imported only where a provider is set: it needs the extra [oidc].
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.base import OAuth2Error
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.errors import ChorusError, ErrorKind
from services.gateway.access.foreign import Attempt, Identity, Provider, ProviderRules

_DISCOVERY: Final = "/.well-known/openid-configuration"
_SCOPE: Final = "openid profile email"
# Never "none", nor those whose secret is ours.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_CALL_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 3600.0
_LEEWAY_SECONDS: Final = 60


class OidcProvider(Provider):
    """A provider of one issuer; for one event loop."""

    def __init__(self, rules: ProviderRules, client_secret: str) -> None:
        self._rules = rules
        self._secret = client_secret
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None

    async def address(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to log in; UNAVAILABLE when the provider does not answer."""
        about = await self._about()
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
            return str(url)

    async def identify(self, attempt: Attempt, redirect_uri: str, code: str) -> Identity:
        """Who has logged in, by the code that the browser brought back.

        UNAUTHENTICATED when the provider takes the code for none, or says what cannot be trusted; FORBIDDEN for
        whoever has no role here.
        """
        about = await self._about()
        try:
            async with self._client(redirect_uri) as client:
                token = await client.fetch_token(about["token_endpoint"], code=code, code_verifier=attempt.verifier)
        except OAuth2Error as error:
            raise _refused(str(error)) from error
        except (httpx.HTTPError, ValueError) as error:
            raise self._away(error) from error
        return self._rules.identity(await self._claims(str(token.get("id_token", "")), attempt.nonce))

    async def _claims(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        """What a token says, once it is known to be the provider's, for us, of now and of this attempt."""
        wanted = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._rules.issuer},
            aud={"essential": True, "value": self._rules.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = (await self._decode(id_token)).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            raise _refused(str(error)) from error
        if claims.get("azp", self._rules.client_id) != self._rules.client_id:
            raise _refused("azp")
        return dict(claims)

    async def _decode(self, id_token: str) -> jwt.Token:
        known = self._keys is not None
        try:
            return jwt.decode(id_token, await self._key_set(), algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            if not known:
                raise
            # Signed by a key that came after we asked for them.
            self._keys = None
            return jwt.decode(id_token, await self._key_set(), algorithms=_ALGORITHMS)

    async def _key_set(self) -> KeySet:
        if self._keys is None:
            self._keys = KeySet.import_key_set(await self._get((await self._about())["jwks_uri"]))
        return self._keys

    async def _about(self) -> dict[str, Any]:
        if self._described is None or time.monotonic() - self._described[0] > _KEPT_SECONDS:
            about = await self._get(self._rules.issuer.rstrip("/") + _DISCOVERY)
            if about.get("issuer") != self._rules.issuer:
                raise ChorusError(
                    ErrorKind.UNAVAILABLE, "oidc-away", issuer=self._rules.issuer, reason="another issuer answers"
                )
            self._described = time.monotonic(), about
        return self._described[1]

    async def _get(self, url: str) -> Any:
        try:
            async with httpx.AsyncClient(timeout=_CALL_SECONDS) as http:
                answer = await http.get(url)
                answer.raise_for_status()
                return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._away(error) from error

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._rules.client_id,
            self._secret,
            scope=_SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=_CALL_SECONDS,
        )

    def _away(self, error: Exception) -> ChorusError:
        reason = str(error) or type(error).__name__
        return ChorusError(ErrorKind.UNAVAILABLE, "oidc-away", issuer=self._rules.issuer, reason=reason)


def _refused(reason: str) -> ChorusError:
    return ChorusError(ErrorKind.UNAUTHENTICATED, "oidc-refused", reason=reason)
