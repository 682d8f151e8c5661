"""BERT encoders: torch, onnxruntime and OpenVINO, in f32 and in INT8, each as fast as its users can
have it.

The model is a folder in Hugging Face's layout that the runner has written, target/peers/bert/NAME;
what is made of it (graphs, quantised weights) stays there for the next time. The shape names the
model and the case; CASE.json beside the model has the token numbers, batch by batch. A call runs all
batches; those of unequal sequences are padded to their longest, as these libraries want it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import bert_graph
import ort
from worker import Prepared, Request, package, rival, serve

MODELS = Path(__file__).resolve().parents[2] / "target" / "peers" / "bert"


@dataclass
class Batch:
    """Sequences as a matrix, and how much of each row is real."""

    ids: object
    lengths: object

    @property
    def mask(self):
        numpy = package("numpy")
        return (numpy.arange(self.ids.shape[1]) < self.lengths[:, None]).astype(numpy.int64)

    def real(self, states):
        """The states of real tokens."""
        return states[self.mask.astype(bool)]


class Work:
    """A request's model and batches."""

    def __init__(self, request: Request):
        self.request, self.folder = request, MODELS / request.shape["model"]
        self.int8 = request.kernel == "bert-int8"
        self.config = json.loads((self.folder / "config.json").read_text())
        case = json.loads((self.folder / f"{request.shape['case']}.json").read_text())
        self.batches = [self.batch(sequences) for sequences in case["batches"]]
        self.padded = any((b.lengths < b.ids.shape[1]).any() for b in self.batches)

    @staticmethod
    def batch(sequences):
        numpy = package("numpy")
        lengths = numpy.array([len(ids) for ids in sequences], numpy.int32)
        ids = numpy.zeros((len(sequences), lengths.max()), numpy.int64)
        for row, sequence in zip(ids, sequences):
            row[: len(sequence)] = sequence
        return Batch(ids, lengths)

    def file(self, name):
        """Where something made of the model stays."""
        return self.folder / f"{name}{'-masked' if self.padded else ''}"

    def prepared(self, calls, states, title, version, timed):
        """`calls` run the batches one by one; `states` are where the hidden states then are."""
        numpy = package("numpy")

        def call():
            for run in calls:
                run()

        def result():
            return numpy.concatenate([b.real(s()) for b, s in zip(self.batches, states)])

        dtype = "INT8 linear layers, f32 between them" if self.int8 else "f32"
        padded = "; padded to the longest of each batch" if self.padded else "; no padding, no mask"
        return Prepared(call, result, title, version, dtype, timed + padded)


def has_vnni():
    """Without it, products of bytes saturate in 16 bits unless weights have 7 bits."""
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    return "avx512_vnni" in flags or "avx_vnni" in flags


def torch_model(work: Work):
    package("torch")
    return package("transformers").BertModel.from_pretrained(
        work.folder, add_pooling_layer=False, attn_implementation="sdpa", dtype="float32"
    ).eval()


@rival("torch")
def torch(request: Request) -> Prepared:
    """Eager, with the attention kernel it calls scaled_dot_product_attention."""
    os.environ["OMP_NUM_THREADS"] = str(request.threads)
    os.environ["OMP_PROC_BIND"] = "true"
    os.environ["OMP_PLACES"] = ",".join("{%d}" % core for core in request.cores())
    work, library = Work(request), package("torch")
    library.set_num_threads(request.threads)
    model = torch_model(work)
    title = "torch, eager"
    if work.int8:
        quantisation = package("torch.ao.quantization")
        chosen = {library.nn.Linear: quantisation.per_channel_dynamic_qconfig}
        model = quantisation.quantize_dynamic(model, chosen, dtype=library.qint8)
        title = f"torch, dynamic INT8 ({library.backends.quantized.engine})"
    outs = [None] * len(work.batches)

    def runner(place, batch):
        feeds = {"input_ids": library.from_numpy(batch.ids)}
        if work.padded:
            feeds["attention_mask"] = library.from_numpy(batch.mask)

        def run():
            with library.inference_mode():
                outs[place] = model(**feeds).last_hidden_state

        return run

    calls = [runner(place, batch) for place, batch in enumerate(work.batches)]
    states = [lambda place=place: outs[place].numpy() for place in range(len(outs))]
    timed = "transformers' BertModel called from Python; weights quantised beforehand"
    return work.prepared(calls, states, title, library.__version__, timed)


@rival("onnxruntime")
def onnxruntime(request: Request) -> Prepared:
    """Its fused graph; in INT8, weights by channel, activations by tensor as they come."""
    work, numpy = Work(request), package("numpy")
    file = work.file("onnxruntime").with_suffix(".onnx")
    if not file.exists():
        bert_graph.write(work.folder, work.padded, file)
    title = "onnxruntime, fused graph"
    if work.int8:
        file, title = quantised(file), "onnxruntime, fused graph, dynamic INT8"
    session = ort.session(str(file), request)
    calls, states = [], []
    for batch in work.batches:
        ids = batch.ids.astype(numpy.int32)
        feeds = {"ids": ids, "types": numpy.zeros_like(ids)}
        if work.padded:
            feeds["lengths"] = batch.lengths
        out = numpy.zeros((*ids.shape, work.config["hidden_size"]), numpy.float32)
        calls.append(ort.bound(session, feeds, {"states": out}))
        states.append(lambda out=out: out)
    timed = "a session run from Python with bound arrays; weights laid out beforehand"
    return work.prepared(calls, states, title, package("onnxruntime").__version__, timed)


def quantised(file: Path) -> Path:
    made = file.with_name(f"{file.stem}-int8.onnx")
    if not made.exists():
        onnx, quantisation = package("onnx"), package("onnxruntime.quantization")
        quantisation.quantize_dynamic(
            file,
            made,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=not has_vnni(),
            weight_type=quantisation.QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    return made


@rival("openvino")
def openvino(request: Request) -> Prepared:
    """Compiled for latency; in INT8, quantised by NNCF and calibrated on the very inputs."""
    work, library = Work(request), package("openvino")
    core = library.Core()
    model = core.read_model(converted(work))
    version = library.__version__.split("-")[0]
    title = "OpenVINO"
    if work.int8:
        nncf = package("nncf")
        title, version = "OpenVINO, NNCF static INT8", f"{version}, NNCF {nncf.__version__}"
        model = core.read_model(calibrated(work, model))
    if len(work.batches) == 1:
        model.reshape({each: work.batches[0].ids.shape for each in model.inputs})
    compiled = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(request.threads),
        "INFERENCE_PRECISION_HINT": "f32",  # Or it would be bf16 where there is that.
    })
    calls, states = [], []
    for batch in work.batches:
        inference, given = compiled.create_infer_request(), feeds(work, batch)
        for name, array in given.items():
            inference.set_tensor(name, library.Tensor(array, shared_memory=True))
        calls.append(inference.infer)
        # `given` is named to be kept: the library has its addresses only.
        states.append(lambda run=inference, given=given: run.get_output_tensor(0).data)
    timed = "inferences from Python on shared arrays; weights laid out beforehand"
    return work.prepared(calls, states, title, version, timed)


def feeds(work: Work, batch: Batch):
    given = {"input_ids": batch.ids}
    return {**given, "attention_mask": batch.mask} if work.padded else given


def converted(work: Work) -> Path:
    """OpenVINO's form of the model."""
    file = work.file("openvino").with_suffix(".xml")
    if not file.exists():
        library, pytorch = package("openvino"), package("torch")
        example = feeds(work, work.batches[0])
        example = {name: pytorch.from_numpy(array) for name, array in example.items()}
        made = library.convert_model(torch_model(work), example_input=example)
        library.save_model(made, file, compress_to_fp16=False)
    return file


def calibrated(work: Work, model) -> Path:
    """The model quantised by NNCF, with its settings for transformers."""
    file = work.file("openvino-int8").with_suffix(".xml")
    if not file.exists():
        nncf, library = package("nncf"), package("openvino")
        samples = nncf.Dataset([feeds(work, batch) for batch in work.batches])
        made = nncf.quantize(
            model, samples, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(work.batches)
        )
        library.save_model(made, file, compress_to_fp16=False)
    return file


if __name__ == "__main__":
    serve("requirements-bert.txt")
