"""A recording in a window of its own."""

from __future__ import annotations

from services.gateway.web.catalogue import Words
from services.gateway.web.markup import Text, block, button, picture, window
from services.gateway.web.media_facts import content_address, media_facts
from services.gateway.web.player import player
from services.library.media import Media


def play(words: Words, media: Media) -> None:
    """Open a player; a photo is shown."""
    with window(media.name, wide=True) as dialog:
        Text("p", media_facts(words, media), "muted numbers")
        if media.kind == "still":
            picture(content_address(media.id), media.name).classes("shown-still")
        else:
            player(words, media, "video")
        with block("div", "dialog-actions"):
            button(words("common.close"), dialog.close)
    dialog.open()
