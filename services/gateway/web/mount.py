"""Hangs the page into the gateway's FastAPI app."""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from nicegui import app as page_app
from nicegui import context, core, ui
from starlette.requests import Request

from services.gateway.operations.batches import Operations
from services.gateway.web.audit_view import show_audit
from services.gateway.web.batch_view import BatchView
from services.gateway.web.compare_view import show_comparison
from services.gateway.web.frame import Frame, View
from services.gateway.web.history_view import HistoryView
from services.gateway.web.live_view import LiveView
from services.gateway.web.log_view import show_log
from services.gateway.web.models_view import DRAFT as MODEL_DRAFT
from services.gateway.web.models_view import ModelsView
from services.gateway.web.open_drafts import OpenDrafts
from services.gateway.web.open_page import OpenPage
from services.gateway.web.single_view import SingleView
from services.gateway.web.viewer_view import show_viewer
from services.gateway.web.visitor import CLOCK_COOKIE, Visitor, visitor_of

_FOLDER: Final = Path(__file__).parent
_PATHS: Final = ("/", "/single", "/live", "/history", "/compare/{job_id}", "/log", "/models", "/audit", "/settings")
_STYLES: Final = (
    "theme.css",
    "frame.css",
    "layout.css",
    "lists.css",
    "marks.css",
    "views.css",
    "pictures.css",
    "narrow.css",
)
_SCRIPTS: Final = ("logged_out.js",)
_RECONNECT_SECONDS: Final = 30.0
_CLOCK_SCRIPT: Final = (
    f"<script>document.cookie = '{CLOCK_COOKIE}=' + -new Date().getTimezoneOffset() + ';path=/;samesite=lax'</script>"
)


def mount_page(app: FastAPI, operations: Operations) -> None:
    """Serve the page at /, below the routes that `app` has already."""
    drafts = OpenDrafts(operations.drafts)
    # Quasar's bar for every request, uploads among them, would say nothing.
    page_app.config.quasar_config["loadingBar"]["skipHijack"] = True
    # By default its socket answers to every origin; ours alone gets past the guard, and needs no header for that.
    core.sio.eio.cors_allowed_origins = []
    page_app.add_static_files("/page", _FOLDER / "static")
    for path in _PATHS:
        ui.page(path, title="Chorus", favicon=_FOLDER / "static" / "logo.svg")(_page_of(operations, drafts))
    ui.run_with(
        app,
        mount_path="/",
        title="Chorus",
        # Our style sheets do it all; Tailwind's compiler would run in every browser.
        tailwind=False,
        dark=None,
        reconnect_timeout=_RECONNECT_SECONDS,
        show_welcome_message=False,
    )


def _page_of(operations: Operations, drafts: OpenDrafts) -> Callable[[Request], Awaitable[None]]:
    async def show(request: Request) -> None:
        visitor = visitor_of(request)
        _dress(visitor)
        batch, single = await drafts.open(visitor.owner, "batch"), await drafts.open(visitor.owner, "single")
        page = OpenPage(operations, visitor, batch, single)
        # Heard from the page and not from a drop zone: what a hidden element says is not heard.
        ui.on("chorus_uploading", lambda event: _take_uploading(page, int(event.args)))
        ui.on("chorus_uploaded", lambda event: _take_upload(page, event.args))
        Frame(page, _views(page))
        if CLOCK_COOKIE not in request.cookies:
            ui.timer(0, lambda: _ask_clock(visitor), once=True)

    return show


def _views(page: OpenPage) -> dict[str, View]:
    return {
        "/": lambda _: BatchView(page) if page.visitor.may_make else show_viewer(page),
        "/single": lambda _: SingleView(page) if page.visitor.may_make else show_viewer(page),
        "/live": lambda _: LiveView(page),
        "/history": lambda arguments: HistoryView(page, arguments),
        "/compare/{job_id}": lambda arguments: show_comparison(page, arguments.path_parameters["job_id"]),
        "/log": lambda arguments: show_log(page, arguments),
        "/audit": lambda arguments: show_audit(page, arguments),
        "/models": lambda _: ModelsView(page),
    }


def _dress(visitor: Visitor) -> None:
    """The visitor's language and theme stand in the first HTML already: nothing flashes."""
    own = copy.copy(context.client.page)
    own.language = visitor.words.html_language
    own.dark = None if visitor.theme == "auto" else visitor.theme == "dark"
    context.client.page = own
    for name in _STYLES:
        ui.add_head_html(f'<link rel="stylesheet" href="{_static(name)}">')
    for name in _SCRIPTS:
        ui.add_head_html(f'<script src="{_static(name)}" defer></script>')
    ui.add_head_html(_CLOCK_SCRIPT)


def _static(name: str) -> str:
    changed = (_FOLDER / "static" / name).stat().st_mtime_ns
    return f"/page/{name}?{changed:x}"


async def _ask_clock(visitor: Visitor) -> None:
    """At somebody's very first visit the cookie comes too late."""
    answer = await ui.run_javascript("return -new Date().getTimezoneOffset()", timeout=5)
    if isinstance(answer, int):
        visitor.minutes_ahead = answer


def _take_uploading(page: OpenPage, number: int) -> None:
    """The browser says how many uploads are under way: when that changes, and again every two seconds."""
    if page.uploading == number:
        return
    page.uploading = number
    if page.on_uploading is not None:
        page.on_uploading()


async def _take_upload(page: OpenPage, note: dict[str, str]) -> None:
    """A file has arrived: put it into the draft that it was dropped on, whatever view is shown now."""
    kind, _, role = note["zone"].partition("-")
    if kind == MODEL_DRAFT:
        page.operations.drafts.keep(page.visitor.owner, kind, lambda chosen: chosen.update(upload_id=note["media_id"]))
        await _settle(page, note["media_id"])
        return
    draft = page.batch if kind == "batch" else page.single
    if role == "audio":
        draft.audio_id = note["media_id"]
    else:
        draft.add_video(note["media_id"])
    await _settle(page, note["media_id"])


async def _settle(page: OpenPage, note_id: str) -> None:
    """The view shows what has come, and the browser forgets its row."""
    if page.on_upload is not None:
        await page.on_upload()
    ui.run_javascript(f"window.chorusUploads.settle({json.dumps(note_id)})")
