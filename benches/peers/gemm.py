"""INT8 products: onnxruntime (MLAS) and oneDNN, each as fast as its users can have it."""

import glob
import os
import sys

from ort import bound, session
from worker import Prepared, Refusal, Request, package, random_bytes, rival, serve


def operands(request: Request):
    """What `tilewise_harness::gemm::Workload` multiplies; further weights for cold calls."""
    m, k, n = (request.shape[name] for name in "mkn")
    lhs = random_bytes(request.seed, 0, (m, k), "uint8")
    streams = range(1, request.copies + 1)
    return lhs, [random_bytes(request.seed, stream, (k, n), "int8") for stream in streams]


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
