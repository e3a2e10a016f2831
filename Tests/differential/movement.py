"""Operators that move, pick and arrange elements."""

import numpy as np

from case import FLOATS, NUMBERS, Skip, operator

ANY = NUMBERS + ["bool", "string"]


def axis_of(c, rank):
    return c.integer(-rank, rank - 1)


@operator("Reshape")
def reshape(c):
    shape = c.shape(0, 4)
    total = int(np.prod(shape))
    target, rest = [], total
    for _ in range(c.integer(0, 3)):
        divisors = [d for d in range(1, rest + 1) if rest % d == 0] or [1]
        target.append(c.pick(divisors))
        rest //= target[-1] if target[-1] else 1
    target.append(rest)
    if total and c.chance(0.5):
        target[c.integer(0, len(target) - 1)] = -1
    if total and len(shape) >= 1 and len(target) >= 1 and target[0] == shape[0] and c.chance(0.5):
        target[0] = 0
    if total == 0:
        target = [0 if size == 0 else size for size in shape]
    c.output(c.node("Reshape", [c.feed(c.array(c.pick(ANY), shape)), c.value(np.array(target, np.int64), 0.7)]))


@operator("Transpose")
def transpose(c):
    shape = c.shape(0, 5)
    perm = [int(i) for i in c.rng.permutation(len(shape))] if shape and c.chance(0.85) else None
    c.output(c.node("Transpose", [c.feed(c.array(c.pick(ANY), shape))], perm=perm))


@operator("Squeeze", "Unsqueeze")
def squeeze(c):
    shape = c.shape(0, 4)
    count = c.integer(1, 2)
    rank = len(shape) + count
    axes = sorted(int(a) for a in c.rng.choice(rank, count, replace=False))
    full = list(shape)
    for axis in axes:
        full.insert(axis, 1)
    named = [a - rank if c.version >= 11 and c.chance(0.3) else a for a in axes]
    x = c.feed(c.array(c.pick(ANY), full if c.name == "Squeeze" else shape))
    if c.name == "Squeeze" and c.chance(0.15):
        return c.output(c.node("Squeeze", [x]))
    if c.version >= 13:
        return c.output(c.node(c.name, [x, c.value(np.array(named, np.int64), 0.8)]))
    c.output(c.node(c.name, [x], axes=named))


@operator("Flatten")
def flatten(c):
    shape = c.shape(1 if c.version < 11 else 0, 4)
    low = -len(shape) if c.version >= 11 else 0
    c.output(
        c.node(
            "Flatten",
            [c.feed(c.array(c.pick(NUMBERS), shape))],
            axis=c.pick([None, c.integer(low, len(shape))]) if shape or c.version < 11 else c.pick([0]),
        )
    )


@operator("Concat")
def concat(c):
    shape = c.shape(1, 4)
    axis, kind = axis_of(c, len(shape)), c.pick(ANY)
    parts = []
    for _ in range(c.integer(1, 4)):
        own = list(shape)
        own[axis] = c.size(0.1)
        parts.append(c.value(c.array(kind, own), 0.2))
    if not c.inputs:
        raise Skip
    c.output(c.node("Concat", parts, axis=axis if c.version >= 11 else axis % len(shape)))


@operator("Split")
def split(c):
    shape = c.shape(1, 4)
    kind = c.pick(NUMBERS)
    axis = axis_of(c, len(shape)) if c.version >= 11 else c.integer(0, len(shape) - 1)
    count = c.integer(1, 4)
    sizes = [c.size(0.1) for _ in range(count)]
    even = c.chance(0.4)
    if even:
        sizes = [c.size(0) for _ in range(1)] * count
        if c.version >= 18 and c.chance(0.5) and sizes[0] > 1:
            sizes[-1] = c.integer(1, sizes[0])
    shape[axis] = sum(sizes)
    if even and any(-(-shape[axis] // count) != s for s in sizes[:-1]):
        even = False
    x = c.feed(c.array(kind, shape))
    attributes = {"axis": axis}
    inputs = [x]
    if even:
        if c.version >= 18:
            attributes["num_outputs"] = count
    elif c.version >= 13:
        inputs.append(c.value(np.array(sizes, np.int64), 0.7))
    else:
        attributes["split"] = sizes
    outputs = c.node("Split", inputs, count, **attributes)
    c.output(*(outputs if isinstance(outputs, list) else [outputs]))


@operator("Slice", weight=2)
def slice_(c):
    shape = c.shape(1, 4)
    rank = len(shape)
    kind = c.pick(ANY if c.version >= 10 else NUMBERS)
    axes = sorted(int(a) for a in c.rng.choice(rank, c.integer(1, rank), replace=False))
    starts, ends, steps = [], [], []
    for axis in axes:
        size = shape[axis]
        step = c.pick([1, 1, 1, 2, 3, -1, -2]) if c.version >= 10 else 1
        starts.append(c.integer(-size - 2, size + 2))
        ends.append(c.pick([c.integer(-size - 2, size + 2), 2**31 - 1, 2**63 - 1, -(2**31), -(2**63) + 1]))
        steps.append(step)
    x = c.feed(c.array(kind, shape))
    if c.version < 10:
        return c.output(
            c.node("Slice", [x], starts=starts, ends=ends, axes=axes if c.chance(0.8) or len(axes) != rank else None)
        )
    kind = np.int64 if max(map(abs, ends)) > 2**31 else c.pick([np.int32, np.int64])
    named = [a - rank if c.chance(0.3) else a for a in axes]
    vector = lambda v: c.value(np.array(v, kind), 0.7)
    inputs = [x, vector(starts), vector(ends), vector(named)]
    if any(s != 1 for s in steps) or c.chance(0.4):
        inputs.append(vector(steps))
    c.output(c.node("Slice", inputs))


@operator("Gather", "GatherElements", "GatherND", weight=2)
def gather(c):
    kind, index_kind = c.pick(ANY), c.pick(["int32", "int64"])
    shape = c.shape(1, 4, zero=0)
    if c.name == "GatherND":
        batch = c.integer(0, len(shape) - 1) if c.version >= 12 and c.chance(0.4) else 0
        last = c.integer(1, len(shape) - batch)
        lead = shape[:batch] + c.shape(0 if batch else 1, 2, most=100)
        indices = np.stack([c.rng.integers(-shape[batch + i], shape[batch + i], lead) for i in range(last)], -1)
        return c.output(
            c.node(
                "GatherND", [c.feed(c.array(kind, shape)), c.value(indices.astype(np.int64))], batch_dims=batch or None
            )
        )
    axis = axis_of(c, len(shape))
    size = shape[axis]
    if c.name == "Gather":
        indices = c.rng.integers(-size if c.version >= 11 else 0, size, c.shape(0, 3, most=200))
    else:
        own = [c.integer(1, s) for s in shape]
        own[axis] = c.size()
        indices = c.rng.integers(-size, size, own)
    c.output(
        c.node(
            c.name,
            [c.value(c.array(kind, shape), 0.2), c.feed(indices.astype(index_kind))],
            axis=axis if c.chance(0.8) or c.name != "Gather" else (0 if axis % len(shape) == 0 else axis),
        )
    )


@operator("ScatterElements", "ScatterND", "Scatter", weight=2)
def scatter(c):
    shape = c.shape(1, 4, zero=0)
    kind = c.pick(FLOATS + ["int32", "int64", "uint8"])
    reductions = {True: ["none", "add", "mul"] + (["min", "max"] if c.version >= 18 else []), False: ["none"]}
    reduction = c.pick(reductions[c.version >= 16 and c.name != "Scatter"])
    data = c.feed(c.array(kind, shape))
    if c.name == "ScatterND":
        last = c.integer(1, len(shape))
        places = int(np.prod(shape[:last]))
        count = c.integer(1, max(min(places, 12), 1))
        flat = c.rng.choice(places, count, replace=reduction != "none")
        indices = np.stack(np.unravel_index(flat, shape[:last]), -1).astype(np.int64)
        updates = c.array(kind, [count] + shape[last:])
    else:
        axis = axis_of(c, len(shape))
        own = [c.integer(1, s) for s in shape]
        if reduction == "none":
            order = np.argsort(
                c.rng.random(own[: axis % len(shape)] + [shape[axis]] + own[axis % len(shape) + 1 :]), axis
            )
            indices = np.take(order, range(own[axis]), axis)
        else:
            indices = c.rng.integers(-shape[axis], shape[axis], own)
        indices = indices.astype(c.pick(["int32", "int64"]))
        updates = c.array(kind, own)
    extra = {} if c.name == "ScatterND" else {"axis": axis}
    if reduction != "none":
        extra["reduction"] = reduction
    c.output(c.node(c.name, [data, c.value(indices), c.feed(updates)], **extra))


@operator("Pad", weight=2)
def pad(c):
    shape = c.shape(1, 4, zero=0)
    modes = ["constant", "reflect", "edge"] + (["wrap"] if c.version >= 19 else [])
    mode = c.pick(modes)
    kind = c.pick(
        ["float32", "float64"] if c.version < 13 else ["float32", "float64", "int32", "int64", "uint8", "int8", "bool"]
    )
    begin, end = [], []
    for size in shape:
        most = size - 1 if mode == "reflect" else size if mode == "wrap" else 3
        low = -(size // 3) if mode == "constant" else 0
        begin.append(c.integer(low, min(most, 4)))
        end.append(c.integer(low, min(most, 4)))
    if c.version < 11:
        return c.output(
            c.node(
                "Pad",
                [c.feed(c.array("float32", shape))],
                mode=c.pick([mode]),
                pads=begin + end,
                value=1.5 if c.chance(0.5) else None,
            )
        )
    inputs = [c.feed(c.array(kind, shape))]
    axes = list(range(len(shape)))
    if c.version >= 18 and c.chance(0.4):
        axes = sorted(int(a) for a in c.rng.choice(len(shape), c.integer(1, len(shape)), replace=False))
    pads = [begin[a] for a in axes] + [end[a] for a in axes]
    inputs.append(c.value(np.array(pads, np.int64), 0.7))
    value = c.value(c.array(kind, [])) if mode == "constant" and c.chance(0.6) else ""
    inputs.append(value)
    if len(axes) < len(shape):
        inputs.append(c.value(np.array([a - len(shape) if c.chance(0.3) else a for a in axes], np.int64)))
    c.output(c.node("Pad", inputs, mode=mode if mode != "constant" or c.chance(0.5) else None))


@operator("Expand", "Tile")
def expand(c):
    shape = c.shape(0 if c.name == "Expand" else 1, 4)
    kind = c.pick(NUMBERS + ["bool"])
    if c.name == "Expand":
        second = np.array(
            c.subshape(shape) if c.chance(0.3) else [c.integer(1, 3) for _ in range(c.integer(0, 1))] + shape, np.int64
        )
        return c.output(c.node("Expand", [c.feed(c.array(kind, c.subshape(shape))), c.value(second, 0.7)]))
    repeats = np.array([c.integer(0 if c.chance(0.05) else 1, 3) for _ in shape], np.int64)
    c.output(c.node("Tile", [c.feed(c.array(kind, shape)), c.value(repeats, 0.7)]))


@operator("Shape", "Size")
def shape_(c):
    shape = c.shape(0, 5)
    attributes = {}
    if c.name == "Shape" and c.version >= 15:
        attributes = {"start": c.pick([None, c.integer(-6, 6)]), "end": c.pick([None, c.integer(-6, 6)])}
    c.output(c.node(c.name, [c.feed(c.array(c.pick(ANY), shape))], **attributes))


@operator("ConstantOfShape")
def constant_of_shape(c):
    from onnx import numpy_helper

    kind = c.pick(["float32", "float64", "float16", "int64", "int32", "uint8", "bool", "int8"])
    value = numpy_helper.from_array(c.array(kind, [1])) if c.chance(0.8) else None
    c.output(c.node("ConstantOfShape", [c.value(np.array(c.shape(0, 4), np.int64))], value=value))


@operator("Range")
def range_(c):
    kind = c.pick(["float32", "float64", "int16", "int32", "int64"])
    start, delta = c.array(kind, [], -5, 5), c.array(kind, [], 1, 3)
    if c.chance(0.4):
        delta = -delta
    stop = (start + delta * c.integer(-1, 12)).astype(kind)
    if np.dtype(kind).kind == "f":
        start, delta = np.round(start * 4) / 4, np.round(delta * 4) / 4
        stop = np.round(stop * 4) / 4 + np.asarray(0.1, kind)
    c.output(c.node("Range", [c.value(np.array(v, kind)) for v in (start, stop, delta)]))


@operator("DepthToSpace", "SpaceToDepth")
def depth(c):
    block = c.integer(1, 3)
    n, ch, h, w = c.integer(1, 2), c.integer(1, 4), c.integer(1, 5), c.integer(1, 5)
    kind = c.pick(
        ["float32", "float64"] if c.version < 13 or c.name == "SpaceToDepth" else ["float32", "float64", "uint8"]
    )
    if c.name == "DepthToSpace":
        mode = c.pick(["DCR", "CRD", None]) if c.version >= 11 else None
        return c.output(
            c.node(c.name, [c.feed(c.array(kind, [n, ch * block * block, h, w]))], blocksize=block, mode=mode)
        )
    c.output(c.node(c.name, [c.feed(c.array(kind, [n, ch, h * block, w * block]))], blocksize=block))


@operator("OneHot")
def one_hot(c):
    depth, kind, value_kind = (
        c.integer(1, 7),
        c.pick(["int64", "int32", "float32"]),
        c.pick(["float32", "int64", "int32"]),
    )
    shape = c.shape(1, 3, zero=0, most=200)
    low = -depth if c.version >= 11 and c.chance(0.6) else 0
    extra = 2 if c.chance(0.2) else -1
    indices = c.rng.integers(low, depth + extra + 1, shape).astype(kind)
    c.output(
        c.node(
            "OneHot",
            [
                c.feed(indices),
                c.value(np.array(depth if c.chance(0.5) else [depth], np.int64), 0.7),
                c.value(c.array(value_kind, [2])),
            ],
            axis=c.pick([None, axis_of(c, len(shape) + 1)]),
        )
    )


@operator("EyeLike")
def eye(c):
    c.output(
        c.node(
            "EyeLike",
            [c.feed(c.array(c.pick(["float32", "int64", "int32", "float64"]), [c.size(0), c.size(0)]))],
            k=c.pick([None, c.integer(-5, 5)]),
            dtype=c.pick([None, 1, 7, 11, 6]),
        )
    )


@operator("Trilu")
def trilu(c):
    shape = c.shape(2, 4)
    k = c.value(np.array(c.integer(-6, 6), np.int64)) if c.chance(0.6) else ""
    c.output(
        c.node(
            "Trilu",
            [c.feed(c.array(c.pick(["float32", "float64", "int64", "bool"]), shape)), k],
            upper=c.pick([None, 0, 1]),
        )
    )


@operator("NonZero")
def non_zero(c):
    kind = c.pick(["float32", "bool", "int32", "int64", "uint8"])
    c.output(
        c.node(
            "NonZero",
            [
                c.feed(
                    c.array(kind, c.shape(1, 4), 0, 1)
                    if kind not in ("float32", "bool")
                    else c.array(kind, c.shape(1, 4))
                )
            ],
        )
    )


@operator("Compress")
def compress(c):
    shape = c.shape(1, 4, zero=0)
    axis = axis_of(c, len(shape)) if c.chance(0.7) else None
    if axis is not None and c.version < 11:
        axis %= len(shape)
    length = shape[axis] if axis is not None else int(np.prod(shape))
    condition = c.array("bool", [c.integer(1, length)])
    c.output(c.node("Compress", [c.feed(c.array(c.pick(ANY), shape)), c.value(condition)], axis=axis))


@operator("TopK", weight=2)
def topk(c):
    shape = c.shape(1, 4, zero=0)
    axis = axis_of(c, len(shape)) if c.version >= 11 else c.integer(0, len(shape) - 1)
    kind = c.pick(["float32", "float64", "int32", "int64"] if c.version >= 11 else ["float32", "float64"])
    k = c.integer(0 if c.chance(0.1) else 1, shape[axis])
    x = c.array(kind, shape)
    if c.version < 11 or c.chance(0.5):
        x = np.argsort(c.rng.random(shape), axis).astype(kind)
    attributes = {"axis": axis}
    if c.version >= 11:
        attributes |= {"largest": c.pick([None, 0, 1]), "sorted": c.pick([None, 1])}
    if c.version < 10:
        return c.output(*c.node("TopK", [c.feed(x)], 2, k=max(k, 1), axis=axis))
    c.output(*c.node("TopK", [c.feed(x), c.value(np.array([k], np.int64), 0.7)], 2, **attributes))


@operator("Unique")
def unique(c):
    shape = c.shape(1, 3, zero=0)
    kind = c.pick(["float32", "float64", "int64", "int8", "string"])
    x = c.array(kind, shape, 0, 3) if kind != "string" else c.array(kind, shape)
    x = np.round(x) if kind.startswith("f") else x
    c.output(
        *c.node("Unique", [c.feed(x)], 4, axis=c.pick([None, axis_of(c, len(shape))]), sorted=c.pick([None, 0, 1]))
    )


@operator("ReverseSequence")
def reverse(c):
    shape = [c.size(0), c.size(0)] + c.shape(0, 2, zero=0, most=30)
    time, batch = c.pick([(0, 1), (1, 0)])
    lengths = c.rng.integers(1, shape[time] + 1, shape[batch])
    c.output(
        c.node(
            "ReverseSequence",
            [c.feed(c.array(c.pick(["float32", "int64", "string"]), shape)), c.value(lengths.astype(np.int64))],
            time_axis=time,
            batch_axis=batch,
        )
    )


@operator("CenterCropPad")
def center(c):
    shape = c.shape(1, 4, zero=0)
    axes = sorted(int(a) for a in c.rng.choice(len(shape), c.integer(1, len(shape)), replace=False))
    target = np.array([c.integer(1, 9) for _ in axes], np.int64)
    c.output(c.node("CenterCropPad", [c.feed(c.array("float32", shape)), c.value(target)], axes=axes))


@operator("Col2Im")
def col2im(c):
    n, ch = c.integer(1, 2), c.integer(1, 3)
    image, block = [c.integer(4, 8), c.integer(4, 8)], [c.integer(1, 3), c.integer(1, 3)]
    strides, dilations, pads = (
        [c.integer(1, 2) for _ in range(2)],
        [c.integer(1, 2) for _ in range(2)],
        [c.integer(0, 1) for _ in range(4)],
    )
    count = 1
    for i in range(2):
        places = (image[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1
        count *= max(places, 1)
    c.output(
        c.node(
            "Col2Im",
            [
                c.feed(c.array("float32", [n, ch * block[0] * block[1], count])),
                c.constant(np.array(image, np.int64)),
                c.constant(np.array(block, np.int64)),
            ],
            strides=strides,
            dilations=dilations,
            pads=pads,
        )
    )
