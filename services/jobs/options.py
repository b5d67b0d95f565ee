"""What a user may choose for an output: the one place for its names, bounds, defaults and descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from services.errors import ChorusError, ErrorKind
from services.timeline import Extend

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
FACE_RANKS: Final = 64
"""A shot's faces are counted from the largest and most central, 0, to at most 63"""
FaceRank = Annotated[int, Field(ge=0, lt=FACE_RANKS)]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RenderOptions:
    """How an output is made; every field may be left out, and the defaults suit a colleague who chose nothing."""

    family: Annotated[str, Field(max_length=100, description="A name from /v1/families")] = "default"
    extend: Annotated[Extend, Field(description="What to show when the audio is longer than the video")] = (
        Extend.PINGPONG
    )
    after_audio: Annotated[
        Literal["end", "rest"],
        Field(description="When the audio is shorter: end with it, or go on with a resting mouth and silence"),
    ] = "end"
    crf: Annotated[
        int, Field(ge=0, le=35, description="Quality: 0 lossless, in profiles that few players know .. 35 small")
    ] = 18
    preset: Annotated[Preset, Field(description="Speed of the encoder")] = "veryfast"
    delivery: Annotated[
        Literal["compatible", "source"],
        Field(
            description="compatible plays everywhere: H.264 High, 8 bit, 4:2:0, BT.709, tone-mapped from HDR; "
            "source keeps depth, chroma and HDR"
        ),
    ] = "compatible"
    face: Annotated[
        FaceRank | None, Field(description="Rank of the face in every shot; none: the largest and most central")
    ] = None
    expression: Annotated[
        float, Field(ge=0.5, le=1.5, description="How far the mouth opens and spreads; closed lips stay closed")
    ] = 1.0
    smoothing: Annotated[
        float, Field(ge=0, le=1, description="0: the mouth moves as spoken .. 1: calmly; closures are kept")
    ] = 0.0
    silence: Annotated[
        Literal["rest", "source"],
        Field(description="In pauses: the mouth rests, shut and still, or the footage's own mouth shows"),
    ] = "rest"
    still_motion: Annotated[bool, Field(description="A photo gets slight head motion and blinks")] = True


_OPTIONS: Final[TypeAdapter[RenderOptions]] = TypeAdapter(RenderOptions)


def parse_options(values: Mapping[str, Any]) -> RenderOptions:
    """The options that were chosen, defaults for the rest; INVALID_INPUT names each one that is wrong."""
    try:
        return _OPTIONS.validate_python(dict(values))
    except ValidationError as error:
        wrong = "; ".join(f"options.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ChorusError(ErrorKind.INVALID_INPUT, "invalid-request", problems=wrong) from error


def still_valid(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of stored choices that this release still knows and accepts."""
    return {name: value for name, value in values.items() if _is_valid(name, value)}


def choices(name: str) -> tuple[str, ...]:
    """The values of an option that is one of several words."""
    kind = _field(name).annotation
    words = get_args(kind) if get_origin(kind) is Literal else kind
    return tuple(str(each) for each in words)  # type: ignore[union-attr]  # a Literal's words or an Enum


def bounds(name: str) -> tuple[float, float]:
    """The least and the most that an option which is a number may be."""
    limits = {type(each).__name__: each for each in _field(name).metadata}
    return limits["Ge"].ge, limits["Le"].le


def _field(name: str) -> FieldInfo:
    fields: Mapping[str, FieldInfo] = RenderOptions.__pydantic_fields__  # type: ignore[attr-defined]
    return fields[name]


def _is_valid(name: str, value: object) -> bool:
    try:
        parse_options({name: value})
    except ChorusError:
        return False
    return True
