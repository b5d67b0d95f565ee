"""One video of a draft: picture, facts, what the preflight says, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from nicegui import ui

from services.gateway.web.catalogue import Words
from services.gateway.web.markup import Text, attribute, block, button, icon, icon_button, picture, relabel
from services.gateway.web.media_facts import media_facts, thumbnail_address
from services.library.findings import Preflight, Verdict
from services.library.media import Media

_VERDICTS: Final[Mapping[Verdict, tuple[str, str]]] = {
    Verdict.FACE: ("chip-good", "check_circle"),
    Verdict.SEVERAL_FACES: ("chip-good", "groups"),
    Verdict.NO_FACE: ("chip-bad", "person_off"),
    Verdict.TOO_LONG: ("chip-bad", "timer_off"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowActions:
    """What a row asks its list for; each gets the upload's id."""

    remove: Callable[[str], object]
    choose_face: Callable[[str], object]
    move: Callable[[str, int], object] | None = None
    """None where there is no order"""
    play: Callable[[str], object] | None = None
    """None where a player is shown anyway"""


class VideoRow:
    """A row that is built once and then only changed."""

    def __init__(self, words: Words, media: Media, actions: RowActions) -> None:
        self.media = media
        self.preflight: Preflight | None = None
        self._words = words
        self._shown: object = None
        with block("li", "media-row video-row") as self.element:
            if actions.move:
                icon("drag_indicator").classes("grip")
            if actions.play:
                self._picture(actions.play)
            with block("div", "media-main"):
                attribute(Text("div", media.name, "media-name"), "title", media.name)
                with block("div", "media-line"):
                    Text("span", media_facts(words, media), "media-facts numbers")
                    with block("span", "chip").props("role=status") as self._chip:
                        self._spinner = ui.spinner(size="15px", color=None)
                        self._symbol = icon("check_circle")
                        self._verdict = Text("span")
                self._cautions = Text("div", "", "media-facts media-cautions")
            self._faces = button("", lambda: actions.choose_face(media.id), kind="plain", symbol="face")
            if actions.move and actions.play:
                self._menu(actions.move, actions.play)
            icon_button("close", words("media.remove", name=media.name), lambda: actions.remove(media.id))
        self.show_preflight(None, None)

    def show_preflight(self, preflight: Preflight | None, face: int | None) -> None:
        """What is known about its faces, and which one was chosen."""
        if self._shown == (preflight, face):
            return
        self._shown = (preflight, face)
        self.preflight = preflight
        verdict = self.verdict
        ended = preflight is not None and preflight.has_ended
        self._spinner.set_visibility(not ended)
        self._symbol.set_visibility(ended)
        look, symbol = _VERDICTS[verdict] if verdict else ("chip-busy", "help") if not ended else ("chip-warn", "help")
        self._chip.classes(replace=f"chip {look}")
        self._symbol.set_name(f"sym_o_{symbol}")
        self._verdict.set_text(self._in_words(preflight))
        cautions = self._caution_text(preflight)
        self._cautions.set_text(cautions)
        self._cautions.set_visibility(bool(cautions))
        several = verdict is Verdict.SEVERAL_FACES
        self._faces.set_visibility(several)
        chosen = (face or 0) + 1
        self._faces.set_text(self._words("faces.chosen", number=chosen))
        relabel(self._faces, self._words("faces.choose_for", name=self.media.name, number=chosen))

    @property
    def verdict(self) -> Verdict | None:
        """What the preflight said, once it has looked at all frames."""
        found = self.preflight.findings if self.preflight and not self.preflight.provisional else None
        return found.verdict if found else None

    def _caution_text(self, preflight: Preflight | None) -> str:
        if preflight is None:
            return ""
        found = preflight.findings.cautions if preflight.findings else ()
        texts = [self._words(f"caution.{each}") for each in found]
        return " ".join([*texts, self._words.failure(preflight.error)] if preflight.error else texts)

    def _in_words(self, preflight: Preflight | None) -> str:
        if preflight is None or not preflight.has_ended:
            if preflight is None or not (preflight.frames_total or preflight.findings):
                return self._words("preflight.looking")
            percent = round(100 * min(1.0, preflight.frames_done / max(1, preflight.frames_total)))
            so_far = f"first_look.{preflight.findings.verdict}" if preflight.findings else "preflight.looking_share"
            return self._words(so_far, percent=percent)
        if preflight.findings is None:
            return self._words("preflight.unknown")
        if preflight.findings.verdict is Verdict.SEVERAL_FACES:
            return self._words("verdict.several_faces", number=len(preflight.findings.faces))
        return self._words(f"verdict.{preflight.findings.verdict}")

    def _picture(self, play: Callable[[str], object]) -> None:
        with block("button", "thumb thumb-button").props("type=button") as place:
            if self.media.has_thumbnail:
                picture(thumbnail_address(self.media.id))
            else:
                icon("movie")
            if self.media.kind == "video":
                icon("play_circle").classes("thumb-play")
        relabel(place, self._words("media.play", name=self.media.name))
        place.on("click", lambda: play(self.media.id))

    def _menu(self, move: Callable[[str, int], object], play: Callable[[str], object]) -> None:
        words, media_id = self._words, self.media.id
        with icon_button("more_vert", words("media.more", name=self.media.name)), ui.menu():
            ui.menu_item(words("media.up"), lambda: move(media_id, -1))
            ui.menu_item(words("media.down"), lambda: move(media_id, +1))
            ui.menu_item(words("media.show"), lambda: play(media_id))
