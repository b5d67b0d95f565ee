"""The messages of gateway.proto, as gateway_pb2.pyi lists them; see descriptors.py for why protoc does not make this."""

from chorus_client.v1.descriptors import load_messages

globals().update(load_messages("gateway.binpb", package="chorus.gateway.v1", module=__name__))
