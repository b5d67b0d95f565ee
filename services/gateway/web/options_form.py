"""How the outputs are made: RenderOptions as a form, folded away until somebody wants it."""

from __future__ import annotations

from typing import Any

from nicegui import ui
from nicegui.element import Element

from services.gateway.web.draft import Draft
from services.gateway.web.markup import Text, attribute, block, button, icon
from services.gateway.web.open_page import OpenPage
from services.jobs.families import family_cards
from services.jobs.model import Priority
from services.jobs.options import bounds, choices

_FACES_OFFERED = 4
_QUALITIES = {12: "finest", 18: "high", 24: "small"}


class OptionsForm:
    """The options of one draft."""

    def __init__(self, page: OpenPage, draft: Draft) -> None:
        self._say = page.words
        self._draft = draft
        with block("details", "card options"):
            with block("summary"):
                Text("h2", self._say("options.title"))
                self._summary = Text("span", "", "muted")
                icon("expand_more").classes("push")
            self._fields()
        self._summarise()

    @ui.refreshable_method
    def _fields(self) -> None:
        with block("div", "options-grid"):
            self._choice("extend")
            self._choice("after_audio")
            self._slider("expression")
            self._slider("smoothing")
            self._choice("silence")
            self._select("face", {None: self._say("options.face_auto")} | self._face_names())
            self._select("crf", {crf: self._say(f"options.crf_{name}") for crf, name in _QUALITIES.items()})
            self._choice("delivery")
            if len(family_cards()) > 1:
                self._select("family", {card.name: f"{card.name} ({card.licence})" for card in family_cards().values()})
            self._switch("still_motion")
            self._priority()
        with block("div", "dialog-actions"):
            button(self._say("options.restore"), self._restore, kind="plain", symbol="restart_alt")

    def _face_names(self) -> dict[int | None, str]:
        return {rank: self._say("options.face_number", number=rank + 1) for rank in range(_FACES_OFFERED)}

    def _choice(self, name: str) -> None:
        self._select(name, {value: self._say(f"options.{name}_{value}") for value in choices(name)})

    def _select(self, name: str, labels: dict[Any, str]) -> None:
        with self._field(name):
            chosen = self._chosen(name)
            known = labels if chosen in labels else {**labels, chosen: str(chosen)}
            field = ui.select(known, value=chosen, on_change=lambda event: self._take(name, event.value))
            field.props("outlined dense options-dense")
            attribute(field, "aria-label", self._say(f"options.{name}"))

    def _slider(self, name: str) -> None:
        least, most = bounds(name)
        with self._field(name):
            slider = ui.slider(
                min=least, max=most, step=0.1, value=self._chosen(name), on_change=lambda e: self._take(name, e.value)
            )
            attribute(slider, "aria-label", self._say(f"options.{name}"))
            with block("div", "slider-ends muted"):
                Text("span", self._say(f"options.{name}_least"))
                Text("span", self._say(f"options.{name}_most"))

    def _switch(self, name: str) -> None:
        with self._field(name):
            switch = ui.switch(value=self._chosen(name), on_change=lambda event: self._take(name, event.value))
            attribute(switch, "aria-label", self._say(f"options.{name}"))

    def _priority(self) -> None:
        with self._field("priority"):
            labels = {priority: self._say(f"options.priority_{priority}") for priority in Priority}
            chosen = self._draft.priority
            field = ui.select(labels, value=chosen, on_change=lambda event: self._take_priority(event.value))
            field.props("outlined dense options-dense")
            attribute(field, "aria-label", self._say("options.priority"))

    def _take_priority(self, priority: Priority) -> None:
        self._draft.priority = priority
        self._summarise()

    def _field(self, name: str) -> Element:
        with block("div", "option") as field:
            Text("div", self._say(f"options.{name}"), "option-name")
            Text("div", self._say(f"options.{name}_hint"), "option-hint muted")
        return field

    def _chosen(self, name: str) -> Any:
        return getattr(self._draft.options, name)

    def _take(self, name: str, value: object) -> None:
        self._draft.choose_option(name, round(value, 1) if isinstance(value, float) else value)
        self._summarise()

    def _restore(self) -> None:
        self._draft.restore_options()
        self._fields.refresh()
        self._summarise()

    def _summarise(self) -> None:
        number = len(self._draft.changes) + (self._draft.priority is not Priority.NORMAL)
        self._summary.set_text(self._say.count("options.changed", number) if number else self._say("options.standard"))
