"""Steps of quantised networks that floats do, between DequantizeLinear and QuantizeLinear."""

import ml_dtypes
import numpy as np

from networks import Misfit, broadcasts, step
from quantised import (
    BYTE_NAMES,
    RANGES,
    bent,
    bias,
    dequantised,
    element,
    factors,
    floats,
    grain,
    grouped,
    image,
    quantised,
    requantised,
    settled,
    stored,
    weights,
    window,
)


@step("bytes", weight=10)
def convolution(n, x):
    channels, _ = image(n, x)
    x = floats(n, x)
    group, filters = grouped(n, channels)
    shape, options = window(n, x)
    shape = [filters, channels // group, *shape]
    if group == 1 and set(shape[2:]) == {3} and set(options["strides"]) == {1}:
        n.exact = False  # as floats perhaps by Winograd's algorithm, which rounds
    w, scales = weights(n, shape, 0, int(np.prod(shape[1:])))
    return settled(n, n.add("Conv", [x, w, *bias(n, x, scales, filters)], group=group, **options))


@step("bytes", weight=1)
def transposed(n, x):
    channels, spatial = image(n, x)
    c, x = n.c, floats(n, x)
    shape = [channels, c.pick([1, 4, 8]), *[c.integer(1, 3) for _ in range(spatial)]]
    w, scales = weights(n, shape, 1, channels)
    y = n.add("ConvTranspose", [x, w, *bias(n, x, scales, shape[1])], strides=[c.integer(1, 2) for _ in range(spatial)])
    return settled(n, y)


@step("bytes", weight=8)
def dense(n, x):
    """MatMul, or Gemm with its bias."""
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    x = floats(n, x)
    size, columns = shape[-1], c.pick([1, 4, 8, 16, 17, 32, shape[-1]])
    if len(shape) == 2 and c.chance(0.6):
        across = c.integer(0, 1)
        w, scales = weights(n, [columns, size] if across else [size, columns], 1 - across, size)
        options = {"alpha": c.pick([None, None, None, 2.0]), "beta": c.pick([None, None, None, 0.5])}
        y = n.add("Gemm", [x, w, *bias(n, x, scales, columns)], transB=across or None, **options)
        return settled(n, y)
    lead = [c.pick([1, shape[0]])] if len(shape) == 3 and c.chance(0.1) else []
    w, scales = weights(n, [*lead, size, columns], len(lead) + 1, size)
    y = n.add("MatMul", [x, w])
    y = requantised(n, y) if c.chance(0.2) else y
    given = bias(n, x, scales, columns)
    return settled(n, n.add("Add", n.shuffled(y, *given)) if given else y)


@step("bytes", weight=2)
def with_itself(n, x):
    """The product of two activations."""
    shape = n.shapes[x]
    if len(shape) < 2:
        raise Misfit
    x = floats(n, x)
    other = floats(n, n.recent(lambda s: s == shape))
    y = n.transpose(other, *range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    y = requantised(n, y, n.grains[n.origins[other]] if other in n.origins else None) if n.c.chance(0.4) else y
    y = n.add("Mul", [n.add("MatMul", [x, y]), n.constant(np.float32(1 / 2 ** np.ceil(np.log2(shape[-1]) / 2)))])
    if not n.exact and n.c.chance(0.5):
        y = n.add("Softmax", [y], axis=-1)
        y = dequantised(n, quantised(n, y, like=grain(n, "uint8", 1 / 256)))
        return settled(n, n.add("MatMul", [y, other]))
    return settled(n, y)


@step("bytes", weight=5)
def pair(n, x):
    shape = n.shapes[x]
    same = n.c.chance(0.7)
    other = n.recent(lambda s: s == shape if same else len(s) == len(shape) and broadcasts(s, shape))
    x, other = floats(n, x), floats(n, other)
    y = n.add(n.c.pick(["Add", "Add", "Add", "Mul", "Mul", "Sub", "Max", "Min"]), n.shuffled(x, other))
    y = bent(n, y) if n.c.chance(0.3) else y
    return requantised(n, y)


@step("bytes", weight=2)
def by_constant(n, x):
    """A constant of bytes or of floats that broadcasts."""
    c, x = n.c, floats(n, x)
    shape = c.subshape(list(n.shapes[x]))
    if c.chance(0.5):
        kind = c.pick(["uint8", "int8"])
        own = grain(n, kind)
        ints = c.rng.integers(*RANGES[kind], shape, endpoint=True).astype(kind)
        other = n.add("DequantizeLinear", [n.constant(ints), own[0], own[1]])
    else:
        other = n.constant(factors(n, 1, shape))
    return requantised(n, n.add(c.pick(["Add", "Mul", "Sub"]), n.shuffled(x, other)))


@step("bytes", weight=4)
def concat(n, x):
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    axis = c.integer(0, len(shape) - 1) if c.chance(0.5) or len(shape) < 2 else 1
    fits = lambda s: len(s) == len(shape) and all(i == axis or a == b for i, (a, b) in enumerate(zip(s, shape)))
    parts = [floats(n, part) for part in [x, *[n.recent(fits) for _ in range(c.integer(1, 2))]]]
    if sum(n.shapes[part][axis] for part in parts) > 100:
        raise Misfit
    if c.chance(0.3):
        own = grain(n, c.pick(["uint8", "int8"]))
        parts = [requantised(n, part, own) for part in parts]
        return requantised(n, n.add("Concat", parts, axis=axis), own if c.chance(0.8) else None)
    return requantised(n, n.add("Concat", parts, axis=axis))


@step("bytes", weight=6)
def moved(n, x):
    """What only moves elements: on floats, whose scale stays or does not, or on the bytes."""
    c = n.c
    x = floats(n, x)
    q = n.origins.get(x)
    if q and c.chance(0.3):
        y = move(n, q)
        n.grains[y] = n.grains[q]
        return dequantised(n, y)
    y = move(n, x)
    y = move(n, y) if c.chance(0.3) else y
    return requantised(n, y, n.grains[q] if q and c.chance(0.6) else None)


def move(n, x):
    c, shape = n.c, list(n.shapes[x])
    rank = len(shape)
    if not rank:
        raise Misfit
    axis = c.integer(0, rank - 1)
    kind = c.integer(0, 9)
    if kind == 0:
        return n.transpose(x, *[int(i) for i in c.rng.permutation(rank)])
    if kind == 1 and rank > 2:
        return n.add("Reshape", [x, n.integers(*[0] * (rank - 2), -1)])
    if kind == 2:
        return n.add("Flatten", [x], axis=c.integer(1, max(1, rank - 1)))
    if kind == 3 and rank < 5:
        return n.add("Unsqueeze", [x, n.integers(c.integer(0, rank))])
    if kind == 4 and shape[axis] > 1:
        start = c.integer(0, shape[axis] - 1)
        step = c.pick([1, 1, 2, -1])
        ends = [start, 10**6 if step > 0 else -(10**6)]
        return n.add("Slice", [x, *map(n.integers, ends), n.integers(axis), n.integers(step)])
    if kind == 5:
        at = c.rng.integers(0, shape[axis], c.pick([[], [1], [3]]))
        return n.add("Gather", [x, n.constant(np.asarray(at, np.int64))], axis=axis)
    if kind == 6 and shape[axis] > 1:
        at = c.integer(1, shape[axis] - 1)
        return c.pick(n.add("Split", [x, n.lengths([at, shape[axis] - at])], 2, axis=axis))
    if kind == 7 and rank == 4 and shape[1] % 4 == 0:
        return n.add("DepthToSpace", [x], blocksize=2, mode=c.pick(["DCR", "CRD"]))
    if kind == 8 and x not in n.kinds:
        ends = [c.integer(0, 1) for _ in range(2 * rank)]
        return n.add("Pad", [x, n.integers(*ends)], mode=c.pick(["constant", "edge"]))
    if kind == 9 and 1 in shape:
        return n.add("Expand", [x, n.lengths([c.integer(2, 3) if size == 1 else size for size in shape])])
    raise Misfit


@step("bytes", weight=4)
def pool(n, x):
    c = n.c
    _, spatial = image(n, x)
    x = floats(n, x)
    like = n.grains[n.origins[x]] if x in n.origins and c.chance(0.6) else None
    if c.chance(0.25) and not n.exact:
        return requantised(n, n.add("GlobalAveragePool", [x]), like)
    size = [min(2, side) for side in n.shapes[x][2:]]
    if c.chance(0.3):
        return requantised(n, n.add("AveragePool", [x], kernel_shape=size, strides=size), like)
    window = [c.integer(1, min(3, side)) for side in n.shapes[x][2:]]
    options = {"strides": [c.pick([1, 2]) for _ in window], "pads": [c.integer(0, w - 1) for w in window] * 2}
    return requantised(n, n.add("MaxPool", [x], kernel_shape=window, ceil_mode=c.pick([None, 1]), **options), like)


@step("bytes", weight=2)
def resize(n, x):
    _, spatial = image(n, x)
    c, x = n.c, floats(n, x)
    like = n.grains[n.origins[x]] if x in n.origins and c.chance(0.6) else None
    options = {"mode": c.pick(["nearest", "linear"])}
    options["coordinate_transformation_mode"] = c.pick(["asymmetric", "half_pixel"])
    scales = n.constant(np.array([1, 1] + [2] * spatial, "float32"))
    return requantised(n, n.add("Resize", [x, "", scales], nearest_mode="floor", **options), like)


@step("bytes", weight=3)
def activation(n, x):
    x = floats(n, x)
    like = n.grains[n.origins[x]] if x in n.origins and n.c.chance(0.3) else None
    return requantised(n, bent(n, x), like)


@step("bytes", weight=2)
def again(n, x):
    """Another scale or type for the same value."""
    return requantised(n, x)


@step("bytes", weight=1)
def mean(n, x):
    if n.exact or not n.shapes[x]:
        raise Misfit
    x = floats(n, x)
    last = len(n.shapes[x]) - 1
    axes = [last] if n.dims else sorted({n.c.integer(0, last) for _ in range(2)})
    return requantised(n, n.mean(x, *axes))


@step("bytes", weight=1)
def by_axis(n, x):
    """Bytes with scales of an axis, or of blocks along one."""
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    kind = c.pick(["uint8", "int8", *(["uint16", "int4", "uint4"] if c.opset > 20 else [])])
    axis = c.integer(0, len(shape) - 1)
    size, options = (shape[axis],), {"axis": axis - len(shape) if c.chance(0.3) else axis}
    if c.opset > 20 and not n.dims and c.chance(0.4):
        block = c.integer(1, shape[axis])
        size = tuple(-(-s // block) if i == axis else s for i, s in enumerate(shape))
        options["block_size"] = block
    elif n.dims:
        raise Misfit
    low, high = RANGES[kind]
    middle = (low + high + 1) // 2
    zeros = middle + c.rng.integers(-2, 2, size, endpoint=True)
    scales = factors(n, 1 / 4 if high < 16 else 1 / 32, size)
    n.coarsest = max(n.coarsest, float(scales.max()))
    names = [stored(n, scales), stored(n, zeros.astype(element(kind)))]
    q = n.add("QuantizeLinear", [x, *names], **options)
    y = n.add("DequantizeLinear", [q, *names], **options)
    del n.shapes[q]
    return y


@step("bytes", weight=0.5)
def small_floats(n, x):
    """Floats of eight bits, and weights of such."""
    c, shape = n.c, n.shapes[x]
    if c.opset < 19:
        raise Misfit
    kind = c.pick([ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
    scale, zero = n.constant(factors(n, 1 / 16)), n.constant(np.zeros((), kind))
    if shape and c.chance(0.4) and not n.exact:
        w = n.constant((c.rng.standard_normal([shape[-1], 5]) * 8).astype(kind))
        size = [n.constant(factors(n, 1 / (8 * np.sqrt(shape[-1])), (5,)))]
        w = n.add("DequantizeLinear", [w, *size], axis=1)
        n.known[w] = np.zeros(n.shapes.pop(w), "float32")
        return requantised(n, n.add("MatMul", [x, w]))
    # A step of this type is up to an eighth or a quarter of the value.
    n.coarsest = max(n.coarsest, 0.5)
    q = n.add("QuantizeLinear", [x, scale, zero], saturate=c.pick([None, 1]))
    y = n.add("DequantizeLinear", [q, scale, zero])
    del n.shapes[q]
    return y


@step("bytes", weight=1)
def looked_up(n, x):
    """Rows of a table of bytes, dequantised before or after."""
    c, shape = n.c, n.shapes[x]
    if not shape or n.dims:
        raise Misfit
    rows = c.integer(1, 9)
    kind = c.pick(BYTE_NAMES)
    own = grain(n, kind)
    table = n.constant(c.rng.integers(*RANGES[kind], [rows, shape[-1]], endpoint=True).astype(kind))
    at = c.rng.integers(-rows, rows, shape[:-1]).astype(c.pick(["int64", "int32"]))
    at = n.constant(at) if c.chance(0.3) else c.feed(at, symbolic=False)
    n.known[at] = np.zeros(shape[:-1], "int64")
    if c.chance(0.5):
        q = n.add("Gather", [table, at])
        n.grains[q] = own
        return pair(n, dequantised(n, q))
    return requantised(n, n.add("Gather", [n.add("DequantizeLinear", [table, own[0], own[1]]), at]))


@step("bytes", weight=1)
def chosen(n, x):
    """Where, by another value's sign."""
    shape = n.shapes[x]
    other = floats(n, n.recent(lambda s: s == shape))
    mark = n.add("Greater", [other, n.constant(np.float32(0.25))])
    del n.shapes[mark]
    n.known[mark] = np.zeros(shape, bool)
    return requantised(n, n.add("Where", [mark, floats(n, x), other]))


@step("bytes", weight=1)
def normalised(n, x):
    """Normalisations and Softmax between bytes."""
    c, shape = n.c, n.shapes[x]
    if n.exact or not shape or shape[-1] < 4:
        raise Misfit
    x = floats(n, x)
    kind = c.integer(0, 2)
    if kind == 0 and n.has("LayerNormalization"):
        numbers = [n.about([shape[-1]]), n.weight(shape[-1], over=4)]
        return requantised(n, n.add("LayerNormalization", [x, *numbers], epsilon=0.1))
    if kind == 1 and len(shape) > 2:
        numbers = [n.about([shape[1]]), n.weight(shape[1], over=4), n.weight(shape[1], over=4), n.about([shape[1]])]
        return settled(n, n.add("BatchNormalization", [x, *numbers]))
    return dequantised(n, quantised(n, n.add("Softmax", [x], axis=-1), like=grain(n, "uint8", 1 / 256)))
