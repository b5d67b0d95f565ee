"""Every field that a client fills in over gRPC has a bound, so that a new one cannot be forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.gateway.rpc.checking import find_rule
from services.gateway.v1 import gateway_pb2 as pb

# Options have rules of their own (jobs/options.py), which the message is turned into.
_CHECKED_ELSEWHERE = {"RenderOptions"}
_ANY = (FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_BOOL)


def test_every_field_of_a_request_has_a_bound() -> None:
    requests = [method.input_type for method in pb.DESCRIPTOR.services_by_name["GatewayService"].methods]
    fields = {field.full_name: field for request in requests for field in _fields(request)}
    assert len(fields) > 40
    assert [name for name, field in fields.items() if find_rule(field) is None] == []


def _fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    for field in message.fields:
        nested = field.message_type
        if nested is not None and not nested.GetOptions().map_entry:
            if nested.name not in _CHECKED_ELSEWHERE:
                yield from _fields(nested)
        elif field.type not in _ANY:
            yield field
