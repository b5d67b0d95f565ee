"""Every panel of the dashboard: what is asked of Prometheus, and how it is shown. Throughput first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` names its series by their labels."""

    expression: str
    legend: str

    @property
    def has_exemplars(self) -> bool:
        """Dots that lead to a trace: our histograms' buckets have them."""
        return re.search(r"\bchorus_\w+_bucket\b", self.expression) is not None


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph over time."""

    title: str
    unit: str
    """As Grafana names it"""
    queries: Sequence[Query]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


def _rate(metric: str, by: str = "") -> str:
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}[$__rate_interval]))"


def _increase(metric: str, by: str) -> str:
    return f"sum by ({by}) (increase({metric}[$__rate_interval]))"


def _mean(histogram: str, by: str) -> str:
    return f"{_rate(f'{histogram}_sum', by)} / {_rate(f'{histogram}_count', by)}"


def _quantile(quantile: float, histogram: str, by: str) -> str:
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({quantile}, {_rate(f'{histogram}_bucket', labels)})"


def _ratio(part: str, whole: str, scale: str = "") -> str:
    """Of one counter of Triton's to another, by model."""
    return f"{_rate(part, 'model')}{scale and f' / {scale}'} / {_rate(whole, 'model')}"


THROUGHPUT = Row(
    "Throughput",
    [
        Panel(
            "Videos per hour",
            "none",
            [Query(f'3600 * {_rate("""chorus_jobs_finished_total{outcome="succeeded"}""")}', "videos per hour")],
            "Outputs that were published.",
        ),
        Panel(
            "Frames per second",
            "none",
            [
                Query(_rate("chorus_rendered_frames_total"), "rendered"),
                Query(_rate("chorus_analysed_frames_total"), "analysed"),
            ],
            "All workers and all preprocess together.",
        ),
        Panel(
            "Real-time factor",
            "none",
            [
                Query(
                    f"{_rate('chorus_rendered_video_seconds_total')} / {_rate('chorus_render_duration_seconds_sum')}",
                    "of one render",
                ),
                Query(_rate("chorus_rendered_video_seconds_total"), "of all together"),
            ],
            "Seconds of output per second: above 1 it is faster than the video plays.",
        ),
        Panel("Age of the oldest queued job", "s", [Query("max(chorus_queue_oldest_age_seconds)", "age")]),
        Panel(
            "Jobs queued and running",
            "none",
            [Query('max by (state) (chorus_jobs{state=~"queued|running"})', "{{state}}")],
        ),
        Panel(
            "Worker slots",
            "none",
            [Query("sum(chorus_worker_slots_busy)", "busy"), Query("sum(chorus_worker_slots)", "all")],
            "All busy while jobs wait: more workers render more.",
        ),
    ],
)

STAGES = Row(
    "Stages",
    [
        Panel(
            "Seconds of a render in each stage",
            "s",
            [Query(_mean("chorus_stage_duration_seconds", "stage"), "{{stage}}")],
            "Means. faces and synthesise run beside decode, composite and encode.",
        ),
        Panel(
            "Job in a worker's hands",
            "s",
            [
                Query(_quantile(0.5, "chorus_job_duration_seconds", ""), "half"),
                Query(_quantile(0.95, "chorus_job_duration_seconds", ""), "19 in 20"),
            ],
        ),
        Panel(
            "Analysis of a video or a recording",
            "s",
            [Query(_quantile(0.9, "chorus_analysis_duration_seconds", "kind"), "{{kind}}, 9 in 10")],
        ),
        Panel(
            "Analyses that were found stored",
            "percentunit",
            [
                Query(
                    _rate('chorus_cache_lookups_total{result="hit"}', "kind")
                    + " / "
                    + _rate("chorus_cache_lookups_total", "kind"),
                    "{{kind}}",
                )
            ],
        ),
        Panel(
            "Bytes in and out",
            "Bps",
            [
                Query(_rate("chorus_uploaded_bytes_total"), "uploaded"),
                Query(_rate("chorus_published_bytes_total"), "published"),
                Query(_rate("chorus_downloaded_bytes_total"), "downloaded"),
            ],
        ),
        Panel("Uploads per hour", "none", [Query(f"3600 * {_rate('chorus_uploads_total')}", "uploads per hour")]),
    ],
)

TRITON = Row(
    "Triton",
    [
        Panel(
            "Latency of a call, 19 in 20",
            "s",
            [Query(_quantile(0.95, "chorus_inference_duration_seconds", "model"), "{{model}}")],
            "As the client sees it: network and Triton's queue included.",
        ),
        Panel("Calls per second", "reqps", [Query(_rate("chorus_inferences_total", "model"), "{{model}}")]),
        Panel("Rows of a call", "none", [Query(_mean("chorus_inference_batch_size", "model"), "{{model}}")]),
        Panel(
            "Batch efficiency: rows of an execution",
            "none",
            [
                Query(
                    f"{_rate('nv_inference_count', 'model')} / {_rate('nv_inference_exec_count', 'model')}", "{{model}}"
                )
            ],
            "Above the rows of a call, Triton puts calls together.",
        ),
        Panel(
            "Time in Triton's queue",
            "s",
            [Query(_ratio("nv_inference_queue_duration_us", "nv_inference_request_success", "1e6"), "{{model}}")],
            "Mean of a request.",
        ),
        Panel(
            "Computing of an execution",
            "s",
            [Query(_ratio("nv_inference_compute_infer_duration_us", "nv_inference_exec_count", "1e6"), "{{model}}")],
        ),
        Panel("GPU utilisation", "percentunit", [Query("avg by (gpu_uuid) (nv_gpu_utilization)", "{{gpu_uuid}}")]),
        Panel(
            "GPU memory in use",
            "percentunit",
            [
                Query(
                    "max by (gpu_uuid) (nv_gpu_memory_used_bytes) / max by (gpu_uuid) (nv_gpu_memory_total_bytes)",
                    "{{gpu_uuid}}",
                )
            ],
        ),
    ],
)

ERRORS = Row(
    "Errors",
    [
        Panel(
            "Failed jobs by kind",
            "none",
            [Query(_increase("chorus_job_failures_total", "kind"), "{{kind}}")],
            "no_face and invalid_input are the files', the others ours.",
        ),
        Panel(
            "Tries by what made them necessary",
            "none",
            [Query(_increase("chorus_job_attempts_total", "cause"), "{{cause}}")],
            "worker_died: take-overs; worker_drained: handed back by a worker that was stopped.",
        ),
        Panel("REST answers by code", "reqps", [Query(_rate("chorus_http_requests_total", "code"), "{{code}}")]),
        Panel(
            "gRPC calls by status",
            "reqps",
            [Query(_rate("chorus_grpc_requests_total", "job, code"), "{{job}} {{code}}")],
        ),
        Panel(
            "Refusals by code",
            "reqps",
            [Query(_rate("chorus_refusals_total", "kind, code"), "{{kind}}: {{code}}")],
            "overloaded: quotas.",
        ),
        Panel(
            "REST until the first byte, 19 in 20",
            "s",
            [Query(_quantile(0.95, "chorus_http_response_start_seconds", ""), "all routes")],
        ),
    ],
)

TENANTS = Row(
    "Tenants",
    [
        Panel(
            "Jobs asked for, per hour",
            "none",
            [Query(f"3600 * {_rate('chorus_jobs_created_total', 'owner')}", "{{owner}}")],
        ),
        Panel(
            "Video asked for, seconds per second",
            "none",
            [Query(_rate("chorus_requested_video_seconds_total", "owner"), "{{owner}}")],
            "What this adds up to must be below the real-time factor of all together.",
        ),
        Panel("Bytes uploaded", "Bps", [Query(_rate("chorus_uploaded_bytes_total", "owner"), "{{owner}}")]),
    ],
)

PROCESSES = Row(
    "Processes",
    [
        Panel(
            "Memory",
            "bytes",
            [Query('max by (job) (process_resident_memory_bytes{job=~"chorus-.+"})', "{{job}}, the largest")],
            "A worker's render children come on top.",
        ),
        Panel(
            "CPU",
            "none",
            [Query(_rate('process_cpu_seconds_total{job=~"chorus-.+"}', "job"), "{{job}}")],
            "Cores. A worker's render children come on top.",
        ),
        Panel(
            "Room left",
            "bytes",
            [
                Query("min by (job, place) (chorus_disk_free_bytes)", "{{job}} {{place}}"),
                Query("max(chorus_disk_least_free_bytes)", "below it nothing new is taken"),
            ],
        ),
        Panel(
            "Restarts of containers",
            "none",
            [
                Query(
                    'sum by (container) (increase(kube_pod_container_status_restarts_total{namespace="chorus"}[1h]))',
                    "{{container}}",
                )
            ],
            "From kube-state-metrics.",
        ),
    ],
)

ROWS = (THROUGHPUT, STAGES, TRITON, ERRORS, TENANTS, PROCESSES)
