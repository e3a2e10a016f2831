"""Sums, products, convolutions, normalisations, recurrences and what comes with them."""

import numpy as np

from case import operator
from movement import axis_of


@operator(
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    weight=2,
)
def reduce(c):
    shape = c.shape(0 if c.chance(0.1) else 1, 5, zero=0.03)
    kinds = ["float32", "float64", "int32", "int64"]
    if c.name in ("ReduceMax", "ReduceMin") and c.version >= 12:
        kinds += ["int8", "uint8"]
    if c.name in ("ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceL2"):
        kinds = ["float32", "float64"]
    kind = c.pick(kinds)
    x = c.array(kind, shape)
    if c.name == "ReduceLogSum":
        x = np.abs(x) + np.asarray(0.1, kind)
    if c.name == "ReduceProd":
        x = c.array(kind, shape, 0.7, 1.3) if kind.startswith("f") else c.array(kind, shape, -2, 2)
    axes = sorted(int(a) for a in c.rng.choice(len(shape), c.integer(1, len(shape)), replace=False)) if shape else []
    named = [a - len(shape) if c.version >= 11 and c.chance(0.3) else a for a in axes]
    attributes = {"keepdims": c.pick([None, 0, 1])}
    inputs = [c.feed(x)]
    as_input = c.version >= (13 if c.name == "ReduceSum" else 18)
    if as_input:
        if axes and c.chance(0.8):
            inputs.append(c.value(np.array(named, np.int64), 0.7))
        attributes["noop_with_empty_axes"] = c.pick([None, 0, 1])
    elif axes and c.chance(0.8):
        attributes["axes"] = named
    c.output(c.node(c.name, inputs, **attributes))


@operator("ArgMax", "ArgMin")
def arg(c):
    shape = c.shape(1, 4, zero=0)
    kinds = ["float32", "float64", "int32"] + (["int8", "uint8"] if c.version >= 12 else [])
    attributes = {
        "axis": axis_of(c, len(shape)) if c.version >= 11 else c.integer(0, len(shape) - 1),
        "keepdims": c.pick([None, 0, 1]),
    }
    if c.version >= 12:
        attributes["select_last_index"] = c.pick([None, 0, 1])
    c.output(c.node(c.name, [c.feed(c.array(c.pick(kinds), shape))], **attributes))


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(c):
    shape = c.shape(1, 4)
    axis = axis_of(c, len(shape)) if c.version >= 11 else c.integer(0, len(shape) - 1)
    kinds = ["float32", "float64"] + (["float16"] if c.name != "Hardmax" else [])
    c.output(c.node(c.name, [c.feed(c.array(c.pick(kinds), shape))], axis=axis if c.chance(0.8) else None))


@operator("MatMul", weight=3)
def matmul(c):
    kind = c.pick(
        ["float32", "float32", "float64", "int32", "int64", "uint32"] if c.version >= 9 else ["float32", "float64"]
    )
    m, k, n = c.size(), c.size(), c.size()
    batch = c.shape(0, 2, most=12)
    left, right = c.subshape(batch) + [m, k], (c.subshape(batch) if c.chance(0.5) else []) + [k, n]
    if c.chance(0.15):
        left = [k]
    if c.chance(0.15):
        right = [k]
    c.output(c.node("MatMul", [c.feed(c.array(kind, left)), c.value(c.array(kind, right), 0.5)]))


@operator("Gemm", weight=3)
def gemm(c):
    kind = c.pick(["float32", "float32", "float64"])
    m, k, n = c.size(0.01), c.size(0.01), c.size(0.01)
    ta, tb = c.pick([None, 0, 1]), c.pick([None, 0, 1])
    inputs = [c.feed(c.array(kind, [k, m] if ta else [m, k])), c.value(c.array(kind, [n, k] if tb else [k, n]), 0.5)]
    if c.version < 11 or c.chance(0.8):
        inputs.append(
            c.value(c.array(kind, c.pick([[m, n], [n], [1, n], [m, 1], [1], []]) if c.version >= 7 else [m, n]))
        )
    number = lambda: float(np.float32(c.rng.uniform(-2, 2))) if c.chance(0.4) else None
    c.output(c.node("Gemm", inputs, transA=ta, transB=tb, alpha=number(), beta=number()))


@operator("Einsum")
def einsum(c):
    letters = list("abcde")
    sizes = {letter: c.integer(1, 5) for letter in letters}
    terms = ["".join(c.rng.choice(letters, c.integer(1, 3), replace=False)) for _ in range(c.integer(1, 3))]
    used = sorted(set("".join(terms)))
    result = "".join(c.rng.choice(used, c.integer(0, len(used)), replace=False))
    equation = ",".join(terms) + ("->" + result if c.chance(0.85) else "")
    kind = c.pick(["float32", "float64", "int32", "int64"])
    c.output(c.node("Einsum", [c.feed(c.array(kind, [sizes[i] for i in term])) for term in terms], equation=equation))


def window(c, rank, sizes):
    """Attributes of a sliding window, and whether it fits."""
    kernel = [c.integer(1, min(4, s)) for s in sizes]
    attributes = {"kernel_shape": kernel, "strides": c.pick([None, [c.integer(1, 3) for _ in kernel]])}
    dilations = c.pick([None, None, [c.integer(1, 2) for _ in kernel]])
    if dilations and any(d * (k - 1) + 1 > s for d, k, s in zip(dilations, kernel, sizes)):
        dilations = None
    attributes["dilations"] = dilations
    auto = c.pick([None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
    attributes["auto_pad"] = auto
    if auto in (None, "NOTSET"):
        attributes["pads"] = c.pick([None, [c.integer(0, max(k - 1, 0)) for k in kernel + kernel]])
    elif auto.startswith("SAME"):
        attributes["dilations"] = None
    return attributes


@operator("Conv", weight=8)
def conv(c):
    rank = c.pick([1, 2, 2, 2, 3])
    group = c.pick([1, 1, 1, 2, 3, 4])
    per, filters = c.pick([1, 1, 2, 3, 4, 8]), c.pick([1, 2, 3, 4, 8, 16])
    channels = per * group
    if c.chance(0.2):
        group, per = channels, 1
    sizes = [c.integer(1, 12 if rank < 3 else 6) for _ in range(rank)]
    attributes = window(c, rank, sizes)
    kind = c.pick(["float32"] * 5 + ["float64"]) if c.chance(0.5) else "float32"
    x = c.feed(c.array(kind, [c.integer(1, 3), channels] + sizes))
    w = c.value(c.array(kind, [filters * group, per] + attributes["kernel_shape"]), 0.7)
    inputs = [x, w] + ([c.value(c.array(kind, [filters * group]), 0.7)] if c.chance(0.6) else [])
    if c.chance(0.3):
        attributes["kernel_shape"] = None
    y = c.node("Conv", inputs, group=group if group > 1 or c.chance(0.5) else None, **attributes)
    if c.chance(0.3) and kind == "float32":
        y = c.node(c.pick(["Relu", "Sigmoid", "LeakyRelu"]), [y])
    c.output(y)


@operator("ConvTranspose", weight=4)
def conv_transpose(c):
    rank = c.pick([1, 2, 2, 3])
    group, per, filters = c.pick([1, 1, 2, 3]), c.pick([1, 2, 3, 4]), c.pick([1, 2, 3, 5])
    sizes = [c.integer(1, 7) for _ in range(rank)]
    kernel = [c.integer(1, 4) for _ in range(rank)]
    strides = [c.integer(1, 3) for _ in range(rank)]
    attributes = {
        "kernel_shape": kernel if c.chance(0.7) else None,
        "strides": strides,
        "dilations": c.pick([None, [c.integer(1, 2) for _ in kernel]]),
        "group": group,
    }
    if c.chance(0.7):
        attributes["pads"] = c.pick([None, [c.integer(0, max((k - 1) // 2, 0)) for k in kernel + kernel]])
        attributes["output_padding"] = c.pick([None, [c.integer(0, s - 1) for s in strides]])
    else:
        attributes["auto_pad"] = c.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
        attributes["dilations"] = None
    x = c.feed(c.array("float32", [c.integer(1, 2), per * group] + sizes))
    w = c.value(c.array("float32", [per * group, filters] + kernel), 0.7)
    inputs = [x, w] + ([c.value(c.array("float32", [filters * group]))] if c.chance(0.5) else [])
    c.output(c.node("ConvTranspose", inputs, **attributes))


@operator("MaxPool", "AveragePool", "LpPool", weight=3)
def pool(c):
    rank = c.pick([1, 2, 2, 3])
    sizes = [c.integer(1, 10 if rank < 3 else 6) for _ in range(rank)]
    attributes = window(c, rank, sizes)
    if (
        (c.name == "MaxPool" and c.version < 10)
        or (c.name == "AveragePool" and c.version < 19)
        or (c.name == "LpPool" and c.version < 18)
    ):
        attributes["dilations"] = None
    if (c.version >= 10 and c.name != "LpPool") or c.version >= 18:
        attributes["ceil_mode"] = c.pick([None, 0, 1])
    if attributes.get("ceil_mode") and attributes["auto_pad"] in (None, "NOTSET") and c.chance(0.15):
        # A window that is larger than all there is, which rounding up leaves one of.
        pads, strides = attributes["pads"] or [0] * (2 * rank), attributes["strides"] or [1] * rank
        fits = [s + a + b for s, a, b in zip(sizes, pads, pads[rank:])]
        attributes["kernel_shape"] = [fit + c.integer(0, stride - 1) for fit, stride in zip(fits, strides)]
        attributes["dilations"] = None
    outputs = 1
    if c.name == "AveragePool":
        attributes["count_include_pad"] = c.pick([None, 0, 1])
    if c.name == "LpPool":
        attributes["p"] = c.pick([None, 1, 2, 3])
    if c.name == "MaxPool":
        outputs = c.pick([1, 2]) if c.version >= 8 else 1
        if outputs == 2:
            attributes["storage_order"] = c.pick([None, 0, 1])
    kind = c.pick(["float32", "float32", "float64"]) if c.name == "MaxPool" else "float32"
    if c.name == "MaxPool" and c.version >= 12 and c.chance(0.2):
        kind = c.pick(["int8", "uint8"])
    x = c.array(kind, [c.integer(1, 2), c.integer(1, 5)] + sizes)
    if c.name == "LpPool":
        x = np.abs(x)
    y = c.node(c.name, [c.feed(x)], outputs, **attributes)
    c.output(*(y if outputs == 2 else [y]))


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(c):
    x = c.feed(c.array("float32", [c.integer(1, 2), c.integer(1, 9)] + c.shape(1, 3, zero=0, most=300)))
    c.output(c.node(c.name, [x], p=c.pick([None, 1, 2]) if c.name == "GlobalLpPool" else None))


@operator("MaxUnpool")
def unpool(c):
    x = c.feed(c.array("float32", [1, c.integer(1, 3), 2 * c.integer(1, 4), 2 * c.integer(1, 4)]))
    y, places = c.node("MaxPool", [x], 2, kernel_shape=[2, 2], strides=[2, 2])
    c.output(c.node("MaxUnpool", [y, places], kernel_shape=[2, 2], strides=[2, 2]))


@operator("BatchNormalization")
def batch_norm(c):
    channels = c.integer(1, 9)
    shape = [c.integer(1, 3), channels] + c.shape(0, 3, zero=0, most=200)
    vector = lambda low, high: c.value(c.array("float32", [channels], low, high), 0.7)
    inputs = [c.feed(c.array("float32", shape)), vector(-2, 2), vector(-2, 2), vector(-2, 2), vector(0.1, 2)]
    c.output(c.node("BatchNormalization", inputs, epsilon=c.pick([None, 1e-3])))


@operator("InstanceNormalization", "GroupNormalization", "LRN", "LpNormalization", "MeanVarianceNormalization")
def normalization(c):
    groups = c.integer(1, 3)
    channels = groups * c.integer(1, 4)
    shape = [c.integer(1, 2), channels] + [c.integer(2, 7) for _ in range(c.integer(1, 2))]
    if c.name in ("LRN", "MeanVarianceNormalization"):
        shape = shape[:2] + [c.integer(2, 6), c.integer(2, 6)]
    x = c.feed(c.array("float32", shape))
    if c.name == "LRN":
        return c.output(
            c.node(
                "LRN",
                [x],
                size=c.pick([1, 3, 5]),
                alpha=c.pick([None, 0.5]),
                beta=c.pick([None, 0.5]),
                bias=c.pick([None, 2.0]),
            )
        )
    if c.name == "LpNormalization":
        return c.output(c.node("LpNormalization", [x], axis=axis_of(c, len(shape)), p=c.pick([1, 2])))
    if c.name == "MeanVarianceNormalization":
        return c.output(c.node("MeanVarianceNormalization", [x], axes=c.pick([None, [0, 2, 3], [1, 2, 3], [2, 3]])))
    count = channels if c.name == "InstanceNormalization" or c.version >= 21 else groups
    parameters = [c.value(c.array("float32", [count]), 0.7) for _ in range(2)]
    extra = {"num_groups": groups} if c.name == "GroupNormalization" else {}
    c.output(c.node(c.name, [x] + parameters, epsilon=c.pick([None, 1e-3]), **extra))


@operator("LayerNormalization", "RMSNormalization", weight=2)
def layer_norm(c):
    shape = c.shape(1, 4, zero=0)
    axis = axis_of(c, len(shape))
    own = shape[axis:] if axis < 0 else shape[axis:]
    kind = c.pick(["float32", "float32", "float64", "float16"])
    inputs = [c.feed(c.array(kind, shape)), c.value(c.array(kind, own), 0.7)]
    if c.name == "LayerNormalization" and c.chance(0.6):
        inputs.append(c.value(c.array(kind, own), 0.7))
    outputs = c.pick([1, 1, 3]) if c.name == "LayerNormalization" and kind == "float32" else 1
    y = c.node(
        c.name, inputs, outputs, axis=axis if axis != -1 or c.chance(0.5) else None, epsilon=c.pick([None, 1e-3])
    )
    c.output(*(y if outputs > 1 else [y]))
    c.loose(2e-3, 1e-4)


@operator("LSTM", "GRU", "RNN", weight=5)
def recurrent(c):
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[c.name]
    direction = c.pick(["forward", "reverse", "bidirectional"])
    ways = 2 if direction == "bidirectional" else 1
    t, n, i, h = c.integer(1, 6), c.integer(1, 4), c.integer(1, 9), c.integer(1, 17)
    layout = c.pick([None, None, None, 0, 1]) if c.version >= 14 else None
    batch_first = layout == 1
    x = c.feed(c.array("float32", [n, t, i] if batch_first else [t, n, i]))
    w = c.value(c.array("float32", [ways, gates * h, i], -1, 1), 0.8)
    r = c.value(c.array("float32", [ways, gates * h, h], -1, 1), 0.8)
    b = c.value(c.array("float32", [ways, 2 * gates * h], -1, 1), 0.8) if c.chance(0.6) else ""
    lengths = c.value(c.rng.integers(1, t + 1, [n]).astype(np.int32)) if c.chance(0.4) else ""
    state = lambda: c.value(c.array("float32", [n, ways, h] if batch_first else [ways, n, h])) if c.chance(0.4) else ""
    inputs = [x, w, r, b, lengths, state()]
    if c.name == "LSTM":
        inputs += [state(), c.value(c.array("float32", [ways, 3 * h])) if c.chance(0.3) else ""]
    attributes = {
        "hidden_size": h,
        "direction": direction if direction != "forward" or c.chance(0.5) else None,
        "layout": layout,
        "clip": c.pick([None, None, None, 0.7]),
    }
    if c.name == "GRU":
        attributes["linear_before_reset"] = c.pick([None, 0, 1])
    if c.name == "LSTM":
        attributes["input_forget"] = c.pick([None, None, 0])
    if c.chance(0.3):
        names = [
            "Tanh",
            "Sigmoid",
            "Relu",
            "Softsign",
            "HardSigmoid",
            "LeakyRelu",
            "Affine",
            "Elu",
            "ScaledTanh",
            "ThresholdedRelu",
            "Softplus",
        ]
        each = {"LSTM": 3, "GRU": 2, "RNN": 1}[c.name]
        attributes["activations"] = [c.pick(names[:6]) for _ in range(each * ways)]
    outputs = [c.fresh(), c.fresh()] + ([c.fresh()] if c.name == "LSTM" else [])
    c.node(c.name, inputs, outputs, **attributes)
    c.output(*outputs)
    c.loose(2e-3, 2e-5)


QUANTIZED = ["uint8", "int8"]


@operator("QuantizeLinear", "DequantizeLinear", weight=2)
def quantize(c):
    shape = c.shape(0, 4, zero=0)
    kind = c.pick(QUANTIZED + (["int16", "uint16"] if c.version >= 21 else []))
    axis, size = None, []
    attributes = {}
    if shape and c.version >= 13 and c.chance(0.5):
        axis = axis_of(c, len(shape))
        size = [shape[axis]]
        attributes["axis"] = axis
        if c.version >= 21 and c.chance(0.4):
            block = c.integer(1, max(shape[axis], 1))
            size = list(shape)
            size[axis] = -(-shape[axis] // block)
            attributes["block_size"] = block
    scale = c.array("float32", size, 0.02, 0.5)
    info = np.iinfo(kind)
    zero = c.array(kind, size, max(info.min, -50), 50) if c.chance(0.7) else None
    if c.name == "QuantizeLinear":
        inputs = [c.feed(c.array("float32", shape)), c.value(scale, 0.7)]
        if zero is None:
            kind = "uint8"
        inputs.append(c.value(zero, 0.7) if zero is not None else "")
    else:
        if c.chance(0.15) and not size:
            kind, zero = "int32", None
        inputs = [c.feed(c.array(kind, shape)), c.value(scale, 0.7), c.value(zero, 0.7) if zero is not None else ""]
    c.output(c.node(c.name, inputs, **attributes))
    c.loose(1e-3, 1e-5)
    c.integers = 1


@operator("DynamicQuantizeLinear")
def dynamic_quantize(c):
    c.output(*c.node("DynamicQuantizeLinear", [c.feed(c.array("float32", c.shape(1, 3, zero=0)))], 3))
    c.integers = 1


@operator("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", weight=2)
def integer_products(c):
    a_kind = c.pick(QUANTIZED) if c.name.endswith("MatMulInteger") or c.name == "QLinearMatMul" else "uint8"
    b_kind = c.pick(QUANTIZED) if a_kind == "uint8" else "int8"
    zero = lambda kind: c.value(c.array(kind, [], 0, 9), 0.8)
    scale = lambda size=[]: c.value(c.array("float32", size, 0.01, 0.3), 0.8)
    if "MatMul" in c.name:
        m, k, n = c.size(0), c.size(0), c.size(0)
        batch = c.shape(0, 1, zero=0, most=4)
        a, b = c.feed(c.array(a_kind, batch + [m, k])), c.value(c.array(b_kind, [k, n]), 0.6)
        if c.name == "MatMulInteger":
            zeros = [zero(a_kind), zero(b_kind)] if c.chance(0.7) else []
            return c.output(c.node(c.name, [a, b] + zeros))
        c.integers = 1
        return c.output(c.node(c.name, [a, scale(), zero(a_kind), b, scale(), zero(b_kind), scale(), zero(a_kind)]))
    group, per, filters = c.pick([1, 1, 2]), c.integer(1, 4), c.integer(1, 5)
    sizes = [c.integer(2, 8), c.integer(2, 8)]
    attributes = window(c, 2, sizes)
    x = c.feed(c.array("uint8", [c.integer(1, 2), per * group] + sizes))
    w_kind = c.pick(QUANTIZED)
    w = c.array(w_kind, [filters * group, per] + attributes["kernel_shape"])
    if c.name == "ConvInteger":
        return c.output(c.node(c.name, [x, c.value(w, 0.7), zero("uint8"), zero(w_kind)], group=group, **attributes))
    c.integers = 1
    per_channel = c.chance(0.4)
    wz = (
        c.value(np.zeros([filters * group] if per_channel else [], w_kind), 1)
        if w_kind == "int8"
        else c.constant(np.array(3, "uint8") if not per_channel else np.full([filters * group], 3, "uint8"))
    )
    inputs = [
        x,
        scale(),
        zero("uint8"),
        c.constant(w),
        scale([filters * group] if per_channel else []),
        wz,
        scale(),
        zero("uint8"),
    ]
    if c.chance(0.5):
        inputs.append(c.constant(c.array("int32", [filters * group])))
    c.output(c.node(c.name, inputs, group=group, **attributes))


@operator("Det")
def det(c):
    n = c.integer(1, 5)
    c.output(c.node("Det", [c.feed(c.array("float32", c.shape(0, 2, zero=0, most=20) + [n, n]))]))
    c.loose(1e-3, 1e-3)


@operator("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss")
def loss(c):
    classes = c.integer(2, 6)
    rest = c.shape(0, 2, zero=0, most=30)
    n = c.integer(1, 5)
    x = c.feed(c.array("float32", [n, classes] + rest))
    labels = c.rng.integers(0, classes, [n] + rest).astype(c.pick(["int32", "int64"]))
    weights = c.value(c.array("float32", [classes], 0.1, 2)) if c.chance(0.5) else ""
    c.output(
        c.node(
            c.name,
            [x, c.feed(labels), weights],
            reduction=c.pick([None, "none", "mean", "sum"]),
            ignore_index=c.pick([None, 0, 1]),
        )
    )


@operator("Attention", weight=4)
def attention(c):
    batch, heads, q, k, d, dv = (
        c.integer(1, 2),
        c.integer(1, 3),
        c.integer(1, 6),
        c.integer(1, 7),
        c.integer(1, 9),
        c.integer(1, 9),
    )
    groups = c.pick([1, 1, 2])
    if c.chance(0.5):
        shapes = [[batch, q, heads * groups * d], [batch, k, heads * d], [batch, k, heads * dv]]
        attributes = {"q_num_heads": heads * groups, "kv_num_heads": heads}
    else:
        shapes = [[batch, heads * groups, q, d], [batch, heads, k, d], [batch, heads, k, dv]]
        attributes = {}
    inputs = [c.feed(c.array("float32", shape)) for shape in shapes]
    if c.chance(0.4):
        mask = c.pick([[q, k], [batch, 1, q, k], [batch, heads * groups, q, k]])
        if c.chance(0.5):
            allowed = c.array("bool", mask)
            allowed[..., 0] = True
            inputs.append(c.feed(allowed))
        else:
            inputs.append(c.feed(c.array("float32", mask)))
    if c.chance(0.3) and len(inputs) == 3:
        attributes["is_causal"] = 1
    if c.chance(0.3):
        attributes["scale"] = 0.3
    if c.chance(0.2):
        attributes["softcap"] = 2.0
    c.output(c.node("Attention", inputs, **attributes))


@operator("RotaryEmbedding")
def rotary(c):
    b, h, t, d = c.integer(1, 2), c.integer(1, 3), c.integer(1, 5), 2 * c.integer(1, 5)
    rotary_dim = c.pick([0, 0, 2 * c.integer(1, d // 2)])
    half = (rotary_dim or d) // 2
    packed = c.chance(0.5)
    x = c.feed(c.array("float32", [b, t, h * d] if packed else [b, h, t, d]))
    if c.chance(0.6):
        tables = [c.feed(c.array("float32", [9, half])) for _ in range(2)]
        tables.append(c.feed(c.rng.integers(0, 9, [b, t]).astype(np.int64)))
    else:
        tables = [c.feed(c.array("float32", [b, t, half])) for _ in range(2)]
    attributes = {"interleaved": c.pick([None, 0, 1]), "rotary_embedding_dim": rotary_dim or None}
    if packed or rotary_dim:
        attributes["num_heads"] = h
    c.output(c.node("RotaryEmbedding", [x] + tables, **attributes))
