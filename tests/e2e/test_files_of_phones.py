"""Files as phones, cameras and recorders write them go in, what plays everywhere comes out."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.stream import VideoStream
from PIL import Image

from services.media import open_clip
from tests.e2e.face_variants import encode, face_frames, recording
from tests.media_samples import frame_of, planes_of
from tests.running_stack import SAMPLES, RunningStack

pytestmark = pytest.mark.timeout(300)


def opposite_phase(path: Path) -> Path:
    """A second of the announcement whose right channel is the left one upside down."""
    with wave.open(str(recording(path, 1.0, 16_000, 2))) as source:
        samples = np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, 2).copy()
    samples[:, 1] = -samples[:, 1]
    with wave.open(str(path), "w") as target:
        target.setparams((2, 2, 16_000, 0, "NONE", ""))
        target.writeframes(samples.tobytes())
    return path


def hlg(path: Path) -> Path:
    """The sample face as a phone's 10-bit HLG video."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": "log-level=none", "preset": "fast"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p10le"
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 9, 9, 18
        for number, frame in enumerate(face_frames(12)):
            picture = frame.reformat(format="yuv420p10le")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def interlaced(path: Path) -> Path:
    """The sample face as 25 pictures of two fields a second, marked as such."""
    graph = Graph()
    source = graph.add_buffer(width=768, height=576, format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("setfield", "tff"), graph.add("buffersink")).configure()
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"flags": "+ilme+ildct", "preset": "fast"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        moments = [planes_of(frame) for frame in face_frames(24, 768, 576)]
        for number, (first, second) in enumerate(zip(moments[::2], moments[1::2], strict=True)):
            for plane, later in zip(first, second, strict=True):
                plane[1::2] = later[1::2]
            picture = frame_of(first, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            graph.vpush(picture)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode(None))
    return path


def test_files_of_every_kind_play_everywhere_and_speak(stack: RunningStack, tmp_path: Path) -> None:
    portrait = Image.open(SAMPLES / "portrait.jpg").resize((360, 480))
    portrait.save(tmp_path / "photo.heic", quality=90)
    portrait.convert("CMYK").save(tmp_path / "print.jpg", quality=90, subsampling=0)
    videos = {
        tmp_path / "photo.heic": Fraction(25),
        tmp_path / "print.jpg": Fraction(25),
        encode(tmp_path / "slow.mp4", face_frames(8), rate=Fraction(8)): Fraction(32),
        hlg(tmp_path / "phone.mov"): Fraction(25),
        interlaced(tmp_path / "camera.mp4"): Fraction(50),
    }
    audio = opposite_phase(tmp_path / "audio.wav")
    with stack.http as http:
        assert http.get(f"/v1/media/{stack.media_id(audio)}").json()["sound_notes"] == ["opposite_phase"]
    jobs = stack.create_batch(audio, list(videos), still_motion=False)["jobs"]
    for job, (video, rate) in zip(jobs, videos.items(), strict=True):
        finished = stack.wait_for(job["id"], seconds=240)
        assert finished["state"] == "succeeded", finished
        source = open_clip(video, name="source")
        path = stack.download(job["id"], tmp_path / f"{video.stem}.out.mp4")
        output = open_clip(path, name="output")
        assert (output.width, output.height, output.frame_rate) == (source.width, source.height, rate)
        assert abs(output.frames / rate - 1) <= 1 / rate
        with av.open(path) as container:
            stream = container.streams.video[0]
            lumas = [frame.to_ndarray()[: output.height].astype(int) for frame in container.decode(video=0)]
            assert (stream.codec_context.profile, stream.codec_context.pix_fmt) == ("High", "yuv420p")
        if source.still:
            assert max(np.abs(luma - lumas[0]).max() for luma in lumas) > 40, "the mouth moves with what cancels out"
