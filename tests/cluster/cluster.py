"""The overlay `cpu` on one machine: real PostgreSQL, S3 and proxy, and a loop that does a kubelet's work."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import obstore
import sqlalchemy as sa
from obstore.store import S3Store

from services.local.settings import LocalSettings
from services.local.triton_runtime import find_runtime
from services.local.triton_server import triton_service
from tests.cluster.pod import Pod, local_environment, module_command
from tests.cluster.proxy import Proxy, running_proxy
from tests.contract.workloads import Workload, workloads
from tests.name_server import NameServer, name_server
from tests.real_servers import Bucket, Postgres, running_postgres, running_s3

OVERLAY: Final = "cpu"
TOKEN: Final = "a token of this test, long enough"
# In the order in which they need each other.
COMPONENTS: Final = ("triton", "preprocess", "api", "worker")
# A lock's number is halved in this view.
_BUSY_WORKERS: Final = sa.text(
    "SELECT DISTINCT pid FROM pg_locks, dbos.workflow_status WHERE locktype = 'advisory' AND status = 'PENDING'"
    " AND (classid::bigint << 32 | objid::bigint) = hashtextextended('chorus:worker:' || executor_id, 0)"
)
_LOOK_SECONDS: Final = 0.3
_READY_SECONDS: Final = 120
# What Triton is told of where things lie; all else it is told by the manifest.
_PLACES: Final = ("--model-repository", "--backend-directory", "--backend-config")


class Cluster:
    """Pods by component; its loop starts again what died and gives names and proxy the addresses that are ready."""

    def __init__(self, folder: Path, postgres: Postgres, bucket: Bucket, names: Mapping[str, NameServer]) -> None:
        self.postgres, self.bucket = postgres, bucket
        self.pods: dict[str, list[Pod]] = {component: [] for component in COMPONENTS}
        self._folder, self._names = folder, names
        self._database = postgres.new_database()
        self._made = 0
        self._ended = threading.Event()
        self._proxy: Proxy | None = None
        self._loop = threading.Thread(target=self._keep, name="kubelet", daemon=True)

    @property
    def proxy(self) -> Proxy:
        """The way in."""
        assert self._proxy is not None
        return self._proxy

    def open(self, proxy: Proxy) -> None:
        """Make the tables, two pods of each component, and wait until all are ready."""
        self._proxy = proxy
        self._run_migration()
        self._loop.start()
        for component in COMPONENTS:
            pods = [self.add(component), self.add(component)]
            for pod in pods:
                self.wait_until_ready(pod)

    def close(self) -> None:
        """Kill everything."""
        self._ended.set()
        self._loop.join(30)
        for pod in (pod for pods in self.pods.values() for pod in pods):
            pod.kill()

    def add(self, component: str) -> Pod:
        """One more pod, started."""
        workload = next(each for each in workloads(OVERLAY) if each.name == component)
        self._made += 1
        address = f"127.1.0.{self._made}"
        folder = self._folder / f"{component}-{self._made}"
        if component == "triton":
            pod = self._triton(workload, address, folder)
        else:
            pod = Pod(workload, address, folder, module_command(workload), self._environment(workload, address, folder))
        pod.start()
        self.pods[component] = [*self.pods[component], pod]
        return pod

    def wait_until_ready(self, pod: Pod) -> float:
        """Seconds until its probe has said so."""
        begun = time.monotonic()
        while not pod.was_ready:
            assert time.monotonic() - begun < _READY_SECONDS, pod.log.read_text()[-3000:]
            time.sleep(_LOOK_SECONDS)
        return time.monotonic() - begun

    def replace(self, pod: Pod) -> float:
        """As a rolling update does: one more, and when that is ready this one leaves; the seconds that this took."""
        component = pod.workload.name
        self.wait_until_ready(self.add(component))
        pod.is_leaving = True
        self._publish(component)
        seconds = pod.leave()
        self.pods[component] = [each for each in self.pods[component] if each is not pod]
        return seconds

    def sessions_of_busy_workers(self) -> list[int]:
        """PostgreSQL's process ids of the sessions whose lock shows that a worker with a job lives."""
        with self._administer() as connection:
            return list(connection.execute(_BUSY_WORKERS).scalars())

    def end_session(self, process_id: int) -> None:
        """As a network does that is cut."""
        with self._administer() as connection:
            assert connection.execute(sa.text("SELECT pg_terminate_backend(:id)"), {"id": process_id}).scalar_one()

    def output_keys(self) -> list[str]:
        """What lies in the bucket as an output."""
        store = S3Store("chorus", config=dict(self.bucket.environment))  # type: ignore[arg-type]
        return [each["path"] for page in obstore.list(store, "outputs") for each in page]

    @contextmanager
    def _administer(self) -> Iterator[sa.Connection]:
        address = sa.make_url(self._database).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(address, poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection

    def _run_migration(self) -> None:
        job = next(each for each in workloads(OVERLAY) if each.name == "migrate")
        scratch = self._folder / "migrate"
        scratch.mkdir(parents=True)
        environment = self._environment(job, "127.0.0.1", scratch)
        subprocess.run([*module_command(job)], env=environment, check=True, timeout=120)

    def _environment(self, workload: Workload, address: str, scratch: Path) -> dict[str, str]:
        users = self._folder / "users"
        users.touch()
        ours = {
            "CHORUS_DATABASE_URL": self._database,
            "CHORUS_TOKEN": TOKEN,
            "OTEL_SDK_DISABLED": "true",  # nothing here collects traces
            "CHORUS_USERS": str(users),
            **self.bucket.environment,
        }
        known = workload.variables.keys() | ({"AWS_ALLOW_HTTP"} if "AWS_ENDPOINT" in workload.variables else set())
        given = {name: value for name, value in ours.items() if name in known}
        return local_environment(workload, address, scratch, names=self._target, given=given)

    def _target(self, service: str, port: int) -> str:
        return self._names[service].target(service, port)

    def _triton(self, workload: Workload, address: str, folder: Path) -> Pod:
        """The embedded Triton in the place of the container's, with the arguments of the manifest."""
        settings = LocalSettings()
        folder.mkdir(parents=True)
        runtime = find_runtime(settings.triton_runtime)
        families = folder / "families"
        service = triton_service(
            runtime,
            settings.model_repository,
            settings.models,
            folder,
            families=families,
            engines=folder / "engines",
            port=1,
            metrics_port=1,
        )
        command = [service.command[0], *(each for each in service.command if each.startswith(_PLACES))]
        command += [each for each in workload.container["args"] if not each.startswith(_PLACES)]
        command += [f"--{name}-address={address}" for name in workload.ports]
        return Pod(workload, address, folder, command, service.environment, service.clear_leftovers)

    def _keep(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for component in COMPONENTS:
                for pod in self.pods[component]:
                    if pod.has_ended and not pod.is_leaving:
                        pod.start()
                    pod.was_ready = pod.is_ready()
                self._publish(component)

    def _publish(self, component: str) -> None:
        """Tell names or proxy where the component is ready, as far as it is known."""
        ready = [pod.address for pod in self.pods[component] if pod.was_ready and not pod.is_leaving]
        if component in self._names:
            self._names[component].addresses = ready
        elif component == "api":
            self.proxy.lead_to(ready)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Two pods of each component, ready, behind a proxy."""
    with ExitStack() as stack:
        postgres, bucket = stack.enter_context(running_postgres()), stack.enter_context(running_s3())
        names = {name: stack.enter_context(name_server()) for name in ("preprocess", "triton")}
        cluster = Cluster(folder, postgres, bucket, names)
        stack.callback(cluster.close)
        cluster.open(stack.enter_context(running_proxy(folder)))
        yield cluster
