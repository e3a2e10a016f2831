"""Small graphs of several operators, such as passes rewrite."""

import numpy as np

from case import Skip, operator

UNARY = [
    "Relu",
    "Sigmoid",
    "Tanh",
    "Exp",
    "Neg",
    "Abs",
    "Erf",
    "LeakyRelu",
    "Elu",
    "HardSwish",
    "Softplus",
    "Sqrt",
    "Clip",
]
GRAPHS = {}


def graph(name):
    def register(function):
        GRAPHS[name] = function
        return function

    return register


def unary(c, x):
    op = c.pick(UNARY)
    if op == "Sqrt":
        return c.node("Sqrt", [c.node("Abs", [x])])
    if op == "Exp":
        return c.node("Exp", [c.node("Tanh", [x])])
    if op == "Clip":
        return c.node("Clip", [x, c.constant(np.float32(-1)), c.constant(np.float32(c.pick([1, 6])))])
    return c.node(op, [x])


def constant(c, shape):
    return c.constant(c.array("float32", shape, 0.5, 1.5))


@operator("Graph of elements", weight=30)
def elements(c):
    shape = c.shape(1, 4, zero=0.01)
    values = [(c.feed(c.array("float32", shape)), True) for _ in range(c.integer(1, 3))]
    for _ in range(c.integer(2, 9)):
        x = c.pick(values)[0]
        kind = c.integer(0, 5)
        if kind < 2:
            y = unary(c, x)
        elif kind == 2:
            y = c.node(c.pick(["Add", "Mul", "Sub", "Div"]), [x, constant(c, c.subshape(shape))])
        elif kind == 3:
            y = c.node(c.pick(["Add", "Mul", "Sub", "Max", "Min"]), [x, c.pick(values)[0]])
        elif kind == 4:
            y = c.node("Div", [x, c.node("Add", [c.node("Abs", [c.pick(values)[0]]), c.constant(np.float32(1))])])
        else:
            y = c.node("Mul", [x, c.node("Sigmoid", [x])])
        values.append((y, False))
    made = [v for v, given in values if not given]
    c.output(made[-1], *[v for v in made[:-1] if c.chance(0.15)])
    c.loose(2e-3, 1e-4)


@operator("Graph of images", weight=40)
def images(c):
    n, channels, h, w = c.integer(1, 2), c.pick([1, 3, 4, 8, 16]), c.integer(4, 12), c.integer(4, 12)
    x = c.feed(c.array("float32", [n, channels, h, w]))
    shape = [channels, h, w]
    kept = []
    for _ in range(c.integer(2, 7)):
        kind = c.integer(0, 9)
        channels, h, w = shape
        if kind <= 2:
            size = c.pick([1, 3, 3, 5])
            stride = c.pick([1, 1, 1, 2])
            group = channels if c.chance(0.25) else 1
            filters = channels if group > 1 else c.pick([1, 4, 8, 16, 24])
            weights = c.constant(
                c.array("float32", [filters, channels // group, size, size])
                / np.float32(np.sqrt(channels // group * size * size))
            )
            y = c.node(
                "Conv",
                [x, weights] + ([constant(c, [filters])] if c.chance(0.6) else []),
                group=group,
                strides=[stride, stride],
                pads=[size // 2] * 4,
            )
            shape = [filters, (h - 1) // stride + 1, (w - 1) // stride + 1]
            if c.chance(0.4):
                y = c.node("BatchNormalization", [y] + [constant(c, [filters]) for _ in range(4)])
            if c.chance(0.5):
                y = unary(c, y)
            if c.chance(0.3) and shape == [channels, h, w]:
                y = c.node("Add", [x, y] if c.chance(0.5) else [y, x])
            x = y
        elif kind == 3:
            x = unary(c, x)
        elif kind == 4:
            x = c.node(
                c.pick(["Mul", "Add"]),
                [x, constant(c, c.pick([[channels, 1, 1], [1, channels, 1, 1], [1], [], [1, 1, h, w]]))],
            )
        elif kind == 5 and h > 2 and w > 2:
            x = c.node(c.pick(["MaxPool", "AveragePool"]), [x], kernel_shape=[2, 2], strides=[2, 2])
            shape = [channels, h // 2, w // 2]
        elif kind == 6:
            x = c.node("Concat", [x, unary(c, x)], axis=1)
            shape = [2 * channels, h, w]
        elif kind == 7:
            squeeze = c.node("GlobalAveragePool", [x])
            gate = c.node(
                "Sigmoid",
                [
                    c.node(
                        "Conv",
                        [squeeze, c.constant(c.array("float32", [channels, channels, 1, 1]) / np.float32(channels))],
                    )
                ],
            )
            x = c.node("Mul", [x, gate])
        elif kind == 8 and h * w < 150:
            x = c.node(
                "Resize",
                [x, "", c.constant(np.array([1, 1, 2, 2], np.float32))],
                mode=c.pick(["nearest", "linear"]),
                coordinate_transformation_mode=c.pick(["asymmetric", "half_pixel"]),
            )
            shape = [channels, 2 * h, 2 * w]
        elif kind == 9:
            x = c.node("Transpose", [c.node("Transpose", [x], perm=[0, 2, 3, 1])], perm=[0, 3, 1, 2])
        if c.chance(0.1):
            kept.append(x)
    if c.chance(0.3):
        x = c.node("Flatten", [c.node("GlobalAveragePool", [x])])
    if x in c.inputs:
        raise Skip
    c.output(x, *[v for v in kept if v != x and v not in c.inputs][:1])
    c.loose(2e-3, 2e-4)


@operator("Graph of sequences", weight=40)
def sequences(c):
    b, t, heads, d = c.integer(1, 2), c.integer(1, 7), c.pick([1, 2, 3]), c.pick([2, 4, 8])
    size = heads * d
    x = c.feed(c.array("float32", [b, t, size]))
    dense = lambda value, n, m: c.node(
        "MatMul", [value, c.constant(c.array("float32", [n, m]) / np.float32(np.sqrt(n)))]
    )
    bias = lambda value, m: c.node(
        "Add",
        [c.constant(c.array("float32", [m])), value] if c.chance(0.5) else [value, c.constant(c.array("float32", [m]))],
    )
    shape = c.constant(np.array([0, 0, heads, d], np.int64))
    for _ in range(c.integer(1, 3)):
        kind = c.integer(0, 4)
        if kind == 0:
            split = lambda perm: c.node(
                "Transpose", [c.node("Reshape", [bias(dense(x, size, size), size), shape])], perm=perm
            )
            q, k, v = split([0, 2, 1, 3]), split([0, 2, 3, 1]), split([0, 2, 1, 3])
            scores = c.node("MatMul", [q, k])
            scores = (
                c.node("Div", [scores, c.constant(np.float32(np.sqrt(d)))])
                if c.chance(0.5)
                else c.node("Mul", [scores, c.constant(np.float32(1 / np.sqrt(d)))])
            )
            if c.chance(0.5):
                scores = c.node(
                    "Add",
                    [
                        scores,
                        c.feed(c.array("float32", c.pick([[b, 1, 1, t], [t, t], [b, heads, t, t], [1, 1, t, t]]))),
                    ],
                )
            y = c.node("MatMul", [c.node("Softmax", [scores], axis=-1), v])
            y = c.node(
                "Reshape", [c.node("Transpose", [y], perm=[0, 2, 1, 3]), c.constant(np.array([0, 0, size], np.int64))]
            )
            x = c.node("Add", [x, bias(dense(y, size, size), size)])
        elif kind == 1:
            mean = (
                c.node("ReduceMean", [x], axes=[-1])
                if c.opset < 18
                else c.node("ReduceMean", [x, c.constant(np.array([-1], np.int64))])
            )
            centred = c.node("Sub", [x, mean])
            power = (
                c.node("Pow", [centred, c.constant(np.float32(2))])
                if c.chance(0.5)
                else c.node("Mul", [centred, centred])
            )
            variance = (
                c.node("ReduceMean", [power], axes=[-1])
                if c.opset < 18
                else c.node("ReduceMean", [power, c.constant(np.array([-1], np.int64))])
            )
            root = c.node("Sqrt", [c.node("Add", [variance, c.constant(np.float32(1e-3))])])
            x = c.node(
                "Add", [c.node("Mul", [c.node("Div", [centred, root]), constant(c, [size])]), constant(c, [size])]
            )
        elif kind == 2:
            y = bias(dense(x, size, 2 * size), 2 * size)
            if c.chance(0.5):
                half = c.node("Mul", [y, c.constant(np.float32(0.5))])
                y = c.node(
                    "Mul",
                    [
                        half,
                        c.node(
                            "Add",
                            [
                                c.node("Erf", [c.node("Div", [y, c.constant(np.float32(np.sqrt(2)))])]),
                                c.constant(np.float32(1)),
                            ],
                        ),
                    ],
                )
            else:
                y = unary(c, y)
            x = c.node("Add", [x, bias(dense(y, 2 * size, size), size)])
        elif kind == 3:
            square = c.node("Mul", [x, x])
            mean = (
                c.node("ReduceMean", [square], axes=[-1])
                if c.opset < 18
                else c.node("ReduceMean", [square, c.constant(np.array([-1], np.int64))])
            )
            root = c.node("Sqrt", [c.node("Add", [mean, c.constant(np.float32(1e-3))])])
            x = c.node("Mul", [c.node("Div", [x, root]), constant(c, [size])])
        else:
            flat = c.node("Reshape", [x, c.constant(np.array([-1, size], np.int64))])
            y = c.node(
                "Gemm",
                [
                    flat,
                    c.constant(c.array("float32", [size, size]) / np.float32(np.sqrt(size))),
                    c.constant(c.array("float32", [size])),
                ],
                transB=c.pick([0, 1]),
            )
            y = unary(c, y)
            lengths = c.node("Shape", [x])
            x = c.node("Reshape", [y, lengths])
    if x in c.inputs:
        raise Skip
    c.output(x)
    c.loose(2e-3, 5e-4)


@operator("Graph of shapes", weight=15)
def shapes(c):
    shape = [c.integer(1, 5) for _ in range(c.integer(2, 4))]
    x = c.feed(c.array(c.pick(["float32", "int64", "float16"]), shape))
    for _ in range(c.integer(2, 6)):
        rank = len(shape)
        kind = c.integer(0, 6)
        if kind == 0:
            perm = [int(i) for i in c.rng.permutation(rank)]
            x, shape = c.node("Transpose", [x], perm=perm), [shape[i] for i in perm]
        elif kind == 1 and rank < 5:
            axis = c.integer(0, rank)
            x = c.node("Unsqueeze", [x, c.constant(np.array([axis], np.int64))])
            shape.insert(axis, 1)
        elif kind == 2:
            x, shape = c.node("Reshape", [x, c.constant(np.array([-1], np.int64))]), [int(np.prod(shape))]
        elif kind == 3:
            axis = c.integer(0, rank - 1)
            x = c.node("Concat", [x, x], axis=axis)
            shape[axis] *= 2
        elif kind == 4:
            axis = c.integer(0, rank - 1)
            end = c.integer(1, shape[axis])
            vector = lambda v: c.constant(np.array([v], np.int64))
            x = c.node("Slice", [x, vector(0), vector(end), vector(axis)])
            shape[axis] = end
        elif kind == 5:
            own = c.node("Shape", [x])
            x = c.node("Reshape", [c.node("Identity", [x]), own])
        else:
            axis = c.integer(0, rank - 1)
            pieces = c.node(
                "Split",
                [x, c.constant(np.array([shape[axis] - shape[axis] // 2, shape[axis] // 2], np.int64))],
                2,
                axis=axis,
            )
            x = c.node("Concat", list(reversed(pieces)), axis=axis)
    if x in c.inputs:
        raise Skip
    c.output(x)
