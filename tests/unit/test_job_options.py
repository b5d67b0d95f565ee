"""Options have one set of bounds, whichever door they come through."""

from __future__ import annotations

import pytest

from services.errors import ChorusError
from services.gateway.rpc.messages import render_options
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.web.draft import Draft
from services.jobs.options import RenderOptions, bounds, choices, parse_options, still_valid
from services.timeline import Extend


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crf", 36),
        ("crf", -1),
        ("extend", "backwards"),
        ("face", 64),
        ("expression", 0.4),
        ("smoothing", 1.1),
        ("preset", "placebo"),
        ("family", "x" * 101),
        ("surprise", 1),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ChorusError, match=rf"options\.{name}"):
        parse_options({name: value})
    assert still_valid({name: value, "silence": "source"}) == {"silence": "source"}
    with pytest.raises(ChorusError, match=rf"options\.{name}"):
        Draft({}, "batch").choose_option(name, value)


def test_the_wire_and_the_page_give_the_same_options() -> None:
    wanted = RenderOptions(extend=Extend.CUT, crf=0, face=2, still_motion=False)
    assert render_options(pb.RenderOptions(extend="cut", crf=0, face=2, still_motion=False)) == wanted
    draft = Draft({}, "batch")
    for name, value in {"extend": "cut", "crf": 0, "face": 2, "still_motion": False}.items():
        draft.choose_option(name, value)
    assert draft.options == wanted
    with pytest.raises(ChorusError, match=r"options\.crf"):
        render_options(pb.RenderOptions(crf=99))


def test_a_draft_forgets_what_an_older_release_stored() -> None:
    draft = Draft({"options": {"crf": 99, "gone": True, "smoothing": 0.5}}, "batch")
    assert draft.options == RenderOptions(smoothing=0.5)


def test_forms_are_made_of_the_bounds() -> None:
    assert choices("extend") == ("pingpong", "loop", "freeze", "cut")
    assert choices("silence") == ("rest", "source")
    assert bounds("expression") == (0.5, 1.5)
    assert bounds("crf") == (0, 35)
