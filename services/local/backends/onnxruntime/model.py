"""Triton backend "onnxruntime" on top of Triton's Python backend: runs <version>/model.onnx of any model.

It stands in for the native backend of the same name, so one config.pbtxt serves both. Runs inside Triton's stub,
where nothing of ours can be imported and NumPy must be 1.x. A config may ask for OpenVINO (openvino_session.py).
"""

import contextlib
import json
import resource
from pathlib import Path

import accelerators
import numpy as np
import onnxruntime
import openvino_session
import triton_python_backend_utils as triton

IMPORTED_BYTES = 8 << 30


class TritonPythonModel:
    """One instance of one model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        """Every config of ours is written out: nothing is guessed."""
        return auto_complete_model_config

    def initialize(self, args):
        """Load the model; what is wrong with it becomes the load error that Triton reports."""
        config = json.loads(args["model_config"])
        bound_imported(args)
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        asked = openvino_session.open_session(path, config, args)
        self.session = asked or accelerators.open_session(path, session_options(config), args, config)
        self.outputs = [output["name"] for output in config["output"]]
        self.inputs = [tensor["name"] for tensor in config["input"]]
        missing = set(self.inputs) ^ {tensor.name for tensor in self.session.get_inputs()}
        missing |= set(self.outputs) - {tensor.name for tensor in self.session.get_outputs()}
        if missing:
            raise triton.TritonModelException(f"{path} and its config.pbtxt differ in {', '.join(sorted(missing))}")
        self.record = tell(args["model_name"], asked.engine if asked else accelerators.engine(config, self.session))

    def finalize(self):
        """The model is dropped: nobody computes it any more, unless it was loaded anew, and that has told its own."""
        path, number = self.record
        with contextlib.suppress(OSError):
            if path.stat().st_ino == number:
                path.unlink()

    def execute(self, requests):
        """Answer each request, all by one run; Triton hands over only requests of equal shapes together.

        An error is the answer to every one of them.
        """
        try:
            answers = self.run([self.read(request) for request in requests])
        except Exception as error:
            return [triton.InferenceResponse([], triton.TritonError(str(error))) for _ in requests]
        return [
            triton.InferenceResponse(
                [triton.Tensor(name, array) for name, array in zip(self.outputs, arrays, strict=True)]
            )
            for arrays in answers
        ]

    def read(self, request):
        """The input arrays of a request by name."""
        return {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}

    def run(self, batch):
        """The output arrays of each request of the batch."""
        if len(batch) == 1:
            return [self.session.run(self.outputs, batch[0])]
        joined = {name: np.concatenate([arrays[name] for arrays in batch]) for name in self.inputs}
        ends = np.cumsum([len(arrays[self.inputs[0]]) for arrays in batch])[:-1]
        return zip(*(np.split(array, ends) for array in self.session.run(self.outputs, joined)), strict=True)


def session_options(config):
    """One thread a session unless the config's `intra_op_thread_count` says more; never spinning.

    Spinning threads cost 50 % more CPU when stages run side by side.
    """
    threads = accelerators.parameter(config, "intra_op_thread_count") or "1"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def bound_imported(args):
    """Whatever sound it is given, a net that a user imported takes no more memory than that: more is an error.

    Each model has a process of its own. On a GPU the libraries reserve more than they use, and nothing is bounded; nor
    is a MuseTalk, whose graph is ours and does the same whatever its weights are, but needs that much.
    """
    on_gpu = args["model_instance_kind"] == "GPU" and accelerators.variable("CHORUS_MODEL_ENGINE") != "cpu"
    manifest = Path(args["model_repository"]) / "family.json"
    if not on_gpu and manifest.exists() and json.loads(manifest.read_text()).get("method") != "musetalk":
        resource.setrlimit(resource.RLIMIT_DATA, (IMPORTED_BYTES, IMPORTED_BYTES))


def tell(model, found):
    """Log what computes `model`, and leave it in a file for those who show it; the file and its number on the disk."""
    accelerators.say(f"{model} is computed by {', '.join(found.values())}")
    path = Path(accelerators.variable("CHORUS_ENGINES") or "/nonexistent") / f"{model}.json"
    draft = path.with_suffix(".new")
    try:
        draft.write_text(json.dumps(found))
        number = draft.stat().st_ino
        draft.replace(path)
    except OSError:  # nowhere to leave it, or a full disk: the model serves all the same
        return path, 0
    return path, number
