"""ONNX Runtime's operators on bytes, one at a time."""

import numpy as np

from case import operator
from deviations import known

DOMAIN = "com.microsoft"
BYTES = ["uint8", "int8"]


def begin(c):
    c.domains[DOMAIN] = 1
    c.opset = c.domains[""] = c.pick([13, 17, 21])
    c.integers = 1


def node(c, op, inputs, outputs=1, **attributes):
    return c.node(op, inputs, outputs, domain=DOMAIN, **attributes)


def data(c, kind, shape):
    return c.rng.integers(*((0, 255) if kind == "uint8" else (-128, 127)), shape, endpoint=True).astype(kind)


def grain(c, kind, about=0.03, size=()):
    """Scale and zero point, constants."""
    scale = (about * c.rng.uniform(0.5, 2, size)).astype("float32")
    low = 0 if kind == "uint8" else -128
    zero = c.rng.integers(low, low + 255, size, endpoint=True) if c.chance(0.3) else np.full(size, low + 128)
    return [c.constant(scale), c.constant(zero.astype(kind))]


@operator("QLinearAdd", "QLinearMul", "QLinearWhere", "QLinearConcat")
def several(c):
    begin(c)
    kind, shape = c.pick(BYTES), c.shape(1, 4)
    a, b = c.value(data(c, kind, shape), 0.1), c.value(data(c, kind, c.subshape(shape)))
    if c.name == "QLinearWhere":
        mark = c.feed(c.array("bool", c.subshape(shape)))
        return c.output(node(c, c.name, [mark, a, *grain(c, kind), b, *grain(c, kind), *grain(c, kind)]))
    if c.name == "QLinearConcat":
        axis = c.integer(-len(shape), len(shape) - 1)
        parts = []
        for _ in range(c.integer(1, 4)):
            own = list(shape)
            own[axis] = c.size(0.1)
            parts += [c.feed(data(c, kind, own)), *grain(c, kind)]
        return c.output(node(c, c.name, [*grain(c, kind), *parts], axis=axis))
    c.output(node(c, c.name, [a, *grain(c, kind), b, *grain(c, kind), *grain(c, kind, 0.06)]))


@operator("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax")
def alone(c):
    begin(c)
    kind, shape = c.pick(BYTES), c.shape(1, 4, zero=0)
    x, own = c.feed(data(c, kind, shape)), grain(c, kind)
    axis = c.integer(-len(shape), len(shape) - 1)
    if c.name == "QLinearLeakyRelu":
        return c.output(node(c, c.name, [x, *own, *grain(c, kind)], alpha=c.pick([None, 0.2, 2.0])))
    result = [c.constant(np.float32(1 / 256)), c.constant(np.array(0 if kind == "uint8" else -128, kind))]
    options = {"axis": axis, "opset": c.pick([11, 13])} if c.name == "QLinearSoftmax" else {}
    c.output(node(c, c.name, [x, *own, *result], **options))


@operator("QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConv of ONNX Runtime", "NhwcMaxPool")
def images(c):
    begin(c)
    kind, last = c.pick(BYTES), c.pick([None, 0, 1])
    channels, size = c.pick([1, 3, 4, 16, 17, 32]), [c.integer(1, 9), c.integer(1, 9)]
    turned = last or c.name == "NhwcMaxPool"
    shape = [c.integer(1, 2), *size, channels] if turned else [c.integer(1, 2), channels, *size]
    x = c.feed(data(c, kind, shape))
    window = [c.integer(1, min(4, s)) for s in size]
    options = {"strides": [c.integer(1, 3) for _ in window], "pads": [c.integer(0, w - 1) for w in window] * 2}
    if c.name == "NhwcMaxPool":
        return c.output(node(c, c.name, [x], kernel_shape=window, ceil_mode=c.pick([None, 1]), **options))
    if c.name == "QLinearGlobalAveragePool":
        return c.output(node(c, c.name, [x, *grain(c, kind), *grain(c, kind)], channels_last=last))
    if c.name == "QLinearAveragePool":
        options |= {"count_include_pad": c.pick([None, 0, 1]), "ceil_mode": c.pick([None, 0, 1])}
        inputs = [x, *grain(c, kind), *grain(c, kind)]
        return c.output(node(c, c.name, inputs, kernel_shape=window, channels_last=last, **options))
    group = c.pick([g for g in (1, 1, 2, channels) if channels % g == 0])
    filters = group * c.integer(1, 3)
    w = c.rng.integers(-128, 127, [filters, channels // group, *window], endpoint=True).astype("int8")
    own = grain(c, "int8", 0.02, [filters] if c.chance(0.5) else ())
    bias = [c.constant(c.rng.integers(-900, 900, filters).astype("int32"))] if c.chance(0.5) else []
    zero = c.constant(np.zeros_like(known(c, own[1])))
    inputs = [x, *grain(c, kind), c.constant(w), own[0], zero, *grain(c, kind, 0.5)]
    options |= {"dilations": [1, 1], "group": group, "channels_last": last}
    c.output(node(c, "QLinearConv", inputs + bias, **options))


@operator("QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", weight=2)
def products(c):
    begin(c)
    m, k, n = c.size(0), c.pick([1, 3, 8, 17, 64, 130]), c.size(0)
    kind = c.pick(BYTES)
    w_kind = c.pick(BYTES) if kind == "uint8" or c.name == "DynamicQuantizeMatMul" else "int8"
    across, turned = (c.integer(0, 1), c.integer(0, 1)) if c.name == "QGemm" else (0, 0)
    lead = [] if c.name == "QGemm" else c.shape(0, 2, zero=0, most=6)
    shape = [*lead, k, m] if turned else [*lead, m, k]
    w = c.constant(data(c, w_kind, [n, k] if across else [k, n]))
    own = grain(c, w_kind, 0.01, [n] if c.chance(0.5) else ())
    bias = c.constant(c.array("float32", [n])) if c.chance(0.5) else ""
    c.loose(1e-4, 1e-5)
    if c.name == "DynamicQuantizeMatMul":
        c.loose(1e-3, 2e-2)
        return c.output(node(c, c.name, [c.feed(c.array("float32", shape)), w, *own, bias]))
    x, x_own = c.feed(data(c, kind, shape)), grain(c, kind)
    if c.name == "MatMulIntegerToFloat":
        return c.output(node(c, c.name, [x, w, x_own[0], own[0], x_own[1], own[1], bias]))
    addend = c.constant(c.rng.integers(-900, 900, c.pick([[n], [1, n], [m, n]])).astype("int32"))
    result = grain(c, kind, 0.1) if c.chance(0.6) else []
    options = {"transA": turned, "transB": across, "alpha": c.pick([None, 0.5, 1.7])}
    c.output(node(c, "QGemm", [x, *x_own, w, *own, addend if c.chance(0.6) else "", *result], **options))


@operator("MatMulNBits", weight=6)
def few_bits(c):
    begin(c)
    c.integers = 0
    c.loose(2e-3, 2e-4)
    bits, block = c.pick([2, 4, 4, 4, 8]), c.pick([16, 32, 64, 128])
    k, n = c.pick([8, 16, 31, 32, 40, 64, 100, 160, 256]), c.pick([1, 2, 4, 5, 8, 16, 17, 33, 64])
    m = c.pick([1, 1, 2, 7, 16])
    blocks = -(-k // block)
    x = c.feed(c.array("float32", [*c.shape(0, 1, zero=0, most=3), m, k]))
    b = c.constant(c.rng.integers(0, 255, [n, blocks, block * bits // 8], endpoint=True).astype("uint8"))
    scales = c.constant(c.array("float32", [n * blocks] if c.chance(0.5) else [n, blocks], 0.01, 0.1))
    zeros = ""
    if c.chance(0.5):
        zeros = c.constant(c.rng.integers(0, 255, [n * -(-blocks * bits // 8)], endpoint=True).astype("uint8"))
    elif c.chance(0.2):
        zeros = c.constant(c.array("float32", [n * blocks], 0, 2**bits))
    bias = c.constant(c.array("float32", [n])) if c.chance(0.3) else ""
    c.output(node(c, c.name, [x, b, scales, zeros, "", bias], K=k, N=n, bits=bits, block_size=block))


@operator("GatherBlockQuantized", weight=2)
def rows_of_bits(c):
    begin(c)
    c.opset = c.domains[""] = 21
    c.integers = 0
    rows, block = c.integer(1, 9), c.pick([16, 32])
    columns = block * c.integer(1, 3)
    bits = c.pick([4, 4, 8])
    table = c.constant(c.rng.integers(0, 255, [rows, columns * bits // 8], endpoint=True).astype("uint8"))
    at = c.feed(c.rng.integers(-rows, rows, c.shape(0, 2, zero=0, most=12)).astype(c.pick(["int32", "int64"])))
    scales = c.constant(c.array("float32", [rows, columns // block], 0.01, 0.1))
    zeros = ""
    if c.chance(0.5):
        size = [rows, -(-columns // block * bits // 8)]
        zeros = c.constant(c.rng.integers(0, 255, size, endpoint=True).astype("uint8"))
    options = {"bits": bits, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    c.output(node(c, c.name, [table, at, scales, zeros], **options))


@operator("QAttention", weight=2)
def attention(c):
    begin(c)
    c.loose(2e-3, 2e-3)
    b, t, heads, d, size = c.integer(1, 3), c.integer(1, 7), c.integer(1, 3), 4 * c.integer(1, 3), c.pick([4, 8, 17])
    hidden = heads * d
    kind, w_kind = "uint8", c.pick(BYTES)
    x, w = c.feed(data(c, kind, [b, t, size])), c.constant(data(c, w_kind, [size, 3 * hidden]))
    x_own, own = grain(c, kind, 0.02), grain(c, w_kind, 0.01, [3 * hidden] if c.chance(0.3) else ())
    mask = ""
    if c.chance(0.4):
        marks = c.rng.integers(0, 1, [b, t], endpoint=True)
        marks[:, 0] = 1
        mask = c.feed((marks if c.chance(0.5) else c.rng.integers(1, t, [b], endpoint=True)).astype("int32"))
    inputs = [x, w, c.constant(c.array("float32", [3 * hidden])), x_own[0], own[0], mask, x_own[1], own[1]]
    c.output(node(c, c.name, inputs, num_heads=heads, unidirectional=c.pick([None, 0, 1])))


@operator("QuantizeLinear of ONNX Runtime", "DequantizeLinear of ONNX Runtime")
def grains(c):
    begin(c)
    shape = c.shape(1, 4, zero=0)
    kind = c.pick(["uint8", "int8", "uint16", "int16"])
    axis = c.integer(-len(shape), len(shape) - 1)
    size, options = ([shape[axis]], {"axis": axis}) if c.chance(0.5) else ([], {})
    scale = c.value(c.array("float32", size, 0.01, 0.3))
    zero = c.value(c.array(kind, size, 0, 90)) if c.chance(0.7) else ""
    if c.name.startswith("Q"):
        return c.output(node(c, "QuantizeLinear", [c.feed(c.array("float32", shape)), scale, zero], **options))
    c.output(node(c, "DequantizeLinear", [c.feed(c.array(kind, shape)), scale, zero], **options))
