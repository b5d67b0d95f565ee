"""Choosing who speaks: the faces of a video, framed on its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.gateway.web.catalogue import Words
from services.gateway.web.formats import length_text
from services.gateway.web.markup import Text, attribute, block, button, picture, window
from services.gateway.web.media_facts import thumbnail_address
from services.library.findings import FaceChoice
from services.library.media import Media


def choose_face(
    words: Words, media: Media, faces: Sequence[FaceChoice], chosen: int, take: Callable[[int], object]
) -> None:
    """Open the choice; `take` gets the rank."""

    def pick(rank: int) -> None:
        take(rank)
        dialog.close()

    with window(words("faces.title"), wide=True) as dialog:
        Text("p", words("faces.hint", name=media.name), "muted")
        with block("div", "face-picture"):
            picture(thumbnail_address(media.id))
            for face in faces:
                _frame(words, face, face.rank == chosen, pick)
        with block("div", "face-list").props("role=group") as group:
            attribute(group, "aria-label", words("faces.title"))
            for face in faces:
                _line(words, face, face.rank == chosen, pick)
        with block("div", "dialog-actions"):
            button(words("common.close"), dialog.close)
    dialog.open()


def _frame(words: Words, face: FaceChoice, is_chosen: bool, pick: Callable[[int], None]) -> None:
    left, top, right, bottom = face.box
    with block("button", "face-frame is-chosen" if is_chosen else "face-frame").props("type=button") as frame:
        Text("span", str(face.rank + 1))
    frame.style(f"left:{left:.2%};top:{top:.2%};width:{right - left:.2%};height:{bottom - top:.2%}")
    attribute(frame, "aria-label", words("faces.take", number=face.rank + 1))
    frame.on("click", lambda: pick(face.rank))


def _line(words: Words, face: FaceChoice, is_chosen: bool, pick: Callable[[int], None]) -> None:
    facts = words("faces.facts", percent=round(100 * face.share), moment=length_text(face.first_second))
    with block("button", "face-line is-chosen" if is_chosen else "face-line").props("type=button") as line:
        Text("span", str(face.rank + 1), "step-number")
        Text("span", words("faces.face", number=face.rank + 1))
        Text("span", facts, "muted numbers")
    attribute(line, "aria-pressed", "true" if is_chosen else "false")
    line.on("click", lambda: pick(face.rank))
