"""The recording of a draft: a place to drop one, then its name and a player, and a way to take another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from services.gateway.web.catalogue import Words
from services.gateway.web.draft import DraftKind
from services.gateway.web.drop_zone import DropZone
from services.gateway.web.markup import Text, attribute, block, icon, icon_button
from services.gateway.web.media_facts import media_facts
from services.gateway.web.open_page import OpenPage
from services.gateway.web.player import player
from services.library.media import Media


class ChosenAudio:
    """The drop zone while there is no recording, the recording while there is one."""

    def __init__(self, page: OpenPage, kind: DraftKind, remove: Callable[[], object]) -> None:
        self.media: Media | None = None
        self._say = page.words
        self._remove = remove
        self._place = block("div")
        self._zone = DropZone(page, kind, "audio")

    def show(self, media: Media | None) -> None:
        """Another recording, or none; the sound of a video plays as well."""
        if media == self.media:
            return
        self.media = media
        self._place.clear()
        self._zone.set_visibility(media is None)
        if media is not None:
            with self._place:
                self._row(media)
                player(self._say, media, "audio")

    def _row(self, media: Media) -> None:
        with block("div", "media-row audio-row"):
            with block("span", "thumb thumb-plain thumb-square"):
                icon("graphic_eq")
            with block("div", "media-main"):
                attribute(Text("div", media.name, "media-name"), "title", media.name)
                Text("div", media_facts(self._say, media), "media-facts numbers")
                for text in _told(self._say, media):
                    Text("div", text, "media-facts media-cautions")
            icon_button("close", self._say("media.remove", name=media.name), self._remove)


def _told(say: Words, media: Media) -> Iterator[str]:
    """What a person should know of the recording before the start."""
    for note in media.sound_notes:
        yield say(f"sound_note.{note}")
    if media.sound_track is not None:
        yield say("media.sound_track", number=media.sound_track)
