"""What a visitor has put together and not started yet; kept on the server: a reload or a second tab loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from services.gateway.operations.drafts import Change, Chosen
from services.jobs.model import Priority
from services.jobs.options import RenderOptions, parse_options, still_valid

DraftKind = Literal["batch", "single"]


class Draft:
    """One recording, videos in order, chosen faces, options that are not the default."""

    def __init__(
        self, chosen: dict[str, Any], kind: DraftKind, keep: Callable[[Change], None] = lambda _: None
    ) -> None:
        """`keep` is given every change, so that it can be made to what is stored as well."""
        self._kind = kind
        self._values = chosen
        self._keep = keep

    def renew(self, chosen: dict[str, Any]) -> None:
        """Take what is stored, where other tabs may have changed it."""
        self._values = chosen

    @property
    def audio_id(self) -> str | None:
        """The upload whose sound is spoken."""
        return self._values.get("audio")

    @audio_id.setter
    def audio_id(self, media_id: str | None) -> None:
        self._change(lambda chosen: chosen.update(audio=media_id))

    @property
    def video_ids(self) -> list[str]:
        """The uploads that shall speak, in order."""
        return list(self._values.get("videos", ()))

    @property
    def faces(self) -> dict[str, int]:
        """Upload -> rank of the face, where one was chosen."""
        kept = self.video_ids
        return {media_id: rank for media_id, rank in self._values.get("faces", {}).items() if media_id in kept}

    @property
    def options(self) -> RenderOptions:
        """What was chosen; defaults for the rest."""
        return parse_options(self.changes)

    @property
    def changes(self) -> dict[str, Any]:
        """Options that differ from the defaults; what an older release stored and this one refuses is forgotten."""
        return still_valid(self._values.get("options", {}))

    @property
    def priority(self) -> Priority:
        """How urgent it is."""
        stored = self._values.get("priority")
        return Priority(stored) if stored in list(Priority) else Priority.NORMAL

    @priority.setter
    def priority(self, priority: Priority) -> None:
        self._change(lambda chosen: chosen.update(priority=priority.value))

    @property
    def job_id(self) -> str | None:
        """The job that a single draft became."""
        return self._values.get("job")

    @job_id.setter
    def job_id(self, job_id: str | None) -> None:
        self._change(lambda chosen: chosen.update(job=job_id))

    def add_video(self, media_id: str) -> None:
        """Put an upload at the end; a single draft holds one."""
        is_single = self._kind == "single"

        def add(chosen: Chosen) -> None:
            present = [] if is_single else list(chosen.get("videos", ()))
            chosen["videos"] = present if media_id in present else [*present, media_id]

        self._change(add)

    def remove_video(self, media_id: str) -> None:
        """Take an upload out of the draft; the upload itself stays."""

        def remove(chosen: Chosen) -> None:
            chosen["videos"] = [each for each in chosen.get("videos", ()) if each != media_id]

        self._change(remove)

    def forget(self, media_id: str) -> None:
        """An upload does not exist any more."""
        self.remove_video(media_id)
        if self.audio_id == media_id:
            self.audio_id = None

    def order_videos(self, media_ids: Sequence[str]) -> None:
        """Put the videos into this order; what another tab has added meanwhile comes last."""

        def order(chosen: Chosen) -> None:
            present = chosen.get("videos", ())
            chosen["videos"] = [each for each in media_ids if each in present]
            chosen["videos"] += [each for each in present if each not in media_ids]

        self._change(order)

    def choose_face(self, media_id: str, rank: int) -> None:
        """Have this face of a video speak."""
        self._change(lambda chosen: chosen.update(faces={**chosen.get("faces", {}), media_id: rank}))

    def choose_option(self, name: str, value: object) -> None:
        """Change one option; INVALID_INPUT when it cannot be that. The default is not written down."""
        parse_options({name: value})
        is_default = value == getattr(RenderOptions(), name)

        def choose(chosen: Chosen) -> None:
            others = {key: each for key, each in chosen.get("options", {}).items() if key != name}
            chosen["options"] = others if is_default else {**others, name: value}

        self._change(choose)

    def restore_options(self) -> None:
        """Back to the defaults, the priority too."""
        self._change(lambda chosen: chosen.update(options={}, priority=None))

    def clear(self) -> None:
        """Begin anew; the options stay, the next batch is not as urgent."""
        self._change(lambda chosen: chosen.update(audio=None, videos=[], faces={}, job=None, priority=None))

    def _change(self, change: Change) -> None:
        change(self._values)
        self._keep(change)
