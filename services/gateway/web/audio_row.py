"""The recording of a draft: its name, a player, and a way to take another one."""

from __future__ import annotations

from collections.abc import Callable

from services.gateway.media_library import Media
from services.gateway.web.catalogue import Words
from services.gateway.web.markup import Text, attribute, block, icon, icon_button
from services.gateway.web.media_facts import media_facts
from services.gateway.web.player import player


def audio_row(words: Words, media: Media, remove: Callable[[], object]) -> None:
    """Show a recording; the sound of a video plays as well."""
    with block("div", "media-row audio-row"):
        with block("span", "thumb thumb-plain thumb-square"):
            icon("graphic_eq")
        with block("div", "media-main"):
            attribute(Text("div", media.name, "media-name"), "title", media.name)
            Text("div", media_facts(words, media), "media-facts numbers")
        icon_button("close", words("media.remove", name=media.name), remove)
    player(words, media, "audio")
