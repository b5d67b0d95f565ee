"""Logging in at another provider by OpenID Connect: the code flow with PKCE, and what the provider says of a person.

Imported only where a provider is set: it needs the extra [oidc].
"""

from __future__ import annotations

import asyncio
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
from services.gateway.access.foreign import (
    Attempt,
    EndedLogin,
    Identity,
    Provider,
    ProviderRules,
    ended_login,
    refused_logout,
)
from services.gateway.operations.bounds import LOGOUT_TOKEN_LENGTH

_DISCOVERY: Final = "/.well-known/openid-configuration"
_SCOPE: Final = "openid profile email"
# Never "none", nor those whose secret is ours.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_CALL_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 3600.0
_LEEWAY_SECONDS: Final = 60
# What anybody may send must not make us ask the provider for its keys each time.
_BETWEEN_QUESTIONS_SECONDS: Final = 10.0
_UNREADABLE: Final = (JoseError, ValueError, TypeError, RecursionError)


class OidcProvider(Provider):
    """A provider of one issuer; for one event loop."""

    def __init__(self, rules: ProviderRules, client_secret: str) -> None:
        self._rules = rules
        self._secret = client_secret
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None
        self._asked = -_BETWEEN_QUESTIONS_SECONDS
        self._strangers = asyncio.Lock()

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

    async def ended(self, logout_token: str) -> EndedLogin:
        """Who has logged out there; UNAUTHENTICATED for what cannot be trusted, UNAVAILABLE without the keys for it."""
        if len(logout_token) > LOGOUT_TOKEN_LENGTH:
            raise refused_logout(f"{len(logout_token)} > {LOGOUT_TOKEN_LENGTH}")
        try:
            claims = (await self._decode_of_stranger(logout_token)).claims
            self._wanted(iat={"essential": True}, jti={"essential": True}).validate(claims)
        except _UNREADABLE as error:
            raise refused_logout(str(error)) from error
        return ended_login(claims, time.time())

    async def _claims(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        """What a token says, once it is known to be the provider's, for us, of now and of this attempt."""
        try:
            claims = (await self._decode(id_token)).claims
            self._wanted(nonce={"essential": True, "value": nonce}).validate(claims)
        except _UNREADABLE as error:
            raise _refused(str(error)) from error
        if claims.get("azp", self._rules.client_id) != self._rules.client_id:
            raise _refused("azp")
        return dict(claims)

    def _wanted(self, **further: jwt.ClaimsOption) -> jwt.JWTClaimsRegistry:
        """What every token of the provider says that is for us and of now."""
        return jwt.JWTClaimsRegistry(
            now=None,  # the present
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._rules.issuer},
            aud={"essential": True, "value": self._rules.client_id},
            exp={"essential": True},
            **further,
        )

    async def _decode_of_stranger(self, token: str) -> jwt.Token:
        """What anybody may have made up: one at a time, and without a question to the provider for each."""
        async with self._strangers:
            may_ask = time.monotonic() - self._asked >= _BETWEEN_QUESTIONS_SECONDS
            if self._keys is None and not may_ask:
                raise ChorusError(
                    ErrorKind.UNAVAILABLE, "oidc-away", issuer=self._rules.issuer, reason="its keys are not known"
                )
            return await self._decode(token, may_ask=may_ask)

    async def _decode(self, token: str, *, may_ask: bool = True) -> jwt.Token:
        keys, is_new = self._keys, self._keys is None
        try:
            return jwt.decode(token, keys or await self._ask_keys(), algorithms=_ALGORITHMS)
        except _UNREADABLE:
            if is_new or not may_ask:
                raise
            # Signed by a key that came after we asked for them.
            return jwt.decode(token, await self._ask_keys(), algorithms=_ALGORITHMS)

    async def _ask_keys(self) -> KeySet:
        self._asked = time.monotonic()
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
