"""What the figures of the quality set must reach, each bar with the figure that was measured when it was set."""

from __future__ import annotations

from dataclasses import dataclass

VIDEO, STILL, TALKING = "astronaut.mp4", "portrait.jpg", "talking.mp4"
SIZES = (480, 720, 1080, 2160)
_ALWAYS = ("sentences_en", "announcement_en")


@dataclass(frozen=True, slots=True)
class Bar:
    """`figure` of `clip` with `recording` lies within least .. most."""

    clip: str
    recording: str
    figure: str
    least: float
    most: float
    measured: float

    def __str__(self) -> str:
        return f"{self.figure}-{self.clip}-{self.recording}"


BARS = (Bar(VIDEO, "sentences_en", "recall", 0.95, 1, 1),)
