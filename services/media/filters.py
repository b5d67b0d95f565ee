"""Chains of FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from av.filter import Graph
from av.video.format import VideoFormat

Step = tuple[str, str | Mapping[str, str]]
"""A filter and its arguments, as one text or by name"""


def filter_chain(size: tuple[int, int], pixel_format: str, time_base: Fraction, steps: Sequence[Step]) -> Graph:
    """Pictures of that width, height and format go in, and what the steps make of them comes out."""
    graph = Graph()
    graph.threads = 1  # the encoder and Triton use the other cores
    source = graph.add_buffer(width=size[0], height=size[1], format=VideoFormat(pixel_format), time_base=time_base)
    filters = [
        graph.add(name, arguments) if isinstance(arguments, str) else graph.add(name, None, **arguments)
        for name, arguments in steps
    ]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph
