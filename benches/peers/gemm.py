"""INT8 products: onnxruntime (MLAS) and oneDNN, each as fast as its users can have it."""

import glob
import os
import sys

from ort import bound, session
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


def model(nodes, inputs, outputs, constants, domains):
    """A graph of `nodes`, its weights constant, so that the library lays them out beforehand."""
    onnx = package("onnx")
    graph = onnx.helper.make_graph(nodes, "rival", inputs, outputs, constants)
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in domains]
    made = onnx.helper.make_model(graph, opset_imports=opsets)
    made.ir_version = 10
    return made


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
        ).SerializeToString(),
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
        ).SerializeToString(),
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
