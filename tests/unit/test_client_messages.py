"""The client's messages and the server's: one .proto, two classes, in one process."""

from __future__ import annotations

import copy
import pickle

from google.protobuf.json_format import MessageToDict

from chorus_client import Job
from chorus_client.v1 import gateway_pb2 as pb
from services.gateway.v1 import gateway_pb2 as server_pb


def test_they_lie_beside_each_other_and_say_the_same() -> None:
    job = Job(id="a.0", state="failed", error=pb.JobError(code="no-face"))
    job.error.values.update({"name": "两.mp4", "number": 2})
    theirs = server_pb.Job.FromString(job.SerializeToString())
    assert not isinstance(job, server_pb.Job)
    assert MessageToDict(theirs) == MessageToDict(job)
    assert dict(job.error.values) == {"name": "两.mp4", "number": 2}


def test_they_can_be_copied_and_sent_to_another_process() -> None:
    job = Job(id="a.0", progress=pb.Progress(frames_done=3))
    assert pickle.loads(pickle.dumps(job)) == copy.deepcopy(job) == job


def test_every_message_of_the_proto_is_there() -> None:
    assert [name for name in server_pb.DESCRIPTOR.message_types_by_name if not hasattr(pb, name)] == []
