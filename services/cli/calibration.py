"""Pairs of faces and sounds out of a user's footage, found by the running stack as for a render."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.accepted_files import AUDIO_SUFFIXES, PICTURE_SUFFIXES
from services.errors import ChorusError, ErrorKind
from services.jobs.options import RenderOptions
from services.library.keys import ANALYSES, new_incoming_key
from services.local.run_file import RunningStack
from services.preprocess.client import PreprocessClient
from services.preprocess.faces import FaceBatch, FaceRequest, MelSpec, Speech
from services.preprocess.look import LookClient
from services.preprocess.summary import MediaFacts
from services.printable import printable
from services.render.families.imported.sound import Sound
from services.render.families.imported.wav2lip import CROP, seen_by_net
from services.storage import Storage
from services.timeline import Extend

PAIRS: Final = 500
"""Of all videos together"""
_VIDEOS: Final = 40
_SECONDS: Final = 60
"""Of each video: more of the same face and light says little"""
_TRIED: Final = 5
"""Every fifth part of a video, its end, is kept from calibration to compare by"""
_SHOWN: Final = 0.5
"""Weight from which on a face shows enough of its mouth"""


@dataclass(frozen=True, slots=True)
class _Video:
    """One video of the footage."""

    path: Path
    sound: Path
    """Where its speech is: itself, or a recording where it has none"""
    frame_rate: Fraction
    frames: int
    """Of those that are looked at"""


def write_pairs(
    stack: RunningStack, store: str, paths: Sequence[Path], side: int, target: Path, report: Callable[[str], None]
) -> None:
    """Write up to PAIRS of the footage in `paths`, files or folders, into `target`; see importing.quantising.Pairs.

    INVALID_INPUT when there is no video with a sound to it, or no face in any. What cannot be used is told by `report`.
    """
    crops, mels, tried = list[NDArray[np.uint8]](), list[NDArray[np.float32]](), list[NDArray[np.bool_]]()
    with TemporaryDirectory() as scratch, closing(PreprocessClient(stack.preprocess)) as preprocess:
        storage = Storage(store, Path(scratch))
        videos = _videos(paths, storage, stack.preprocess, report)
        for video in videos:
            report(f"Looking for faces in {printable(video.path.name)}")
            try:
                seen, heard = _pairs(video, storage, preprocess, side, -(-PAIRS // len(videos)))
            except ChorusError as error:
                report(f"It is left out: {error.message}")
                continue
            crops.append(seen)
            mels.append(heard)
            tried.append(np.arange(len(seen)) >= len(seen) - len(seen) // _TRIED)
    if not crops:
        raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-no-faces")
    np.savez(target, crops=np.concatenate(crops), mels=np.concatenate(mels), tried=np.concatenate(tried))


def _videos(paths: Sequence[Path], storage: Storage, preprocess: str, report: Callable[[str], None]) -> list[_Video]:
    """Those with a sound; one without gets the next of the recordings beside it. INVALID_INPUT when there is none.

    Preprocess looks into them, in children with limits: this process opens no file of a stranger.
    """
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    recordings = [file for file in files if file.suffix.lower() in AUDIO_SUFFIXES]
    videos = list[_Video]()
    for file in (each for each in files if each.suffix.lower() in PICTURE_SUFFIXES):
        try:
            facts = _facts(file, storage, preprocess)
        except ChorusError as error:
            if error.retryable:  # it is not the file's fault
                raise
            report(f"{error.message}: left out")
            continue
        sound = file if facts.has_audio else next(iter(recordings), None)
        if facts.kind != "video" or facts.frame_rate is None or sound is None:
            report(
                f"{printable(file.name)} is left out: it is no video, or has no sound and no recording lies beside it"
            )
            continue
        if sound is not file:
            recordings = [*recordings[1:], sound]
        rate = Fraction(facts.frame_rate)
        videos.append(_Video(file, sound, rate, round(min(facts.seconds, _SECONDS) * rate)))
        if len(videos) == _VIDEOS:
            break
    if not videos:
        places = ", ".join(printable(str(path)) for path in paths)
        raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-no-footage", places=places)
    return videos


def _facts(file: Path, storage: Storage, preprocess: str) -> MediaFacts:
    with _stored(file, storage) as key, closing(LookClient(preprocess)) as look:
        return look.probe(key, name=printable(file.name)).facts


def _pairs(
    video: _Video, storage: Storage, preprocess: PreprocessClient, side: int, most: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Up to `most` faces of the video, (n, side, side, 3), and mel windows, (n, 80, 16), in the order of time."""
    crops, mels = list[NDArray[np.uint8]](), list[NDArray[np.float32]]()
    step = max(1, video.frames // most)
    with _stored(video.path, storage) as video_key, _stored(video.sound, storage) as audio_key:
        wanted = FaceRequest(
            video_key=video_key,
            audio_key=audio_key,
            crop=CROP,
            mel=MelSpec(window=0),
            frame_count=video.frames,
            extend=Extend.CUT,
            video_name=printable(video.path.name),
            audio_name=printable(video.sound.name),
        )
        sound: Sound | None = None
        with closing(preprocess.stream_faces(wanted)) as items:
            for item in items:
                if isinstance(item, Speech):
                    sound = Sound(item, RenderOptions())
                elif isinstance(item, FaceBatch) and sound is not None and len(item.weight):
                    frames = item.first_frame + np.flatnonzero(item.present)
                    good = (frames % step == 0) & (item.weight >= _SHOWN)
                    crops.append(seen_by_net(item, side)[good])
                    mels.append(sound.windows(frames[good], video.frame_rate))
    if not sum(map(len, crops)):
        raise ChorusError(ErrorKind.NO_FACE, "fewer-bits-no-faces")
    return np.concatenate(crops)[:most], np.concatenate(mels)[:most]


@contextmanager
def _stored(path: Path, storage: Storage) -> Iterator[str]:
    """The key of the file for the time of the block; what was worked out of it goes too, unless it was there before."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    key = f"{new_incoming_key()}/{content}"
    known = {folder for folder in ANALYSES if any(storage.keys(f"{folder}/{content}/"))}
    storage.put_file(key, path)
    try:
        yield key
    finally:
        storage.delete(key)
        for folder in set(ANALYSES) - known:
            for made in list(storage.keys(f"{folder}/{content}/")):
                storage.delete(made)
