"""The blocking client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

import grpc

from chorus_client import requests
from chorus_client.calls import Calls
from chorus_client.connection import CHANNEL_OPTIONS, HEALTH_CHECK, Certificate, read_credentials
from chorus_client.files import Progress
from chorus_client.v1 import gateway_pb2 as pb
from chorus_client.v1.gateway_pb2_grpc import GatewayServiceStub


class Chorus:
    """An installation of Chorus; safe to share by threads. Close it, or use it in a `with` block.

    Calls that may be repeated without harm are, while errors may pass, for `deadline_seconds` in all. Transfers and
    watches go on where they stopped, as long as something comes within that time. What fails raises ChorusError.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        root_certificate: Certificate | None = None,
        client_certificate: tuple[Certificate, Certificate] | None = None,
        deadline_seconds: float = 60.0,
    ) -> None:
        """`address` is host:port of the gRPC door; with `root_certificate` (PEM) it is spoken to over TLS.

        `client_certificate` are the paths of a certificate and its key (PEM), for mutual TLS.
        """
        credentials = read_credentials(root_certificate, client_certificate)
        if credentials is None:
            self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, CHANNEL_OPTIONS)
        self._stub = GatewayServiceStub(self._channel)
        self._calls = Calls(self._stub, token, deadline_seconds)

    def __enter__(self) -> Chorus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every call and the connection."""
        self._channel.close()

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Be back when the installation answers that it serves; UNAVAILABLE or DEADLINE after `seconds`."""
        self._calls.wait_until_serving(self._channel.unary_unary(HEALTH_CHECK), seconds)

    def log_in(self, name: str, password: str) -> pb.Login:
        """Come in as somebody with a password there; from now on every call is theirs, in place of the token's.

        UNAUTHENTICATED for a wrong name or password, OVERLOADED after too many tries; tried once. The login ends by
        log_out, or after `seconds`, and not with this client; its key may be shown elsewhere as a token.
        """
        login = self._calls.call_once(self._stub.LogIn, pb.LogInRequest(name=name, password=password))
        self._calls.show(login.key)
        return login

    def log_out(self) -> None:
        """End that login, with all that is open for it; calls show the token again, if there was one.

        Nothing else happens when it had ended before, or never begun.
        """
        self._calls.log_out()

    def limits(self) -> pb.Limits:
        """What is accepted."""
        return self._calls.call(self._stub.GetLimits, pb.GetLimitsRequest())

    def upload(self, path: Path | str, *, name: str | None = None, progress: Progress | None = None) -> pb.Media:
        """Upload a file under its name, or another; goes on where it stopped when the connection breaks."""
        return self._calls.upload(Path(path), name, progress)

    def get_media(self, media_id: str) -> pb.Media:
        """One upload; NOT_FOUND when there is none."""
        return self._calls.call(self._stub.GetMedia, pb.GetMediaRequest(media_id=media_id))

    def list_media(self, *, kind: str = "", owner: str = "") -> Iterator[pb.Media]:
        """Uploads, the newest first; `kind` (video, audio, still) and `owner` leave only theirs.

        Read the list to its end before you delete any of it.
        """
        for answer in self._calls.pages(self._stub.ListMedia, pb.ListMediaRequest(kind=kind, owner=owner)):
            yield from answer.media

    def delete_media(self, media_id: str) -> None:
        """Forget an upload; CONFLICT while an unfinished job needs it."""
        self._calls.delete(self._stub.DeleteMedia, pb.DeleteMediaRequest(media_id=media_id))

    def download_media(self, media_id: str, path: Path | str, *, progress: Progress | None = None) -> None:
        """Write a recording as it was uploaded to `path`, which exists only when it is whole."""
        self._calls.download(self._stub.DownloadMedia, pb.DownloadMediaRequest(media_id=media_id), Path(path), progress)

    def preflight(self, media_id: str) -> pb.Preflight:
        """Look for the faces of an upload, and be back when that has ended; once for each content."""
        start = pb.StartPreflightRequest(media_id=media_id)
        preflight = self._calls.call(self._stub.StartPreflight, start)
        watch = pb.WatchPreflightRequest(media_id=media_id)
        for latest in self._calls.watch(self._stub.WatchPreflight, watch):
            preflight = latest
        return preflight

    def create_batch(
        self,
        audio_id: str,
        video_ids: Iterable[str],
        *,
        options: pb.RenderOptions | None = None,
        faces: Mapping[str, int] | None = None,
        priority: str = "normal",
        idempotency_key: str | None = None,
    ) -> pb.Batch:
        """One job for each video, all or none; `faces` are ranks of the face to use, by video id.

        `priority`: low, normal or high; of jobs that wait together, high gets two for each of normal, low half.

        The same key makes no second batch, also from another process; without one each call has its own.
        """
        request = requests.create_batch(audio_id, video_ids, options, faces, priority, idempotency_key)
        return self._calls.call(self._stub.CreateBatch, request)

    def get_batch(self, batch_id: str) -> pb.Batch:
        """A batch with its jobs."""
        return self._calls.call(self._stub.GetBatch, pb.GetBatchRequest(batch_id=batch_id))

    def list_batches(self) -> Iterator[pb.Batch]:
        """All batches without their jobs, the newest first. Read the list to its end before you delete any of it."""
        for answer in self._calls.pages(self._stub.ListBatches, pb.ListBatchesRequest()):
            yield from answer.batches

    def watch_batch(self, batch_id: str) -> Iterator[Sequence[pb.Job]]:
        """All jobs of a batch now and after each change, until all are finished."""
        for answer in self._calls.watch(self._stub.WatchBatch, pb.WatchBatchRequest(batch_id=batch_id)):
            yield answer.jobs

    def cancel_batch(self, batch_id: str) -> pb.Batch:
        """Cancel what is not finished."""
        return self._calls.call(self._stub.CancelBatch, pb.CancelBatchRequest(batch_id=batch_id))

    def get_job(self, job_id: str) -> pb.Job:
        """One job as it is now."""
        return self._calls.call(self._stub.GetJob, pb.GetJobRequest(job_id=job_id))

    def list_jobs(
        self,
        *,
        state: str = "",
        batch_id: str = "",
        name: str = "",
        owner: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[pb.Job]:
        """Jobs, the newest first: in one state, of one batch or owner, with a part of a name, created since .. until.

        Read the list to its end before you delete any of it.
        """
        request = requests.list_jobs(state, batch_id, name, owner, since, until)
        for answer in self._calls.pages(self._stub.ListJobs, request):
            yield from answer.jobs

    def watch_job(self, job_id: str) -> Iterator[pb.Job]:
        """A job now and after each change, until it is finished."""
        return self._calls.watch(self._stub.WatchJob, pb.WatchJobRequest(job_id=job_id))

    def cancel_job(self, job_id: str) -> pb.Job:
        """End a job; CONFLICT when it has finished. Tried once: after UNAVAILABLE look at the job."""
        return self._calls.call_once(self._stub.CancelJob, pb.CancelJobRequest(job_id=job_id))

    def retry_job(self, job_id: str) -> pb.Job:
        """Queue a failed or cancelled job again. Tried once: after UNAVAILABLE look at the job."""
        return self._calls.call_once(self._stub.RetryJob, pb.RetryJobRequest(job_id=job_id))

    def delete_job(self, job_id: str) -> None:
        """Remove a finished job and its output; CONFLICT before its end."""
        self._calls.delete(self._stub.DeleteJob, pb.DeleteJobRequest(job_id=job_id))

    def download_output(self, job_id: str, path: Path | str, *, progress: Progress | None = None) -> None:
        """Write a finished video to `path`, which exists only when it is whole."""
        self._calls.download(self._stub.DownloadOutput, pb.DownloadOutputRequest(job_id=job_id), Path(path), progress)

    def list_models(self) -> Sequence[pb.Model]:
        """The lip-sync methods; for admins, as all that follows."""
        return self._calls.call(self._stub.ListModels, pb.ListModelsRequest()).models

    def import_model(
        self, path: Path | str, *, name: str = "", licence: str = "", progress: Progress | None = None
    ) -> pb.ModelImport:
        """Import a Wav2Lip (.pth, TorchScript, safetensors, ONNX), and be back when that has ended, well or not.

        Without `name` it is called after its net; `licence` is shown wherever it can be chosen. `progress` hears of
        the upload, which goes on where it stopped.
        """
        found = self._calls.import_model(Path(path), name, licence, progress)
        for latest in self.watch_import(found.id):
            found = latest
        return found

    def list_imports(self) -> Sequence[pb.ModelImport]:
        """The newest imports first, a page of them."""
        return self._calls.call(self._stub.ListImports, requests.list_imports()).imports

    def watch_import(self, import_id: str) -> Iterator[pb.ModelImport]:
        """An import now and after each change, until it has ended."""
        return self._calls.watch(self._stub.WatchImport, pb.WatchImportRequest(import_id=import_id))

    def cancel_import(self, import_id: str) -> pb.ModelImport:
        """End an import; CONFLICT when it has ended. Tried once: after UNAVAILABLE look at the import."""
        return self._calls.call_once(self._stub.CancelImport, pb.CancelImportRequest(import_id=import_id))

    def remove_model(self, name: str) -> None:
        """Remove a method that was imported; jobs that still want it fail."""
        self._calls.delete(self._stub.RemoveModel, pb.RemoveModelRequest(name=name))
