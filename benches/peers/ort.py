"""What rivals that run in onnxruntime have in common."""

import os

from worker import Request, package


def session(model, request: Request):
    """A session with as many threads as asked for, each on a core of its own. `model` is the
    bytes of one, or its file.

    With weights of eight bits it is told to take care where products of bytes saturate.
    """
    ort = package("onnxruntime")
    cores = request.cores()
    options = ort.SessionOptions()
    options.intra_op_num_threads = request.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    if request.kernel == "gemm-8bit":
        options.add_session_config_entry("session.x64quantprecision", "1")
    if request.threads > 1:
        # The caller is one of them; the library counts processors from 1.
        os.sched_setaffinity(0, cores[:1])
        others = ";".join(str(core + 1) for core in cores[1:])
        options.add_session_config_entry("session.intra_op_thread_affinities", others)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def bound(ready, feeds, outputs):
    """A call of a session that reads and writes the arrays given, without copies."""
    binding = ready.io_binding()
    for name, array in feeds.items():
        binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    for name, array in outputs.items():
        binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def run() -> None:
        ready.run_with_iobinding(binding)

    run.keeps = feeds, outputs  # The library has their addresses only.
    return run
