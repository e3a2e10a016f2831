"""Random quantised networks: their values, scales and weights. The steps are in rounded.py and integers.py.

Half of them have scales that are powers of two, with which floats are exact in any order: there all must be equal.
"""

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

from case import bfloat16, operator
from networks import Misfit, Network

BYTES = [TensorProto.UINT8, TensorProto.INT8]
WIDE = [TensorProto.UINT16, TensorProto.INT16]
BYTE_NAMES = ["uint8", "int8"]
RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint4": (0, 15),
    "int4": (-8, 7),
}


def element(kind):
    return np.dtype(getattr(ml_dtypes, kind)) if kind.endswith("int4") else np.dtype(kind)


def named(code):
    return helper.tensor_dtype_to_np_dtype(code).name


class Quantised(Network):
    def __init__(self, c):
        super().__init__(c)
        self.kind = "bytes"
        self.exact, self.coarsest = c.chance(0.6), 0.0  # whether rounding is none; the largest scale
        self.grains, self.origins = {}, {}  # scales of bytes, and the bytes that floats come from
        self.stock = []  # weights that others may share

    def forget(self, names):
        self.origins = {y: q for y, q in self.origins.items() if y not in names and q not in names}
        self.grains = {q: own for q, own in self.grains.items() if q not in names}
        self.stock = [entry for entry in self.stock if entry[0] not in names]


@operator("Network of bytes", weight=110)
def make(c):
    n = Quantised(c)
    kind = c.integer(0, 3)
    if kind == 0:
        shape, dims = [c.pick([1, 2, 3]), c.pick([1, 4, 7, 16]), c.pick([4, 8, 16, 31])], ["N", "T", 0]
    elif kind == 1:
        shape, dims = [c.pick([1, 2, 5]), c.pick([4, 16, 33])], ["N", 0]
    else:
        sides = c.pick([[5], [7, 7], [6, 9], [12, 12], [3, 3, 4]])
        shape = [c.pick([1, 1, 2, 3]), c.pick([1, 3, 4, 8, 16, 24, 32]), *sides]
        dims = ["N", 0, *["H", "W", "D"][: len(sides)]]
    dims = [dim or size for dim, size in zip(dims, shape)] if c.chance(0.35) else None
    if c.chance(0.2):
        q = n.feed(c.rng.integers(*RANGES["uint8"], shape, endpoint=True).astype("uint8"), dims)
        n.grains[q] = grain(n, "uint8")
        dequantised(n, q)
    else:
        requantised(n, n.feed(c.array("float32", shape), dims))
    n.walk("bytes", 3, 10)
    if not n.exact:
        close(n)
    n.finish(0 if n.exact or c.opset < 19 else 0.2, ["float16", bfloat16])
    if n.exact:
        c.rtol, c.atol, c.exact = 1e-6, 1e-9, True
    else:
        c.loose(1e-3, 2.1 * n.coarsest)


def close(n):
    """Bytes that are not exact leave as floats, which a tolerance fits."""
    read = {name for node in n.c.nodes for name in node.input}
    for q in [q for q in n.grains if q not in n.c.inputs]:
        if q not in read:
            dequantised(n, q)
        n.shapes.pop(q, None)


# Scales


def factors(n, about, shape=()):
    """Scales near a number: powers of two in an exact network."""
    exponents = np.log2(about) + n.c.rng.uniform(-1, 1, shape)
    return np.exp2(np.round(exponents) if n.exact else exponents).astype("float32")


def stored(n, array):
    """A scale or a zero point: mostly a constant, of no axes or of one."""
    array = np.asarray(array)
    array = array.reshape(1) if array.ndim == 0 and n.c.chance(0.04) else array
    if n.c.chance(0.96) or array.dtype.name.endswith("int4"):
        return n.constant(array)
    name = n.c.feed(array, symbolic=False)
    n.known[name] = array
    return name


def grain(n, kind, about=None):
    """The names and numbers of an activation's scale and zero point."""
    c = n.c
    scale = factors(n, about or c.pick([1 / 64, 1 / 32, 1 / 16]))
    centre = {"uint8": [128, 128, 127, 0, 3], "int8": [0, 0, 0, 5, -128], "uint16": [32768, 0, 777], "int16": [0, 3]}
    zero = c.pick(centre[kind])
    # ONNX Runtime's sums and products of bytes round with the zero point in it, which moves ties where it is odd.
    zero = element(kind).type(zero & ~1 if n.exact else zero)
    n.coarsest = max(n.coarsest, float(scale))
    absent = zero == 0 and kind == "uint8" and c.chance(0.5)
    return stored(n, scale), "" if absent else stored(n, zero), scale, zero


def quantised(n, x, kind=None, like=None):
    """x as bytes."""
    c = n.c
    kind = kind or c.pick(["uint16", "int16"] if c.opset > 20 and c.chance(0.08) else BYTE_NAMES)
    own = like or grain(n, kind)
    q = n.add("QuantizeLinear", [x, own[0], own[1]])
    n.grains[q] = own
    return q


def dequantised(n, q):
    own = n.grains[q]
    if n.c.chance(0.2):
        own = (n.constant(own[2]), n.constant(own[3]) if own[1] else "", *own[2:])
    y = n.add("DequantizeLinear", [q, own[0], own[1]])
    n.origins[y] = q
    return y


def requantised(n, x, like=None):
    return dequantised(n, quantised(n, x, like=like))


def floats(n, x):
    """x, brought to bytes and back where it is not yet: always where sums must stay exact."""
    if x in n.origins or not n.exact and n.c.chance(0.3):
        return x
    return requantised(n, x)


def bytes_of(n, x, kinds=BYTES):
    q = n.origins.get(x)
    return q if q and n.kinds[q] in kinds else quantised(n, x, named(n.c.pick(kinds)))


def settled(n, y):
    """What follows a product: a sum with another value, an activation, bytes."""
    c, shape = n.c, n.shapes[y]
    if c.chance(0.15):
        y = n.add("Add", n.shuffled(y, n.recent(lambda s: s == shape)))
    if c.chance(0.4):
        y = bent(n, y)
    return requantised(n, y) if c.chance(0.92) else y


def bent(n, x):
    c = n.c
    kind = c.integer(0, 6 if n.exact else 10)
    if kind < 3:
        return n.add("Relu", [x])
    if kind < 5:
        bounds = [c.pick([-1, 0, 0]), c.pick([0.5, 2, 6])]
        return n.add("Clip", [x, *[n.constant(np.float32(bound)) for bound in bounds]])
    if kind == 5:
        return n.add("LeakyRelu", [x], alpha=c.pick([0.25, 0.5]))
    if kind == 6:
        return n.add(c.pick(["Abs", "Neg"]), [x])
    if kind < 9:
        return n.add(c.pick(["Sigmoid", "HardSwish", "Tanh", "HardSigmoid", "Elu"]), [x])
    return n.add("Mul", n.shuffled(x, n.add("Sigmoid", [x])))


# Weights


def weights(n, shape, axis, over, few=False):
    """Weights behind a DequantizeLinear, with scales for the tensor, an axis or blocks: their name and scales."""
    c = n.c
    alike = [(name, scales) for name, s, scales, at in n.stock if s == tuple(shape) and at == axis]
    if alike and c.chance(0.3):
        return c.pick(alike)
    kind = c.pick(["int8"] * 6 + ["uint8"] * 3 + (["int4", "uint4"] if c.opset > 20 and not few else []))
    low, high = RANGES[kind]
    ints = c.rng.integers(low, high, shape, endpoint=True)
    spread = c.pick(["tensor", "axis", "axis", *(["blocks"] if c.opset > 20 and not few else [])])
    size, options = (), {}
    if spread == "axis":
        size, options = (shape[axis],), {"axis": axis - len(shape) if c.chance(0.2) else axis}
    if spread == "blocks":
        along = c.integer(0, len(shape) - 1)
        block = c.integer(1, shape[along])
        size = tuple(-(-s // block) if i == along else s for i, s in enumerate(shape))
        options = {"axis": along, "block_size": block}
    scales = factors(n, 1 / (np.sqrt(over) * (high - low) / 3.5), size)
    middle = 0 if low < 0 else (high + 1) // 2
    if c.chance(0.25):
        zeros = middle + c.rng.integers(-3, 3, size, endpoint=True)
    else:
        zeros = np.full(size, middle)
    zeros = np.asarray(zeros).astype(element(kind))
    inputs = [n.constant(ints.astype(element(kind))), stored(n, scales), stored(n, zeros)]
    if kind in BYTE_NAMES and spread != "blocks" and c.chance(0.08):
        # Float weights that the graph itself quantises, as training with quantisation leaves them.
        spread = [-1 if i == axis and size else 1 for i in range(len(shape))]
        real = n.constant(((ints - zeros.astype(int).reshape(spread)) * scales.reshape(spread)).astype("float32"))
        inputs[0] = n.add("QuantizeLinear", [real, *inputs[1:]], **options)
        n.known[inputs[0]] = ints.astype(kind)
        del n.shapes[inputs[0]]
    elif kind in BYTE_NAMES and c.chance(0.04):
        inputs[0] = n.feed(ints.astype(kind))
        del n.shapes[inputs[0]]
        n.known[inputs[0]] = ints.astype(kind)
    if middle == 0 and not zeros.any() and c.chance(0.4):
        inputs.pop()
    name = n.add("DequantizeLinear", inputs, **options)
    del n.shapes[name]
    n.known[name] = np.zeros(shape, "float32")
    n.stock.append((name, tuple(shape), scales, axis))
    return name, scales


def bias(n, x, scales, size):
    """None, or a bias in the sums' unit, in another one, or of floats."""
    c = n.c
    kind = c.integer(0, 6)
    if kind < 2:
        return []
    if kind == 2:
        return [n.constant(factors(n, 0.3, (size,)) * np.float32(c.pick([1, -1])))]
    unit = np.asarray(n.grains[n.origins[x]][2] if x in n.origins else factors(n, 1 / 32)) * scales
    if unit.ndim > 1:
        unit = unit.ravel()[0]
    if kind == 3:
        unit = factors(n, 1 / 512)
    ints = np.round(c.rng.standard_normal(size) * 0.5 / unit).astype("int32")
    options = {"axis": 0} if np.ndim(unit) else {}
    inputs = [n.constant(ints), n.constant(np.asarray(unit, "float32"))]
    if c.chance(0.5):
        inputs.append(n.constant(np.zeros(np.shape(unit), "int32")))
    name = n.add("DequantizeLinear", inputs, **options)
    del n.shapes[name]
    n.known[name] = np.zeros(size, "float32")
    return [name]


def image(n, x):
    if len(n.shapes[x]) not in (3, 4, 5):
        raise Misfit
    return n.shapes[x][1], len(n.shapes[x]) - 2


def window(n, x):
    """Attributes of a convolution: by axis what they may be."""
    c = n.c
    channels, spatial = image(n, x)
    shape = [c.pick([1, 1, 2, 3, 3, 3, 5])] * spatial if c.chance(0.7) else [c.integer(1, 4) for _ in range(spatial)]
    if c.chance(0.5):
        return shape, {"pads": [size // 2 for size in shape] * 2, "strides": [c.pick([1, 1, 2])] * spatial}
    options = {"strides": [c.pick([1, 1, 2, 3]) for _ in shape]}
    if c.chance(0.2):
        return shape, options | {"auto_pad": c.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])}
    options["dilations"] = [c.pick([1, 1, 1, 2, 3]) for _ in shape]
    return shape, options | {"pads": [c.integer(0, 2) for _ in range(2 * spatial)]}


def grouped(n, channels):
    """Groups and filters."""
    c = n.c
    group = c.pick([g for g in (1, 1, 1, 1, 2, 4, channels, channels) if channels % g == 0])
    return group, group * c.pick([1, 1, 2] if group > 1 else [1, 3, 4, 8, 16, 16, 17, 32, channels])
