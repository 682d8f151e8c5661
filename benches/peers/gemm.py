"""INT8 products: onnxruntime (MLAS) and oneDNN, each as fast as its users can have it."""

import glob
import os
import sys

from worker import Prepared, Refusal, Request, package, random_bytes, random_floats, rival, serve


def weights(request: Request, stream: int):
    """Of seven bits, but for the kernel whose name says eight: `gemm_rivals/operands.rs` says why."""
    k, n = request.shape["k"], request.shape["n"]
    drawn = random_bytes(request.seed, stream, (k, n), "int8")
    return drawn if request.kernel == "gemm-8bit" else drawn >> 1


def operands(request: Request):
    """What the runner multiplies; further weights for cold calls."""
    m, k = request.shape["m"], request.shape["k"]
    lhs = random_bytes(request.seed, 0, (m, k), "uint8")
    return lhs, [weights(request, stream) for stream in range(1, request.copies + 1)]


def session(model, request: Request):
    """A session with as many threads as asked for, each on a core of its own.

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
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def model(nodes, inputs, outputs, constants, domains):
    """A graph of `nodes`, its weights constant, so that the library lays them out beforehand."""
    onnx = package("onnx")
    graph = onnx.helper.make_graph(nodes, "rival", inputs, outputs, constants)
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in domains]
    made = onnx.helper.make_model(graph, opset_imports=opsets)
    made.ir_version = 10
    return made


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


@rival("onnxruntime")
def matmul_integer(request: Request) -> Prepared:
    """One product, or a model of as many as there are weights."""
    numpy, onnx, ort = package("numpy"), package("onnx"), package("onnxruntime")
    make, types = onnx.helper, onnx.TensorProto
    lhs, weights = operands(request)
    m, k = lhs.shape
    n = weights[0].shape[1]
    names = [str(index) for index in range(len(weights))]
    ready = session(
        model(
            [make.make_node("MatMulInteger", ["lhs", "b" + i], ["out" + i]) for i in names],
            [make.make_tensor_value_info("lhs", types.UINT8, [m, k])],
            [make.make_tensor_value_info("out" + i, types.INT32, [m, n]) for i in names],
            [onnx.numpy_helper.from_array(b, "b" + i) for i, b in zip(names, weights)],
            [("", 21)],
        ),
        request,
    )
    outs = {"out" + i: numpy.zeros((m, n), numpy.int32) for i in names}
    return Prepared(
        call=bound(ready, {"lhs": lhs}, outs),
        calls=len(weights),
        result=lambda: outs["out0"],
        title="onnxruntime MatMulInteger",
        version=ort.__version__,
        dtype="u8 x i8 -> i32",
        timed="a session run from Python with bound row-major arrays; weights laid out beforehand",
    )


@rival("onnxruntime-linear")
def dynamic_quantize_matmul(request: Request) -> Prepared:
    """The fused layer: floats in, quantised over their range, floats with a bias out."""
    numpy, onnx, ort = package("numpy"), package("onnx"), package("onnxruntime")
    make, types = onnx.helper, onnx.TensorProto
    m, k, n = (request.shape[name] for name in "mkn")
    # Streams and formulas are those of `gemm_rivals/linear.rs`.
    half, one = numpy.float32(0.5), numpy.float32(1)
    x = random_floats(request.seed, 0, (m, k)) - half
    scales = (random_floats(request.seed, 1 << 20, (n,)) + one) / numpy.float32(1024)
    bias = random_floats(request.seed, (1 << 20) + 1, (n,)) - half
    constants = {"b": weights(request, 1), "scales": scales, "bias": bias}
    ready = session(
        model(
            [
                make.make_node(
                    "DynamicQuantizeMatMul",
                    ["x", "b", "scales", "", "bias"],
                    ["y"],
                    domain="com.microsoft",
                )
            ],
            [make.make_tensor_value_info("x", types.FLOAT, [m, k])],
            [make.make_tensor_value_info("y", types.FLOAT, [m, n])],
            [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
            [("", 21), ("com.microsoft", 1)],
        ),
        request,
    )
    out = numpy.zeros((m, n), numpy.float32)
    return Prepared(
        call=bound(ready, {"x": x}, {"y": out}),
        result=lambda: out,
        title="onnxruntime DynamicQuantizeMatMul",
        version=ort.__version__,
        dtype="f32 -> u8 of one scale x i8 -> f32",
        timed="a session run from Python with bound row-major arrays; weights laid out beforehand",
    )


@rival("onednn")
def onednn(request: Request) -> Prepared:
    """The matmul primitive with weights in the layout of its own choice."""
    numpy = package("numpy")
    cores = request.cores()
    os.environ["OMP_NUM_THREADS"] = str(request.threads)
    if request.threads > 1:
        os.environ["OMP_PROC_BIND"] = "true"
        os.environ["OMP_PLACES"] = ",".join("{%d}" % core for core in cores)
    from onednn import Library

    found = sorted(glob.glob(os.path.join(sys.prefix, "lib", "libdnnl.so.*.*")))
    if not found:
        raise Refusal(
            "libdnnl.so is not in this Python's environment; install the packages: "
            f"{sys.executable} -m pip install -r benches/peers/requirements.txt"
        )
    library = Library(found[-1])
    lhs, weights = operands(request)
    out = numpy.zeros((lhs.shape[0], weights[0].shape[1]), numpy.int32)
    spare = numpy.zeros_like(out)
    product = library.matmul(lhs, weights, [out] + [spare] * (len(weights) - 1))
    return Prepared(
        call=product,
        calls=len(weights),
        result=lambda: out,
        title="oneDNN matmul",
        version=library.version,
        dtype="u8 x i8 -> i32",
        timed="a primitive executed from Python on row-major arrays; weights laid out beforehand",
    )


if __name__ == "__main__":
    serve()
