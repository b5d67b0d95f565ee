"""What computes a model: the best that is asked for and there, and the plans that TensorRT makes of it.

Beside model.py in Triton's stub, where nothing of ours can be imported.
"""

import hashlib
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
DEVICES = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT", "OpenVINOExecutionProvider": "OpenVINO"}
WORKSPACE_BYTES = 1 << 30
TYPES = {"TYPE_UINT8": np.uint8, "TYPE_FP32": np.float32}


def open_session(path, options, args, config):
    """The model's session, warm where TensorRT has to make plans.

    Where nobody asked for TensorRT by name, a net that it does not take is computed by CUDA. RuntimeError when the
    engine that was asked for by name (CHORUS_MODEL_ENGINE) is not what the library took.
    """
    asked = variable("CHORUS_MODEL_ENGINE") or "auto"
    chosen = providers(args, config, asked, path)
    try:
        session = session_of(path, options, chosen)
        make_plans(session, config)
    except Exception as error:
        if asked != "auto" or name_of(chosen[0]) != TENSORRT:
            raise
        say(f"{args['model_name']} is not computed by TensorRT: {' '.join(str(error).split())}")
        session = session_of(path, options, chosen[1:])
    check(session, config, asked)
    return session


def session_of(path, options, chosen):
    """Without the library's own falling back, which would also happen in the middle of a job, and tells nobody."""
    return onnxruntime.InferenceSession(str(path), options, providers=chosen, enable_fallback=0)


def providers(args, config, asked, path):
    """What may compute this instance, the best first; the CPU stands behind all.

    Triton says whether it has a GPU, `tensorrt` in the config whether the net is for TensorRT and with which numbers.
    """
    chosen = [CPU]
    there = onnxruntime.get_available_providers()
    if args["model_instance_kind"] != "GPU" or asked == "cpu":
        return chosen
    device = args["model_instance_device_id"]
    if CUDA in there:
        chosen.insert(0, (CUDA, {"device_id": device}))
    plans = variable("CHORUS_PLANS")
    if parameter(config, "tensorrt") and asked != "cuda" and TENSORRT in there and plans:
        folder = plan_folder(Path(plans), args["model_name"], path, device)
        chosen.insert(0, (TENSORRT, tensorrt_options(config, folder, device)))
    return chosen


def tensorrt_options(config, folder, device):
    """ONNX Runtime's options for TensorRT with plans in `folder`."""
    return {
        "device_id": device,
        "trt_fp16_enable": parameter(config, "tensorrt") == "FP16",
        "trt_max_workspace_size": WORKSPACE_BYTES,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
    }


def plan_folder(root, model, path, device):
    """Where this net's plans lie; those of an earlier net of the same name are removed.

    ONNX Runtime names a plan by the names in the graph and not by its weights: two nets of one make would share it.
    """
    with path.open("rb") as file:
        net = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    folder = root / model / net / f"device-{device}"
    folder.mkdir(parents=True, exist_ok=True)
    for other in (root / model).iterdir():
        if other.name != net:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def make_plans(session, config):
    """With TensorRT: run the most and the fewest rows that a request may bring, for which a plan is made, or read.

    A plan is for the shapes that were seen; one that it does not cover would be made again in the middle of a job.
    """
    if session.get_providers()[0] != TENSORRT:
        return
    for rows in (config["max_batch_size"], 1):
        session.run(None, {each["name"]: zeros(each, rows) for each in config["input"]})


def zeros(tensor, rows):
    """An input of the config, empty."""
    return np.zeros((rows, *map(int, tensor["dims"])), TYPES[tensor["data_type"]])


def check(session, config, asked):
    """RuntimeError when it is not what was asked for by name: without a driver the library takes the processor."""
    taken = session.get_providers()[0]
    wanted = TENSORRT if asked == "tensorrt" and parameter(config, "tensorrt") else CUDA
    if asked in ("cuda", "tensorrt") and taken != wanted:
        raise RuntimeError(
            f"CHORUS_MODEL_ENGINE={asked} asks for {DEVICES[wanted]}, and ONNX Runtime took "
            f"{DEVICES.get(taken, taken)}: is there a GPU with its driver, and was `install-triton --gpu` run?"
        )


def engine(config, session):
    """What computes a model: the library, its device, and the numbers that it computes with."""
    first = session.get_providers()[0]
    half = first == TENSORRT and parameter(config, "tensorrt") == "FP16"
    # A file for bfloat16 has floats, which OpenVINO alone shortens.
    precision = (parameter(config, "precision") or "float32").replace("bfloat16", "float32")
    return {
        "runtime": f"ONNX Runtime {onnxruntime.__version__}",
        "device": DEVICES.get(first, first),
        "precision": "float16" if half else precision,
    }


def parameter(config, key):
    """One of the parameters of a model's config; empty when it has none of that name."""
    return config.get("parameters", {}).get(key, {}).get("string_value", "")


def name_of(provider):
    """Of a provider with or without options."""
    return provider if isinstance(provider, str) else provider[0]


def variable(name):
    """Of the environment; no settings class can be imported here."""
    return os.environ.get(name, "")  # noqa: TID251


def say(message):
    """One line of the log."""
    record = {"time": datetime.now(UTC).isoformat(), "level": "INFO", "logger": "engine", "message": message}
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()
