"""Steps of quantised networks that are operators on bytes: ONNX's own and those of ONNX Runtime."""

import numpy as np
from onnx import TensorProto, helper

from networks import LARGEST, Misfit, broadcasts, step
from quantised import (
    RANGES,
    bytes_of,
    dequantised,
    factors,
    grain,
    grouped,
    image,
    named,
    requantised,
    stored,
    window,
)

MICROSOFT = "com.microsoft"


def given(n, x):
    """The bytes of a value with the names of their scale and zero point."""
    q = bytes_of(n, x)
    own = n.grains[q]
    return q, own[0], own[1] or n.constant(np.uint8(0))


def result(n, q, own):
    n.grains[q] = own
    return dequantised(n, q)


def target(n, kind):
    """The names of a result's scale and zero point, and the grain that holds them."""
    own = grain(n, kind)
    own = (own[0], own[1] or n.constant(np.zeros((), kind)), *own[2:])
    return own[:2], own


def byte_weights(n, shape, axis, over, kinds=("int8", "int8", "uint8"), axes=True):
    """Weights as bytes, with scales and zero points: names and the scales' numbers."""
    c = n.c
    kind = c.pick(kinds)
    low, high = RANGES[kind]
    size = (shape[axis],) if axes and c.chance(0.5) else ()
    scales = factors(n, 1 / (np.sqrt(over) * 73), size)
    zeros = np.full(size, (low + high + 1) // 2)
    if c.chance(0.25):
        zeros = zeros + c.rng.integers(-3, 3, endpoint=True)
    w = n.constant(c.rng.integers(low, high, shape, endpoint=True).astype(kind))
    n.kinds[w] = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    return w, stored(n, scales), stored(n, zeros.astype(kind)), scales


def unknown(n, op, inputs, shape, kind, domain=MICROSOFT, **attributes):
    """A node whose result the standard's inference does not know; ONNX Runtime wants scales of no axes."""
    if np.prod(shape) > LARGEST or 0 in shape:
        raise Misfit
    if op.startswith("QLinear") and any(np.ndim(n.known.get(name)) for name in inputs):
        raise Misfit
    n.c.domains[domain] = 1
    y = n.c.node(op, inputs, domain=domain, **attributes)
    n.note(y, shape, kind)
    return y


def kind_of(n, q):
    return named(n.kinds[q])


def beside(n, q):
    """Types of weights that ONNX Runtime multiplies bytes with."""
    return ["int8"] if kind_of(n, q) == "int8" else ["int8", "int8", "uint8"]


@step("bytes", weight=3)
def linear_convolution(n, x):
    channels, _ = image(n, x)
    q, scale, zero = given(n, x)
    group, filters = grouped(n, channels)
    shape, options = window(n, x)
    shape = [filters, channels // group, *shape]
    *w, scales = byte_weights(n, shape, 0, int(np.prod(shape[1:])), beside(n, q))
    names, own = target(n, kind_of(n, q))
    inputs = [q, scale, zero, w[0], w[1], w[2], *names]
    if n.c.chance(0.5):
        unit = n.grains[q][2] * scales
        inputs.append(n.constant(np.round(n.c.rng.standard_normal(filters) * 0.5 / unit).astype("int32")))
    return result(n, n.add("QLinearConv", inputs, group=group, **options), own)


@step("bytes", weight=3)
def linear_product(n, x):
    shape = n.shapes[x]
    if not shape:
        raise Misfit
    q, scale, zero = given(n, x)
    columns = n.c.pick([1, 4, 8, 17, 32])
    *w, _ = byte_weights(n, [shape[-1], columns], 1, shape[-1], beside(n, q))
    names, own = target(n, kind_of(n, q))
    return result(n, n.add("QLinearMatMul", [q, scale, zero, *w, *names]), own)


@step("bytes", weight=2)
def sums(n, x):
    """What integer operators sum, times the scales."""
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    q, scale, zero = given(n, x)
    if len(shape) in (3, 4, 5) and c.chance(0.5) and kind_of(n, q) == "uint8":
        group, filters = grouped(n, shape[1])
        own, options = window(n, x)
        w = byte_weights(n, [filters, shape[1] // group, *own], 0, int(np.prod(own)) * shape[1] // group, axes=False)
        y = n.add("ConvInteger", [q, w[0], zero, w[2]], group=group, **options)
    else:
        w = byte_weights(n, [shape[-1], c.pick([1, 4, 8, 17])], 1, shape[-1])
        y = n.add("MatMulInteger", [q, w[0], zero, w[2]] if c.chance(0.9) else [q, w[0]])
    y = cast(n, y)
    if c.chance(0.5):
        y = n.add("Mul", n.shuffled(y, n.add("Mul", n.shuffled(scale, w[1]))))
    else:
        y = n.add("Mul", [n.add("Mul", [y, scale]), w[1]])
    return requantised(n, y)


def cast(n, y):
    """Sums as floats, which are too large to be read without their scales."""
    name = n.add("Cast", [y], to=TensorProto.FLOAT)
    n.known[name] = np.zeros(n.shapes.pop(name), "float32")
    del n.shapes[y]
    return name


@step("bytes", weight=3)
def dynamic(n, x):
    """A layer as ONNX Runtime's quantiser for dynamic ranges writes it; its bytes perhaps read twice."""
    c, shape = n.c, n.shapes[x]
    if n.exact or not shape:
        raise Misfit
    q, scale, zero = n.add("DynamicQuantizeLinear", [x], 3)
    n.coarsest = max(n.coarsest, 1 / 32)
    for name in (q, scale, zero):
        n.known[name] = np.zeros(n.shapes[name], {q: "uint8", zero: "uint8"}.get(name, "float32"))
        del n.shapes[name]
    made = []
    for _ in range(c.pick([1, 1, 2])):
        if len(shape) == 4 and c.chance(0.7):
            group, filters = grouped(n, shape[1])
            own, options = window(n, x)
            over = int(np.prod(own)) * shape[1] // group
            w = byte_weights(n, [filters, shape[1] // group, *own], 0, over, axes=False)
            y = n.add("ConvInteger", [q, w[0], zero, w[2]], group=group, **options)
            offset = (filters, 1, 1)
        else:
            w = byte_weights(n, [shape[-1], c.pick([1, 4, 8, 17, 32])], 1, shape[-1])
            y = n.add("MatMulInteger", [q, w[0], zero, w[2]])
            offset = (n.shapes[y][-1],)
        y = cast(n, y)
        y = n.add("Mul", n.shuffled(y, n.add("Mul", n.shuffled(scale, w[1]))))
        made.append(n.add("Add", n.shuffled(y, n.weight(*offset, over=4))) if c.chance(0.6) else y)
    return made[-1]


# ONNX Runtime's operators


@step("bytes", weight=2)
def linear_pair(n, x):
    shape = n.shapes[x]
    other = n.recent(lambda s: s == shape if n.c.chance(0.6) else len(s) == len(shape) and broadcasts(s, shape))
    a, b = given(n, x), given(n, other)
    if n.kinds[a[0]] != n.kinds[b[0]]:
        raise Misfit
    names, own = target(n, kind_of(n, a[0]))
    whole = np.broadcast_shapes(shape, n.shapes[other])
    y = unknown(n, n.c.pick(["QLinearAdd", "QLinearMul"]), [*a, *b, *names], whole, n.kinds[a[0]])
    return result(n, y, own)


@step("bytes", weight=1)
def linear_unary(n, x):
    c, a = n.c, given(n, x)
    names, own = target(n, kind_of(n, a[0]))
    op = c.pick(["QLinearLeakyRelu"] if n.exact else ["QLinearLeakyRelu", "QLinearSigmoid"])
    options = {"alpha": c.pick([0.25, 0.5])} if op == "QLinearLeakyRelu" else {}
    return result(n, unknown(n, op, [*a, *names], n.shapes[x], n.kinds[a[0]], **options), own)


@step("bytes", weight=1)
def linear_pool(n, x):
    _, spatial = image(n, x)
    shape, a = n.shapes[x], given(n, x)
    names, own = target(n, kind_of(n, a[0]))
    if spatial != 2 or n.exact:
        raise Misfit
    if n.c.chance(0.5):
        y = unknown(n, "QLinearGlobalAveragePool", [*a, *names], [*shape[:2], 1, 1], n.kinds[a[0]], channels_last=0)
        return result(n, y, own)
    size = [min(2, side) for side in shape[2:]]
    whole = [*shape[:2], *[(side - s) // s + 1 for side, s in zip(shape[2:], size)]]
    y = unknown(n, "QLinearAveragePool", [*a, *names], whole, n.kinds[a[0]], kernel_shape=size, strides=size)
    return result(n, y, own)


@step("bytes", weight=1)
def linear_concat(n, x):
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    axis = c.integer(0, len(shape) - 1)
    fits = lambda s: len(s) == len(shape) and all(i == axis or a == b for i, (a, b) in enumerate(zip(s, shape)))
    parts = [x, *[n.recent(fits) for _ in range(c.integer(1, 2))]]
    parts = [(part, given(n, part)) for part in parts]
    kind = n.kinds[parts[0][1][0]]
    if any(n.kinds[a[0]] != kind for _, a in parts):
        raise Misfit
    names, own = target(n, named(kind))
    whole = list(shape)
    whole[axis] = sum(n.shapes[part][axis] for part, _ in parts)
    y = unknown(n, "QLinearConcat", [*names, *[name for _, a in parts for name in a]], whole, kind, axis=axis)
    return result(n, y, own)


@step("bytes", weight=1)
def byte_gemm(n, x):
    """QGemm, to bytes or to floats."""
    c, shape = n.c, n.shapes[x]
    if len(shape) != 2:
        raise Misfit
    a = given(n, x)
    columns, across = c.pick([1, 4, 8, 17]), c.integer(0, 1)
    own = [columns, shape[1]] if across else [shape[1], columns]
    w = byte_weights(n, own, 1 - across, shape[1], beside(n, a[0]))
    unit = n.grains[a[0]][2] * w[3]
    offset = n.constant(np.round(c.rng.standard_normal(columns) * 0.5 / unit).astype("int32")) if c.chance(0.6) else ""
    inputs = [*a, *w[:3], offset]
    if c.chance(0.3):
        return requantised(n, unknown(n, "QGemm", inputs, [shape[0], columns], TensorProto.FLOAT, transB=across))
    names, own = target(n, kind_of(n, a[0]))
    y = unknown(n, "QGemm", [*inputs, *names], [shape[0], columns], n.kinds[a[0]], transB=across)
    return result(n, y, own)


@step("bytes", weight=1)
def to_floats(n, x):
    """MatMulIntegerToFloat and DynamicQuantizeMatMul."""
    c, shape = n.c, n.shapes[x]
    if len(shape) < 2:
        raise Misfit
    columns = c.pick([1, 4, 8, 17, 32])
    w = byte_weights(n, [shape[-1], columns], 1, shape[-1])
    offset = n.weight(columns, over=4) if c.chance(0.5) and not n.exact else ""
    if not n.exact and c.chance(0.5):
        n.coarsest = max(n.coarsest, 1 / 32)
        inputs = [x, *w[:3], offset]
        return unknown(n, "DynamicQuantizeMatMul", inputs, [*shape[:-1], columns], TensorProto.FLOAT)
    q, scale, zero = given(n, x)
    if kind_of(n, q) == "int8" and kind_of(n, w[0]) == "uint8":
        raise Misfit
    inputs = [q, w[0], scale, w[1], zero, w[2], offset]
    return requantised(n, unknown(n, "MatMulIntegerToFloat", inputs, [*shape[:-1], columns], TensorProto.FLOAT))


@step("bytes", weight=1)
def few_bits(n, x):
    """MatMulNBits, whose floats ONNX Runtime may round."""
    c, shape = n.c, n.shapes[x]
    if n.exact or len(shape) < 2:
        raise Misfit
    columns, block, bits = c.pick([1, 4, 8, 17]), c.pick([16, 32]), c.pick([4, 4, 8])
    blocks = -(-shape[-1] // block)
    inputs = [
        x,
        n.constant(c.rng.integers(0, 255, [columns, blocks, block * bits // 8], endpoint=True).astype("uint8")),
        n.constant(factors(n, 1 / (np.sqrt(shape[-1]) * (4.5 if bits == 4 else 73)), [columns * blocks])),
    ]
    if c.chance(0.5):
        inputs.append(n.constant(c.rng.integers(0, 255, [columns * -(-blocks * bits // 8)]).astype("uint8")))
    options = {"K": shape[-1], "N": columns, "bits": bits, "block_size": block}
    return unknown(n, "MatMulNBits", inputs, [*shape[:-1], columns], TensorProto.FLOAT, **options)
