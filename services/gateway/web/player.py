"""Plays an upload where it stands."""

from __future__ import annotations

from typing import Literal

from services.gateway.web.catalogue import Words
from services.gateway.web.markup import Text, attribute, block
from services.gateway.web.media_facts import content_address, thumbnail_address
from services.library.media import Media


def player(words: Words, media: Media, tag: Literal["audio", "video"]) -> None:
    """The browser's own player; it says so where the browser does not know the format (wma, mkv, avi)."""
    made = block(tag).props("controls playsinline preload=metadata")
    attribute(made, "src", content_address(media.id))
    attribute(made, "aria-label", words("media.play", name=media.name))
    if tag == "video" and media.has_thumbnail:
        attribute(made, "poster", thumbnail_address(media.id))
    apology = Text("p", words("media.unplayable"), "muted")
    apology.set_visibility(False)
    made.on("error", lambda: apology.set_visibility(True))
