"""Writes docs/settings.md: every variable that a process reads, from the settings classes and their docstrings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from services.gateway.settings import GatewaySettings
from services.local.settings import LocalSettings
from services.preprocess.settings import PreprocessSettings
from services.render.settings import RenderProcessSettings
from services.worker.settings import WorkerSettings

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
READERS: Final[dict[str, type[BaseSettings]]] = {
    "up": LocalSettings,
    "api": GatewaySettings,
    "worker": WorkerSettings,
    "render": RenderProcessSettings,
    "preprocess": PreprocessSettings,
}
_HEAD: Final = """# Settings

Every setting is a variable of the environment. This table is made from the code by `make settings`; a test holds it so.
`up` is `chorus up`, which gives the other processes what they need; a worker's `render` children have its environment.
For a bucket, [obstore](https://developmentseed.org/obstore/) reads `AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP` and their kin, and `SSL_CERT_FILE` where its authority is not the system's.
The `OTEL_` variables below decide whether anything is traced; OpenTelemetry's SDK reads further ones by itself
([tracing.md](tracing.md)).

| variable | read by | default | what it says |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    fields: dict[str, dict[str, FieldInfo]] = {}
    for reader, settings in READERS.items():
        for name, field in settings.model_fields.items():
            variable = str(field.validation_alias or f"CHORUS_{name.upper()}")
            fields.setdefault(variable, {})[reader] = field
    for variable, readers in sorted(fields.items()):
        for text in dict.fromkeys(field.description for field in readers.values()):
            own = {reader: field for reader, field in readers.items() if field.description == text}
            defaults = dict.fromkeys(_default(field) for field in own.values())
            yield f"| `{variable}` | {', '.join(own)} | {' or '.join(defaults)} | {text} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    if field.default_factory is not None:
        return "below `chorus-data`"
    value = getattr(field.default, "get_secret_value", lambda: field.default)()
    if isinstance(value, Path) and value.is_absolute():
        return "of this checkout"
    return "none" if value in ("", None, ()) else f"`{value}`"


def main() -> int:
    """The exit code."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
