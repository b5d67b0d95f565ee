"""The heads of a TFLite graph as one network of that many groups.

A head of the attention mesh is forty small operators, which take longer to begin than to compute: five heads side by
side take hardly longer than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.tflite_reader import Operator, TfliteGraph

_CHANNELS: Final = -1


@dataclass(frozen=True, slots=True)
class _Head:
    """A chain of operators."""

    start: int
    """The tensor that it reads"""
    operators: tuple[Operator, ...]


class JoinedHeads:
    """Read as a TfliteGraph is; channels of the heads' tensors lie one head after the other."""

    def __init__(self, graph: TfliteGraph, begin: str, ends: Sequence[str]) -> None:
        """Each head leads from an operator of the kind `begin` to the tensor called as `ends` says.

        ValueError when they are not alike.
        """
        self.inputs, self.outputs, self.name = graph.inputs, graph.outputs, graph.name
        self._graph = graph
        self._joined: list[tuple[tuple[int, ...], int]] = []
        """Tensors of all heads, and the axis along which they are joined; their numbers are -1, -2 and so on"""
        heads = [_head(graph, begin, end) for end in ends]
        steps = {step[-1].outputs: step for step in zip(*(head.operators for head in heads), strict=True)}
        self._starts = tuple(head.start for head in heads)
        self._ends = tuple(head.operators[-1].outputs[0] for head in heads)
        self.operators = tuple(self._rewritten(steps, {each.outputs for head in heads for each in head.operators}))

    def shape(self, number: int) -> tuple[int, ...]:
        """As TfliteGraph.shape."""
        if number >= 0:
            return self._graph.shape(number)
        parts, _ = self._joined[-1 - number]
        shapes = [self._graph.shape(part) for part in parts]
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def weight(self, number: int) -> NDArray[np.generic]:
        """As TfliteGraph.weight."""
        if number >= 0:
            return self._graph.weight(number)
        parts, axis = self._joined[-1 - number]
        return np.concatenate([self._graph.weight(part) for part in parts], axis)

    def _rewritten(
        self, steps: dict[tuple[int, ...], tuple[Operator, ...]], inside: set[tuple[int, ...]]
    ) -> Iterator[Operator]:
        """The graph's operators; where the last head's comes, all of them come as one."""
        first, *_, last = steps
        for operator in self._graph.operators:
            if operator.outputs in steps:
                if operator.outputs == first:
                    yield Operator("CONCATENATION", self._starts, (self._join(self._starts, _CHANNELS),), None)
                yield self._step(steps[operator.outputs])
                if operator.outputs == last:
                    yield Operator("SPLIT", (self._join(self._ends, _CHANNELS),), self._ends, None)
            elif operator.outputs not in inside:
                yield operator

    def _step(self, operators: tuple[Operator, ...]) -> Operator:
        """Operators of all heads as one."""
        first = operators[0]
        if len({(each.kind, len(each.inputs), self._graph.shape(each.outputs[0])) for each in operators}) > 1:
            message = f"heads are not alike: {', '.join(each.kind for each in operators)}"
            raise ValueError(message)
        inputs = [
            self._join(parts, 0 if first.kind == "CONV_2D" and place == 1 else _CHANNELS)
            for place, parts in enumerate(zip(*(each.inputs for each in operators), strict=True))
        ]
        if first.kind == "PAD":
            inputs[1] = first.inputs[1]
        outputs = self._join(tuple(each.outputs[0] for each in operators), _CHANNELS)
        return Operator(first.kind, tuple(inputs), (outputs,), first.flatbuffer, groups=len(operators))

    def _join(self, parts: tuple[int, ...], axis: int) -> int:
        """Number of the tensor that stands for those of all heads."""
        if (parts, axis) not in self._joined:
            self._joined.append((parts, axis))
        return -1 - self._joined.index((parts, axis))


def _head(graph: TfliteGraph, begin: str, end: str) -> _Head:
    """What leads from an operator of the kind `begin` to the tensor called `end`."""
    needed = {next(each.outputs[0] for each in graph.operators if graph.name(each.outputs[0]) == end)}
    chain: list[Operator] = []
    for operator in reversed(graph.operators):
        if operator.is_weight or operator.outputs[0] not in needed:
            continue
        if operator.kind == begin:
            return _Head(operator.outputs[0], tuple(reversed(chain)))
        chain.append(operator)
        needed |= set(operator.inputs)
    message = f"no {begin} leads to {end}"
    raise ValueError(message)
