"""A recording in a window of its own."""

from __future__ import annotations

from services.gateway.media_library import Media
from services.gateway.web.catalogue import Words
from services.gateway.web.markup import Text, attribute, block, button, picture, window
from services.gateway.web.media_facts import content_address, media_facts


def play(words: Words, media: Media) -> None:
    """Open a player; a photo is shown."""
    with window(media.name, wide=True) as dialog:
        Text("p", media_facts(words, media), "muted numbers")
        if media.kind == "still":
            picture(content_address(media.id), media.name).classes("shown-still")
        else:
            video_player(words, media)
        with block("div", "dialog-actions"):
            button(words("common.close"), dialog.close)
    dialog.open()


def video_player(words: Words, media: Media) -> None:
    """Plays an upload where it stands; says so where the browser cannot (mkv, avi, wmv)."""
    player = block("video").props(f'src="{content_address(media.id)}" controls playsinline preload=metadata')
    attribute(player, "aria-label", words("media.play", name=media.name))
    if media.has_thumbnail:
        attribute(player, "poster", f"/v1/media/{media.id}/thumbnail")
    apology = Text("p", words("media.unplayable"), "muted")
    apology.set_visibility(False)
    player.on("error", lambda: apology.set_visibility(True))
