"""What a visitor has put together and not started yet; kept on the server: a reload or a second tab loses nothing."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Literal

from services.jobs.options import RenderOptions, parse_options, still_valid

DraftKind = Literal["batch", "single"]


class Draft:
    """A view on the visitor's store: one recording, videos in order, chosen faces, options that are not the default."""

    def __init__(self, store: MutableMapping[str, Any], kind: DraftKind) -> None:
        self._kind = kind
        store.setdefault(kind, {})
        # The store's own copy: two tabs of the same visitor share it.
        self._values: MutableMapping[str, Any] = store[kind]

    @property
    def audio_id(self) -> str | None:
        """The upload whose sound is spoken."""
        return self._values.get("audio")

    @audio_id.setter
    def audio_id(self, media_id: str | None) -> None:
        self._values["audio"] = media_id

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
    def job_id(self) -> str | None:
        """The job that a single draft became."""
        return self._values.get("job")

    @job_id.setter
    def job_id(self, job_id: str | None) -> None:
        self._values["job"] = job_id

    def add_video(self, media_id: str) -> None:
        """Put an upload at the end; a single draft holds one."""
        others = [] if self._kind == "single" else self.video_ids
        if media_id not in others:
            self.order_videos([*others, media_id])

    def remove_video(self, media_id: str) -> None:
        """Take an upload out of the draft; the upload itself stays."""
        self.order_videos([each for each in self.video_ids if each != media_id])

    def forget(self, media_id: str) -> None:
        """An upload does not exist any more."""
        self.remove_video(media_id)
        if self.audio_id == media_id:
            self.audio_id = None

    def order_videos(self, media_ids: Sequence[str]) -> None:
        """Put the videos into this order."""
        self._values["videos"] = list(media_ids)

    def choose_face(self, media_id: str, rank: int) -> None:
        """Have this face of a video speak."""
        self._values["faces"] = {**self.faces, media_id: rank}

    def choose_option(self, name: str, value: object) -> None:
        """Change one option; INVALID_INPUT when it cannot be that. The default is not written down."""
        parse_options({name: value})
        changes = {key: each for key, each in self.changes.items() if key != name}
        if value != getattr(RenderOptions(), name):
            changes[name] = value
        self._values["options"] = changes

    def restore_options(self) -> None:
        """Back to the defaults."""
        self._values["options"] = {}

    def clear(self) -> None:
        """Begin anew; the options stay."""
        self._values.update({"audio": None, "videos": [], "faces": {}, "job": None})
