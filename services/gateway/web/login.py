"""Logging in and out: a plain HTML form for people; programs use /v1/session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.errors import ChorusError, ErrorKind
from services.gateway.access.gate import Gate
from services.gateway.access.guard import client_address, door_of, session_cookie, session_key
from services.gateway.web.visitor import visitor_of

router = APIRouter(include_in_schema=False)

_WORDS: Final = {
    "en": {
        "title": "Log in to Chorus",
        "name": "Name",
        "password": "Password",
        "token": "Access token",
        "enter": "Log in",
        "elsewhere": "Use the company's account",
        ErrorKind.UNAUTHENTICATED: "That is not right: try again",
        ErrorKind.OVERLOADED: "Too many tries: wait a minute",
    },
    "zh": {
        "title": "登录 Chorus",
        "name": "用户名",
        "password": "密码",
        "token": "访问令牌",
        "enter": "登录",
        "elsewhere": "使用单位账号登录",
        ErrorKind.UNAUTHENTICATED: "输入有误，请重试",
        ErrorKind.OVERLOADED: "尝试次数过多，请一分钟后再试",
    },
}
# The form knows them better than the messages, which are for programs too.
_OWN_WORDS: Final = ("login-wrong", "too-many-logins")
BEGIN: Final = "/login/elsewhere"
"""Where a login at the provider begins"""
_SCHEMES: Final = {"auto": "light dark", "light": "light", "dark": "dark"}
_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/page/logo.svg">
<style>
:root {{
  color-scheme: {scheme}; font: 16px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif;
  background: light-dark(#f6f5f1, #11161a); color: light-dark(#1c2630, #e7ecef);
}}
body {{ display: grid; place-items: center; min-height: 100vh; margin: 0; }}
form {{
  display: grid; gap: 1rem; box-sizing: border-box; width: min(24rem, 92vw); padding: 2rem; border-radius: 14px;
  background: light-dark(#fff, #1a2127); border: 1px solid light-dark(#e2dfd7, #2d3840);
}}
h1 {{ font-size: 1.4rem; margin: 0; }}
label {{ display: grid; gap: .25rem; }}
input, button, a {{
  font: inherit; padding: .6rem; border-radius: 9px; border: 1px solid light-dark(#8b939b, #71808c);
}}
button, a {{
  border: 0; cursor: pointer; font-weight: 600; text-align: center; text-decoration: none;
  background: light-dark(#0b6b66, #57c5b9); color: light-dark(#fff, #04211f);
}}
a {{ background: none; color: inherit; border: 1px solid light-dark(#8b939b, #71808c); }}
p {{ color: light-dark(#b3261e, #ff9d93); margin: 0; }}
</style>
</head>
<body>
<main>
<form method="post" action="/login?next={next}">
<img src="/page/logo.svg" alt="" width="40" height="40">
<h1>{title}</h1>
{refusal}
{fields}
</form>
</main>
</body>
</html>
"""


@router.get("/login")
async def show_login(request: Request, next: str = "/") -> HTMLResponse:
    """The form."""
    return login_form(request, next)


@router.post("/login")
async def log_in(
    request: Request,
    password: Annotated[str, Form(max_length=1000)],
    name: Annotated[str, Form(max_length=100)] = "",
    next: str = "/",
) -> Response:
    """Opens a session and goes on to where the person wanted to."""
    gate = gate_of(request)
    try:
        session = await gate.open_session(name, password, client_address(request), door_of(request))
    except ChorusError as error:
        return login_form(request, next, error)
    return RedirectResponse(
        own_address(next), 303, {"Set-Cookie": session_cookie(session, gate.sessions.seconds, request)}
    )


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Ends the session, and with it whatever is open for it elsewhere."""
    await gate_of(request).close_session(session_key(request), "", client_address(request), door_of(request))
    return RedirectResponse("/login", 303, {"Set-Cookie": session_cookie("", 0, request)})


def own_address(wanted: str) -> str:
    """An address of this host: never another one, "//elsewhere" is one."""
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/"


def gate_of(request: Request) -> Gate:
    """The rules for who may come in."""
    gate: Gate = request.app.state.gate
    return gate


def login_form(request: Request, next: str, refusal: ChorusError | None = None) -> HTMLResponse:
    """The form, with a link to the provider where there is one, and why the last try was refused."""
    visitor, gate = visitor_of(request), gate_of(request)
    words = _WORDS[visitor.words.language]
    told = "" if refusal is None else words.get(refusal.kind if refusal.code in _OWN_WORDS else "", "")
    text = told or ("" if refusal is None else refusal.text(visitor.words.language))
    page = _PAGE.format(
        language=visitor.words.html_language,
        scheme=_SCHEMES[visitor.theme],
        title=words["title"],
        next=quote(next, safe=""),
        refusal=f'<p role="alert">{escape(text)}</p>' if text else "",
        fields="\n".join(_fields(words, gate, next)),
    )
    return HTMLResponse(page, 200 if refusal is None else 403)


def _fields(words: Mapping[str, str], gate: Gate, next: str) -> Iterator[str]:
    if gate.has_accounts:
        yield f'<label>{words["name"]}<input name="name" autocomplete="username" autofocus></label>'
    if gate.has_accounts or gate.has_token or gate.provider is None:
        secret = words["password" if gate.has_accounts else "token"]
        kind = 'name="password" type="password" autocomplete="current-password" required'
        yield f"<label>{secret}<input {kind}></label>\n<button>{words['enter']}</button>"
    if gate.provider is not None:
        yield f'<a href="{BEGIN}?next={quote(next, safe="")}">{words["elsewhere"]}</a>'
