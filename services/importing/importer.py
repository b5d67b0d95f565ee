"""Imports a file as a family, and removes one: a folder of the user's model repository comes or goes as a whole."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from services.errors import ChorusError, ErrorKind, error_from_json
from services.folders import lock_file, make_folder
from services.importing.model_config import WRITTEN_BY, config_texts
from services.jobs.imported import (
    FAMILY_NAME,
    LATENTS,
    LOCK,
    MANIFEST,
    MUSETALK,
    RESEARCH_ONLY,
    SOUND,
    WAV2LIP,
    ImportedFamilies,
    ImportedFamily,
    drafts_of,
    models_of,
    write_manifest,
)
from services.parent_death import dying_with_us

_SECONDS: Final = 900
_FOLDER_SECONDS: Final = 3600
"""A MuseTalk has thirty times a Wav2Lip's numbers"""
_NAME: Final = re.compile(FAMILY_NAME)
_LICENCE_LETTERS: Final = 80
_LICENCES: Final = {WAV2LIP: RESEARCH_ONLY, MUSETALK: "MIT; its VAE: CreativeML OpenRAIL-M"}
"""Of the published weights, where the user does not say another"""
_NEEDS: Final = {WAV2LIP: "", MUSETALK: " needs a GPU (a processor takes many seconds a frame),"}
_READING: Final = {WAV2LIP: "read", MUSETALK: "read-folder"}
"""What the child is asked to do"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a net is to be made to compute in fewer bits."""

    write_pairs: Callable[[int, Path], None]
    """Write pairs of faces, so many pixels a side, and their sounds into a file, as quantising.read_pairs reads it"""
    refused: Callable[[ChorusError], None]
    """Called for each way that cannot be, or not without showing"""


def import_file(
    path: Path,
    repository: Path,
    *,
    wanted_name: str | None,
    licence: str | None,
    taken: Collection[str],
    called: str | None = None,
    calibration: Calibration | None = None,
) -> ImportedFamily:
    """Make `path` a family in `repository`, a folder that Triton serves, where it appears at once and whole.

    It is the file of a Wav2Lip, or the folder of a MuseTalk 1.5.

    `taken` are names that are in use elsewhere; `called` is what the user calls the file, when it lies under another
    name. Without a wanted name the net's variant gives it. Raises INVALID_INPUT
    for a file that is no lip-sync net or not safe, CONFLICT for a name in use, UNAVAILABLE when a package is missing.
    """
    if wanted_name is not None and not _NAME.fullmatch(wanted_name):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-name-unusable", name=wanted_name)
    called = called or path.absolute().name
    method = MUSETALK if path.is_dir() else WAV2LIP
    if calibration is not None and method == MUSETALK:
        raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-not-here", name=called)
    with _draft(repository) as draft:
        used = {*taken, *(each.name for each in repository.iterdir())}
        if wanted_name is not None and not used.isdisjoint(models_of(wanted_name, method)):
            raise ChorusError(ErrorKind.CONFLICT, "import-name-taken", name=wanted_name)
        facts = _in_child(called, _READING[method], str(path.absolute()), called, str(draft))
        family = ImportedFamily(
            name=wanted_name or _free_name(facts["variant"], used, method),
            licence=" ".join((licence or _LICENCES[method]).split())[:_LICENCE_LETTERS],
            description=f"{facts['variant']}, {facts['side']} pixels,{_NEEDS[method]} imported from {called[:80]}",
            method=method,
            **{"source_sha256": facts.get("source_sha256") or _sha256(path), **facts},
        )
        if calibration is not None:
            family = _in_fewer_bits(family, draft, calibration, called)
        _publish(family, draft, repository)
    return family


def _publish(family: ImportedFamily, draft: Path, repository: Path) -> None:
    """Its models appear one by one, and last the one with the manifest, by which it is a family."""
    write_manifest(draft, family)
    moved = list[Path]()
    try:
        for model, config in reversed(config_texts(family).items()):
            made = draft.with_name(draft.name + model.removeprefix(family.name))
            (made / "config.pbtxt").write_text(config)
            moved.append(made.rename(repository / model))
    except BaseException:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _in_fewer_bits(family: ImportedFamily, draft: Path, calibration: Calibration, name: str) -> ImportedFamily:
    """The family as it is to be served; the draft's model is replaced when fewer bits are good enough."""
    model, pairs, made = draft / "1" / "model.onnx", draft.parent / "pairs.npz", draft.parent / "fewer_bits.onnx"
    try:
        calibration.write_pairs(family.side, pairs)
        found = _in_child(name, "quantise", str(model), name, str(pairs), str(family.most_rows), str(made))
    except ChorusError as error:
        calibration.refused(error)
        return family
    for refused in found["refused"]:
        calibration.refused(error_from_json(refused))
    if not found["chosen"]:
        return family
    made.replace(model)
    return replace(family, **found["chosen"])


def remove_family(repository: Path, name: str) -> tuple[str, ...]:
    """Take an imported family away; the names of its models. NOT_FOUND when there is none of that name."""
    if not _NAME.fullmatch(name) or not (repository / name / MANIFEST).is_file():
        raise ChorusError(ErrorKind.NOT_FOUND, "import-unknown", name=name)
    families = ImportedFamilies()
    families.look_in(repository)
    family = families.find(name)  # None: its manifest cannot be read
    models = family.models if family is not None else (name,)
    with _draft(repository) as draft:
        for model in models:
            with suppress(FileNotFoundError):
                (repository / model).rename(draft / model)
    return models


def sweep_leftovers(repository: Path) -> None:
    """Remove what imports that were killed have left; CONFLICT while one is at work."""
    if drafts_of(repository).exists():
        with _draft(repository):
            pass


def _free_name(variant: str, used: set[str], method: str) -> str:
    """`Wav2Lip 96` -> wav2lip96, or wav2lip96-2 when that is taken."""
    base = re.sub("[^a-z0-9]", "", variant.lower())
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, len(used) + 2))
    return next(name for name in names if used.isdisjoint(models_of(name, method)))


@contextmanager
def _draft(repository: Path) -> Iterator[Path]:
    """A folder on the repository's disk that Triton does not see; one import at a time, leftovers are swept."""
    drafts = drafts_of(repository)
    for folder in (repository, drafts):
        if not folder.exists():  # who shares one with a Triton elsewhere has opened it to that
            make_folder(folder, private=True)
    with lock_file(drafts / LOCK, ChorusError(ErrorKind.CONFLICT, "import-busy", folder=str(repository))):
        for leftover in (*drafts.glob("draft-*"), *_halves(repository)):
            shutil.rmtree(leftover, ignore_errors=True)
        with TemporaryDirectory(prefix="draft-", dir=drafts, ignore_cleanup_errors=True) as draft:
            inner = Path(draft) / "family"
            inner.mkdir()
            yield inner


def _halves(repository: Path) -> Iterator[Path]:
    """Models of a family whose own one is not there: somebody was killed while it came or went."""
    for suffix in (LATENTS, SOUND):
        for config in repository.glob(f"*{suffix}/config.pbtxt"):
            family = config.parent.with_name(config.parent.name.removesuffix(suffix))
            ours = config.read_text(errors="replace").startswith(WRITTEN_BY)
            if ours and not any((folder / MANIFEST).exists() for folder in (family, config.parent)):
                yield config.parent


def _in_child(name: str, *arguments: str) -> dict[str, Any]:
    """What the child found (see __main__.py) of the file that is called `name`."""
    command = [sys.executable, "-m", "services.importing", *arguments]
    seconds = _FOLDER_SECONDS if arguments[0] == _READING[MUSETALK] else _SECONDS
    try:
        child = subprocess.run(
            dying_with_us(command), capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _greedy(name) from error
    last = child.stdout.decode(errors="replace").rstrip().rpartition("\n")[2]
    try:
        said = json.loads(last)
    except ValueError as error:
        if child.returncode < 0:
            raise _greedy(name) from error
        reason = child.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise ChorusError(ErrorKind.INTERNAL, "import-failed", name=name, reason=reason) from error
    if "failed" in said:
        raise error_from_json(said["failed"])
    return dict(said["succeeded"])


def _greedy(name: str) -> ChorusError:
    return ChorusError(ErrorKind.INVALID_INPUT, "import-greedy", name=name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
