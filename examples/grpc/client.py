"""A client made from gateway.proto alone: uploads a recording and a video, follows the job, fetches the output.

    mkdir stubs
    python -m grpc_tools.protoc -I services/gateway/v1 --python_out=stubs --grpc_python_out=stubs gateway.proto
    PYTHONPATH=stubs python examples/grpc/client.py 127.0.0.1:7861 speech.wav face.mp4 out.mp4

In Python chorus-client (clients/python) does the same with less, and goes on after broken connections.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import gateway_pb2 as pb
import grpc
from gateway_pb2_grpc import GatewayServiceStub


def pieces(upload: pb.ResumableUpload, path: Path) -> Iterator[pb.AppendUploadRequest]:
    """Where the upload goes on, and what is missing of it."""
    yield pb.AppendUploadRequest(place=pb.UploadPlace(upload_id=upload.id, offset=upload.offset))
    with path.open("rb") as file:
        file.seek(upload.offset)
        while content := file.read(1 << 20):
            yield pb.AppendUploadRequest(content=content)


def main() -> None:
    """The whole way of one video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="host:port of the gRPC door")
    for name in ("audio", "video", "output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--token", default="")
    given = parser.parse_args()
    metadata = [("authorization", f"Bearer {given.token}")]

    with grpc.insecure_channel(given.address) as channel:
        chorus = GatewayServiceStub(channel)

        def send(path: Path) -> str:
            request = pb.CreateUploadRequest(name=path.name, length=path.stat().st_size)
            upload = chorus.CreateUpload(request, metadata=metadata)
            chorus.AppendUpload(pieces(upload, path), metadata=metadata)
            return str(chorus.FinishUpload(pb.FinishUploadRequest(upload_id=upload.id), metadata=metadata).id)

        request = pb.CreateBatchRequest(audio_id=send(given.audio), video_ids=[send(given.video)])
        batch = chorus.CreateBatch(request, metadata=metadata)
        for job in chorus.WatchJob(pb.WatchJobRequest(job_id=batch.jobs[0].id), metadata=metadata):
            print(job.state, job.progress.stage, job.progress.frames_done)
        if job.state != "succeeded":
            raise SystemExit(job.error.message or job.state)
        with given.output.open("wb") as file:
            for part in chorus.DownloadOutput(pb.DownloadOutputRequest(job_id=job.id), metadata=metadata):
                file.write(part.content)


if __name__ == "__main__":
    main()
