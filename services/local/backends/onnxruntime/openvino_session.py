"""A session of OpenVINO, with the methods of ONNX Runtime's that model.py calls, for configs that ask for one.

Runs inside Triton's stub; services/importing/openvino.py measures with the same properties.
"""

from types import SimpleNamespace

import accelerators

# One stream in the caller's thread, on whatever core the system gives it.
PROPERTIES = {"NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


def open_session(path, config, args):
    """The session of the model at `path` where its config's parameter `library` says openvino and that is installed.

    None: what accelerators.py chooses shall compute it, a GPU above all.
    """
    asked = accelerators.variable("CHORUS_MODEL_ENGINE") or "auto"
    on_cpu = asked == "cpu" or (asked == "auto" and args["model_instance_kind"] != "GPU")
    if accelerators.parameter(config, "library") != "openvino" or not on_cpu:
        return None
    try:
        import openvino
    except ImportError:
        accelerators.say(f"OpenVINO is not installed: ONNX Runtime computes {args['model_name']} instead")
        return None
    threads = int(accelerators.parameter(config, "intra_op_thread_count") or "1")
    return Session(openvino, path, threads, accelerators.parameter(config, "precision") or "float32")


class Session:
    """One model, and the one request that it computes at a time."""

    def __init__(self, openvino, path, threads, precision):
        core = openvino.Core()
        short = precision != "float32" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        given = {**PROPERTIES, "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16" if short else "f32"}
        self.compiled = core.compile_model(core.read_model(path), "CPU", given)
        self.request = self.compiled.create_infer_request()
        self.engine = {
            "runtime": f"OpenVINO {openvino.__version__.partition('-')[0]}",
            "device": "CPU",
            "precision": precision if short or precision == "int8" else "float32",
        }

    def get_inputs(self):
        """Each has a name."""
        return [SimpleNamespace(name=each.any_name) for each in self.compiled.inputs]

    def get_outputs(self):
        """Each has a name."""
        return [SimpleNamespace(name=each.any_name) for each in self.compiled.outputs]

    def run(self, outputs, inputs):
        """The arrays of the outputs, which are the caller's to keep."""
        answer = self.request.infer(inputs)
        return [answer[name] for name in outputs]
