"""A BERT encoder as the graph that onnxruntime's own optimiser makes of an exported one.

Its fused operators are written down directly: which of them the optimiser finds in an export
depends on the versions of exporter and library, and missing one would slow the rival down.
"""

import json
from pathlib import Path

from worker import package

FUSED = "com.microsoft"


class Graph:
    """Nodes and constants under way to a model."""

    def __init__(self, tensors):
        self.tensors, self.nodes, self.constants = tensors, [], {}
        self.make = package("onnx").helper

    def constant(self, name, array=None):
        """A tensor of the checkpoint, or `array` under that name."""
        numpy = package("numpy")
        array = self.tensors[name] if array is None else array
        self.constants[name] = numpy.ascontiguousarray(array, numpy.float32)
        return name

    def node(self, kind, inputs, outputs, domain=FUSED, **attributes):
        self.nodes.append(self.make.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def norm(self, stem):
        return [self.constant(f"{stem}.LayerNorm.{part}") for part in ("weight", "bias")]

    def product(self, rows, stem):
        weight = self.constant(f"{stem}.weight", self.tensors[f"{stem}.weight"].T)
        return self.node("MatMul", [rows, weight], [f"{stem}.product"], domain="")

    def residual(self, rows, stem, before, epsilon):
        """The product of a layer, its bias, what was before, and the norm of their sum."""
        product = self.product(rows, f"{stem}.dense")
        bias = self.constant(f"{stem}.dense.bias")
        inputs = [product, before, *self.norm(stem), bias]
        return self.node("SkipLayerNormalization", inputs, [f"{stem}.out"], epsilon=epsilon)

    def layer(self, x, stem, mask, config):
        numpy = package("numpy")
        parts = [f"{stem}.attention.self.{part}" for part in ("query", "key", "value")]
        weight = numpy.concatenate([self.tensors[f"{part}.weight"].T for part in parts], axis=1)
        bias = numpy.concatenate([self.tensors[f"{part}.bias"] for part in parts])
        inputs = [x, self.constant(f"{stem}.qkv", weight), self.constant(f"{stem}.qkv.b", bias)]
        heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
        context = self.node("Attention", inputs + mask, [f"{stem}.context"], num_heads=heads)
        x = self.residual(context, f"{stem}.attention.output", x, epsilon)
        wide = self.product(x, f"{stem}.intermediate.dense")
        bias = self.constant(f"{stem}.intermediate.dense.bias")
        wide = self.node("BiasGelu", [wide, bias], [f"{stem}.wide"])
        return self.residual(wide, f"{stem}.output", x, epsilon)


def write(folder: Path, masked: bool, file: Path) -> None:
    """Writes the model of a folder. Its inputs are `ids` and `types`, and the lengths of the
    sequences as `lengths` if they are not all alike."""
    onnx, safe = package("onnx"), package("safetensors.numpy")
    config = json.loads((folder / "config.json").read_text())
    tensors = safe.load_file(folder / "model.safetensors")
    graph = Graph(tensors)
    tables = [f"embeddings.{table}_embeddings.weight" for table in ("word", "position", "token_type")]
    inputs = ["ids", "types", *map(graph.constant, tables), *graph.norm("embeddings")]
    epsilon = config["layer_norm_eps"]
    x = graph.node("EmbedLayerNormalization", inputs, ["embedded", "unused"], epsilon=epsilon)
    for layer in range(config["num_hidden_layers"]):
        x = graph.layer(x, f"encoder.layer.{layer}", ["lengths"] if masked else [], config)
    graph.nodes[-1].output[0] = "states"
    make, types = onnx.helper, onnx.TensorProto
    matrix = ["batch", "tokens"]
    given = [make.make_tensor_value_info(name, types.INT32, matrix) for name in ("ids", "types")]
    if masked:
        given.append(make.make_tensor_value_info("lengths", types.INT32, matrix[:1]))
    states = make.make_tensor_value_info("states", types.FLOAT, [*matrix, config["hidden_size"]])
    constants = [onnx.numpy_helper.from_array(a, name) for name, a in graph.constants.items()]
    made = make.make_model(
        make.make_graph(graph.nodes, "bert", given, [states], constants),
        opset_imports=[make.make_opsetid("", 17), make.make_opsetid(FUSED, 1)],
    )
    made.ir_version = 10
    onnx.save(made, file)
