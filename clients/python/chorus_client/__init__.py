"""A client of Chorus: one voice, many faces. `Chorus` blocks, `AsyncChorus` is the same for asyncio."""

from chorus_client.async_client import AsyncChorus
from chorus_client.client import Chorus
from chorus_client.errors import ChorusError, ErrorKind
from chorus_client.v1.gateway_pb2 import Batch, Job, Limits, Media, Model, ModelImport, Preflight, RenderOptions

__all__ = [
    "AsyncChorus",
    "Batch",
    "Chorus",
    "ChorusError",
    "ErrorKind",
    "Job",
    "Limits",
    "Media",
    "Model",
    "ModelImport",
    "Preflight",
    "RenderOptions",
]
