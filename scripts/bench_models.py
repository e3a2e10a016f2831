#!/usr/bin/env python3
"""Writes well-known networks as ONNX files with seeded random weights: scripts/bench_models.py FOLDER [NAME...]

The architectures are those of the papers, in the form in which exporters write them; what a network would answer is
of no interest here, only what it costs. A file that is there already is kept. Needs numpy and onnx.
"""
import argparse
import math
import pathlib
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """A graph that grows by one node at a time; values are names, their channel counts are known to the callers."""

    def __init__(self, name):
        self.name = name
        self.nodes, self.weights, self.inputs = [], [], []
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def weight(self, *shape, fan_in=None):
        """Normal numbers that keep the size of what they are multiplied with."""
        spread = 1 / math.sqrt(fan_in or math.prod(shape[1:]) or 1)
        return self.constant((self.rng.standard_normal(shape, np.float32) * np.float32(spread)))

    def constant(self, value):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [f"{op}_{len(self.nodes)}" + (f"_{i}" if outputs > 1 else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def save(self, path, output, rank):
        shape = [f"d{i}" for i in range(rank)]
        graph = helper.make_graph(
            self.nodes, self.name, self.inputs,
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        new = path.with_suffix(".new")
        new.write_bytes(model.SerializeToString())
        new.rename(path)

    # Layers of image networks.

    def conv(self, x, channels, to, kernel, stride=1, pad=None, group=1, activation=None):
        """A convolution into which the batch normalisation behind it has been folded, as exporters do."""
        pad = kernel // 2 if pad is None else pad
        y = self.add("Conv", x, self.weight(to, channels // group, kernel, kernel), self.weight(to, fan_in=to),
                     kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=group)
        return self.activate(y, activation)

    def activate(self, x, kind):
        if kind == "relu6":
            zero, six = self.constant(np.float32(0)), self.constant(np.float32(6))
            return self.add("Clip", x, zero, six)
        if kind == "silu":
            return self.add("Mul", x, self.add("Sigmoid", x))
        return self.add(kind, x) if kind else x

    def max_pool(self, x, kernel, stride, pad=0, ceil=0):
        return self.add("MaxPool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=ceil)

    def classify(self, x, channels, classes=1000):
        return self.linear_head(self.add("Flatten", self.add("GlobalAveragePool", x)), channels, classes)

    def linear_head(self, x, channels, to, activation=None):
        y = self.add("Gemm", x, self.weight(to, channels), self.weight(to, fan_in=to), transB=1)
        return self.activate(y, activation)

    # Layers of Transformers.

    def linear(self, x, channels, to):
        product = self.add("MatMul", x, self.weight(channels, to, fan_in=channels))
        return self.add("Add", product, self.weight(to, fan_in=to))

    def layer_norm(self, x, channels):
        scale = self.constant(np.ones(channels, np.float32))
        return self.add("LayerNormalization", x, scale, self.weight(channels, fan_in=channels), epsilon=1e-5)

    def gelu(self, x):
        """By the error function, spelt out as PyTorch exports it."""
        erf = self.add("Erf", self.add("Div", x, self.constant(np.float32(math.sqrt(2)))))
        return self.add("Mul", self.add("Mul", x, self.add("Add", erf, self.constant(np.float32(1)))),
                        self.constant(np.float32(0.5)))

    def attention(self, x, channels, heads, mask=None):
        size = channels // heads

        def head(value, order):
            split = self.add("Reshape", self.linear(value, channels, channels), self.ints(0, -1, heads, size))
            return self.add("Transpose", split, perm=order)

        q, k, v = head(x, [0, 2, 1, 3]), head(x, [0, 2, 3, 1]), head(x, [0, 2, 1, 3])
        scores = self.add("Mul", self.add("MatMul", q, k), self.constant(np.float32(1 / math.sqrt(size))))
        if mask:
            scores = self.add("Add", scores, mask)
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), v)
        joined = self.add("Reshape", self.add("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints(0, -1, channels))
        return self.linear(joined, channels, channels)

    def feed_forward(self, x, channels, hidden):
        return self.linear(self.gelu(self.linear(x, channels, hidden)), hidden, channels)


IMAGE = ["N", 3, 224, 224]


def vgg16(b):
    x, channels = b.input("input", IMAGE), 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x, channels = b.conv(x, channels, width, 3, activation="Relu"), width
        x = b.max_pool(x, 2, 2)
    x = b.linear_head(b.add("Flatten", x), 512 * 49, 4096, "Relu")
    return b.linear_head(b.linear_head(x, 4096, 4096, "Relu"), 4096, 1000), 2


def resnet50(b):
    x = b.max_pool(b.conv(b.input("input", IMAGE), 3, 64, 7, 2, activation="Relu"), 3, 2, 1)
    channels = 64
    for width, count, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(count):
            stride, to = first if block == 0 else 1, width * 4
            y = b.conv(x, channels, width, 1, activation="Relu")
            y = b.conv(y, width, width, 3, stride, activation="Relu")
            y = b.conv(y, width, to, 1)
            shortcut = b.conv(x, channels, to, 1, stride) if block == 0 else x
            x, channels = b.add("Relu", b.add("Add", y, shortcut)), to
    return b.classify(x, channels), 2


def squeezenet1_1(b):
    x, channels = b.conv(b.input("input", IMAGE), 3, 64, 3, 2, 0, activation="Relu"), 64

    def fire(x, channels, squeeze, expand):
        x = b.conv(x, channels, squeeze, 1, activation="Relu")
        sides = [b.conv(x, squeeze, expand, kernel, activation="Relu") for kernel in (1, 3)]
        return b.add("Concat", *sides, axis=1)

    for stage in (((16, 64),) * 2, ((32, 128),) * 2, ((48, 192),) * 2 + ((64, 256),) * 2):
        x = b.max_pool(x, 3, 2, ceil=1)
        for squeeze, expand in stage:
            x, channels = fire(x, channels, squeeze, expand), 2 * expand
    x = b.conv(x, channels, 1000, 1, activation="Relu")
    return b.add("Flatten", b.add("GlobalAveragePool", x)), 2


def mobilenet_v2(b):
    x, channels = b.conv(b.input("input", IMAGE), 3, 32, 3, 2, activation="relu6"), 32
    for expand, to, count, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                     (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(count):
            stride, width = first if block == 0 else 1, channels * expand
            y = b.conv(x, channels, width, 1, activation="relu6") if expand > 1 else x
            y = b.conv(y, width, width, 3, stride, group=width, activation="relu6")
            y = b.conv(y, width, to, 1)
            x, channels = b.add("Add", x, y) if stride == 1 and channels == to else y, to
    return b.classify(b.conv(x, channels, 1280, 1, activation="relu6"), 1280), 2


def efficientnet_b0(b):
    x, channels = b.conv(b.input("input", IMAGE), 3, 32, 3, 2, activation="silu"), 32
    for expand, to, count, first, kernel in ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
                                             (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)):
        for block in range(count):
            stride, width = first if block == 0 else 1, channels * expand
            y = b.conv(x, channels, width, 1, activation="silu") if expand > 1 else x
            y = b.conv(y, width, width, kernel, stride, group=width, activation="silu")
            squeezed = b.conv(b.add("GlobalAveragePool", y), width, channels // 4, 1, activation="silu")
            y = b.add("Mul", b.conv(squeezed, channels // 4, width, 1, activation="Sigmoid"), y)
            y = b.conv(y, width, to, 1)
            x, channels = b.add("Add", y, x) if stride == 1 and channels == to else y, to
    return b.classify(b.conv(x, channels, 1280, 1, activation="silu"), 1280), 2


def unet_256(b):
    x, channels, kept = b.input("input", [1, 3, 256, 256]), 3, []

    def pair(x, channels, to):
        return b.conv(b.conv(x, channels, to, 3, activation="Relu"), to, to, 3, activation="Relu")

    for width in (32, 64, 128, 256):
        x, channels = pair(x, channels, width), width
        kept.append(x)
        x = b.max_pool(x, 2, 2)
    x, channels = pair(x, 256, 512), 512
    for width in (256, 128, 64, 32):
        x = b.add("ConvTranspose", x, b.weight(channels, width, 2, 2, fan_in=channels), b.weight(width, fan_in=width),
                  kernel_shape=[2, 2], strides=[2, 2])
        x, channels = pair(b.add("Concat", x, kept.pop(), axis=1), 2 * width, width), width
    return b.conv(x, channels, 2, 1), 4


def bert(b, channels, layers, heads, hidden):
    ids, mask = (b.input(name, ["N", "T"], TensorProto.INT64) for name in ("input_ids", "attention_mask"))
    position = b.add("Slice", b.weight(512, channels, fan_in=1), b.ints(0), b.add("Shape", ids, start=1), b.ints(0))
    x = b.add("Add", b.add("Gather", b.weight(30522, channels, fan_in=1), ids), position)
    x = b.layer_norm(x, channels)
    wide = b.add("Unsqueeze", b.add("Cast", mask, to=TensorProto.FLOAT), b.ints(1, 2))
    hidden_keys = b.add("Sub", b.constant(np.float32(1)), wide)
    mask = b.add("Mul", hidden_keys, b.constant(np.float32(-1e9)))
    for _ in range(layers):
        x = b.layer_norm(b.add("Add", b.attention(x, channels, heads, mask), x), channels)
        x = b.layer_norm(b.add("Add", b.feed_forward(x, channels, hidden), x), channels)
    return x, 3


def bert_base(b):
    return bert(b, 768, 12, 12, 3072)


def minilm_l6(b):
    return bert(b, 384, 6, 12, 1536)


def vit_b_16(b):
    channels = 768
    x = b.conv(b.input("input", IMAGE), 3, channels, 16, 16, 0)
    x = b.add("Transpose", b.add("Reshape", x, b.ints(0, channels, 196)), perm=[0, 2, 1])
    token = b.add("Expand", b.weight(1, 1, channels, fan_in=1),
                  b.add("Concat", b.add("Shape", x, end=1), b.ints(1, channels), axis=0))
    x = b.add("Add", b.add("Concat", token, x, axis=1), b.weight(1, 197, channels, fan_in=1))
    for _ in range(12):
        x = b.add("Add", x, b.attention(b.layer_norm(x, channels), channels, 12))
        x = b.add("Add", x, b.feed_forward(b.layer_norm(x, channels), channels, 3072))
    first = b.add("Gather", b.layer_norm(x, channels), b.constant(np.int64(0)), axis=1)
    return b.linear_head(first, channels, 1000), 2


def recurrent(b, op, gates, x, size, hidden, directions):
    """`x` and the result are [T, N, features]."""
    y = b.add(op, x, b.weight(directions, gates * hidden, size, fan_in=size),
              b.weight(directions, gates * hidden, hidden, fan_in=hidden),
              b.weight(directions, 2 * gates * hidden, fan_in=hidden), outputs=1, hidden_size=hidden,
              direction="bidirectional" if directions == 2 else "forward",
              **({"linear_before_reset": 1} if op == "GRU" else {}))
    joined = b.add("Transpose", y, perm=[0, 2, 1, 3])
    return b.add("Reshape", joined, b.ints(0, 0, directions * hidden))


def lstm_bi_2x256(b):
    tokens = b.input("tokens", ["N", "T"], TensorProto.INT64)
    x = b.add("Transpose", b.add("Gather", b.weight(10000, 256, fan_in=1), tokens), perm=[1, 0, 2])
    x = recurrent(b, "LSTM", 4, recurrent(b, "LSTM", 4, x, 256, 256, 2), 512, 256, 2)
    return b.linear(b.add("Transpose", x, perm=[1, 0, 2]), 512, 10), 3


def gru_3x512(b):
    x, size = b.add("Transpose", b.input("x", ["N", "T", 80]), perm=[1, 0, 2]), 80
    for _ in range(3):
        x, size = recurrent(b, "GRU", 3, x, size, 512, 1), 512
    return b.linear(b.add("Transpose", x, perm=[1, 0, 2]), 512, 30), 3


NETWORKS = {network.__name__: network for network in (
    vgg16, unet_256, resnet50, mobilenet_v2, efficientnet_b0, squeezenet1_1, bert_base, vit_b_16, minilm_l6,
    lstm_bi_2x256, gru_3x512)}


def write(folder, names=()):
    """Writes what is not there yet, and yields each file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or NETWORKS:
        path = folder / f"{name}.onnx"
        if not path.exists():
            builder = Builder(name)
            output, rank = NETWORKS[name](builder)
            builder.save(path, output, rank)
        yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", choices=[[], *NETWORKS], default=[], metavar="NAME",
                        help="of " + ", ".join(NETWORKS) + "; all if left out")
    args = parser.parse_args()
    for path in write(args.folder, args.names):
        print(path)


if __name__ == "__main__":
    main()
