"""Message classes from a descriptor set, in a pool of their own."""

from __future__ import annotations

from importlib.resources import files

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessages


def load_messages(file: str, *, package: str, module: str) -> dict[str, type[Message]]:
    """The classes of a proto package's messages by their short names; `module` is where they will be found.

    Modules as protoc makes them share one pool, where every name exists once: beside such a module a service could
    load no stubs of its own of the same .proto, nor those of another version.
    """
    described = FileDescriptorSet.FromString(files(__package__).joinpath(file).read_bytes())
    found = {}
    for full_name, message in GetMessages(described.file, pool=DescriptorPool()).items():
        if full_name.startswith(f"{package}."):
            message.__module__ = module
            found[full_name.removeprefix(f"{package}.")] = message
    return found
