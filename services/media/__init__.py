"""FFmpeg through PyAV: the only place that touches it."""

from services.media.audio import read_speech, speech_blocks, speech_seconds
from services.media.clip import Clip, open_clip
from services.media.colour import ColourTags, Matrix, Range, rgb_to_yuv, yuv_to_rgb
from services.media.frame import HALVED, Frame
from services.media.frames import glances, read_frames
from services.media.hearing import Mix, SoundChoice
from services.media.pictures import DECODING_VERSION
from services.media.probe import MediaInfo, probe
from services.media.readers import Readers
from services.media.write import write_poster, write_video
from services.timeline import Extend, frame_count, source_index

__all__ = [
    "DECODING_VERSION",
    "HALVED",
    "Clip",
    "ColourTags",
    "Extend",
    "Frame",
    "Matrix",
    "MediaInfo",
    "Mix",
    "Range",
    "Readers",
    "SoundChoice",
    "frame_count",
    "glances",
    "open_clip",
    "probe",
    "read_frames",
    "read_speech",
    "rgb_to_yuv",
    "source_index",
    "speech_blocks",
    "speech_seconds",
    "write_poster",
    "write_video",
    "yuv_to_rgb",
]
