"""Families that users imported: each is a folder of a model repository with `family.json` beside Triton's own files."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

MANIFEST: Final = "family.json"
FORMAT: Final = 1
RESEARCH_ONLY: Final = "research only"
FAMILY_NAME: Final = r"[a-z0-9][a-z0-9_-]{0,39}"
"""What an imported family may be called: it is a folder, and a model of Triton"""
_log = logging.getLogger(__name__)


WAV2LIP: Final = "wav2lip"
MUSETALK: Final = "musetalk"
LATENTS: Final = "-latents"
SOUND: Final = "-sound"
"""Behind a family's name: its models on Triton that look at the source and hear the recording"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFamily:
    """One imported method; its name is also that of the model on Triton that paints its mouths."""

    name: str
    licence: str
    description: str
    side: int
    """Pixels of its face pictures"""
    most_rows: int
    """Faces that one request may hold"""
    variant: str
    """What it was recognised as"""
    container: str
    """The form of the file that it came from"""
    source_sha256: str
    steps: int
    """Of 255, by which the served graph differed at most from the net in the file"""
    precision: str = "float32"
    """`int8` or `bfloat16` where it is served in fewer bits"""
    library: str = "onnxruntime"
    """Or `openvino`: what computes it on a CPU"""
    compared: Mapping[str, float] = field(default_factory=dict)
    """What importing.quantising.Comparison says, where it is served in fewer bits"""
    method: str = WAV2LIP
    """How it is rendered: by crop and mel window, or as MUSETALK by latents and the states of a net that hears"""
    format: int = FORMAT

    @property
    def models(self) -> tuple[str, ...]:
        """Its models on Triton, each a folder of the repository; that of its own name stands first."""
        return models_of(self.name, self.method)


def models_of(name: str, method: str) -> tuple[str, ...]:
    """What the models of a family are called that has this name and is rendered so."""
    return (name, f"{name}{LATENTS}", f"{name}{SOUND}") if method == MUSETALK else (name,)


class ImportedFamilies:
    """Reads the folder of imported families each time, so that an import counts at once in every process."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._told: set[Path] = set()

    def look_in(self, folder: Path | None) -> None:
        """Said once by each process's composition root; None: there are none."""
        self._folder = folder

    def all(self) -> list[ImportedFamily]:
        """By name; one whose manifest cannot be read is told once in the log and left out."""
        if self._folder is None:
            return []
        found = (self._read(path) for path in sorted(self._folder.glob(f"*/{MANIFEST}")))
        return [family for family in found if family is not None]

    def find(self, name: str) -> ImportedFamily | None:
        """The one of that name."""
        return next((family for family in self.all() if family.name == name), None)

    def size_and_time(self, name: str) -> tuple[int, float]:
        """Bytes of a family's files, and when it was imported, as seconds since 1970; zeros when it has just gone."""
        folder, family = self._folder or Path(), self.find(name)
        models = family.models if family is not None else (name,)
        try:
            files = [each for model in models for each in (folder / model).rglob("*") if each.is_file()]
            return sum(each.stat().st_size for each in files), (folder / name / MANIFEST).stat().st_mtime
        except OSError:
            return 0, 0.0

    def _read(self, path: Path) -> ImportedFamily | None:
        try:
            facts = json.loads(path.read_text())
            if "eight_bits" in facts:  # as it was called while 8 bits were all that there was
                facts["compared"] = facts.pop("eight_bits")
            family = ImportedFamily(**facts)
            if family.format != FORMAT or family.name != path.parent.name:
                raise ValueError("it is of another format, or its folder has another name")
        except (OSError, ValueError, TypeError) as error:
            if path not in self._told:
                self._told.add(path)
                _log.warning("the imported family %s cannot be read and is left out: %s", path, error)
            return None
        return family


IMPORTED: Final = ImportedFamilies()


LOCK: Final = "lock"
"""In that folder: who holds it works at the repository"""


def drafts_of(repository: Path) -> Path:
    """Where families of that folder are put together, and taken apart: beside it, where Triton does not look."""
    return repository.with_name(f"{repository.name}-drafts")


def write_manifest(folder: Path, family: ImportedFamily) -> None:
    """Write `family` into its folder."""
    (folder / MANIFEST).write_text(json.dumps(asdict(family), indent=2) + "\n")
