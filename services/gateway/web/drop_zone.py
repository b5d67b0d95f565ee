"""A place to drop files on. The browser sends them by itself (tus); this only tells it what may come, and whereto."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from nicegui.element import Element

from services.gateway.web.draft import DraftKind
from services.gateway.web.open_page import OpenPage

_STILLS: Final = frozenset({".jpg", ".jpeg", ".png", ".heic", ".heif", ".avif", ".webp", ".bmp", ".gif"})
_MODELS: Final = [".bin", ".ckpt", ".jit", ".onnx", ".pt", ".pth", ".safetensors", ".tar"]
_ICONS: Final = {"audio": "mic", "video": "movie", "model": "deployed_code"}
_STATIC: Final = Path(__file__).parent / "static"


class DropZone(Element, component="drop_zone.js", esm={"chorus-page": str(_STATIC)}):
    """Recordings ("audio") or pictures ("video") for one of the drafts, or a "model" to import."""

    def __init__(
        self, page: OpenPage, kind: DraftKind | Literal["import"], role: str, *, multiple: bool = False
    ) -> None:
        super().__init__()
        words, limits = page.words, page.operations.limits
        sounds, pictures = sorted(limits.audio_suffixes), sorted(limits.picture_suffixes)
        preferred = {"audio": sounds, "video": pictures, "model": _MODELS}[role]
        self._props.update(
            {
                "zone": f"{kind}-{role}",
                "preferred": preferred,
                "accepted": _with_sound(sounds, pictures) if role == "audio" else preferred,
                "multiple": multiple,
                "max-bytes": limits.max_upload_bytes,
                "icon": _ICONS[role],
                "title": words(f"upload.{role}_title"),
                "hint": words(f"upload.{role}_hint"),
                "button": words("upload.choose_many" if multiple else "upload.choose"),
                "words": words.group("upload"),
            }
        )

    def shrink(self, small: bool) -> None:
        """A line instead of a field, once there is something in the list."""
        if bool(self._props.get("compact")) != small:
            self._props["compact"] = small


def _with_sound(sounds: Sequence[str], pictures: Sequence[str]) -> list[str]:
    return [*sounds, *(each for each in pictures if each not in _STILLS)]
