"""Random networks of images: convolutions of all kinds, and what stands between them."""

import numpy as np

from networks import Misfit, activation, network, step


@network("images", weight=100)
def begin(n):
    c = n.c
    spatial = c.pick([2, 2, 2, 2, 2, 1, 3])
    sides = {1: [1, 7, 20, 33], 2: [3, 4, 6, 7, 12, 12, 21], 3: [2, 3, 5]}[spatial]
    size = [c.pick([1, 1, 2, 3, 5]), c.pick([3, 4, 8, 16, 16, 24, 32])]
    same = c.pick(sides)
    size += [same if c.chance(0.7) else c.pick(sides) for _ in range(spatial)]
    kind = c.integer(0, 4)
    dims = [["N", *size[1:]], ["N", size[1], *["H", "W", "D"][:spatial]]][kind] if kind < 2 else None
    for _ in range(1 if c.chance(0.8) else 2):
        n.feed(c.array("float32", size), dims)


def image(n, x, spatial=(1, 2, 3)):
    if len(n.shapes[x]) - 2 not in spatial:
        raise Misfit
    return n.shapes[x][1], len(n.shapes[x]) - 2


def normalised(n, y, after=0.4):
    """What usually follows a convolution; sometimes with another reader in between."""
    channels = n.shapes[y][1]
    if n.c.chance(0.3):
        numbers = [n.about([channels]), n.weight(channels, over=4), n.weight(channels, over=4), n.about([channels])]
        y = n.add("BatchNormalization", [y, *numbers])
    return activation(n, y) if n.c.chance(after) else y


def convolve(n, x, filters, size=None, stride=1, group=1):
    """A convolution that keeps the size where stride is 1."""
    channels, spatial = image(n, x)
    size = size or n.c.pick([1, 1, 3, 3, 5])
    weights = n.weight(filters, channels // group, *[size] * spatial)
    bias = [n.weight(filters, over=4)] if n.c.chance(0.6) else []
    return n.add(
        "Conv",
        [x, weights, *bias],
        group=group,
        strides=[stride] * spatial,
        pads=[size // 2] * 2 * spatial,
    )


@step("images", weight=12)
def convolution(n, x):
    channels, _ = image(n, x)
    y = convolve(n, x, n.c.pick([1, 4, 8, 16, 16, 24, 32, channels]), stride=n.c.pick([1, 1, 1, 1, 2]))
    return normalised(n, y)


@step("images", weight=5)
def any_convolution(n, x):
    """Windows, strides, dilations and paddings that differ by axis, groups, padding by the output's size."""
    c = n.c
    channels, spatial = image(n, x)
    group = c.pick([g for g in (1, 1, 2, 3, 4, 8, channels, channels) if channels % g == 0])
    window = [c.pick([1, 2, 3, 3, 4, 5, 7]) for _ in range(spatial)]
    options = {"strides": [c.pick([1, 1, 2, 3]) for _ in window]}
    if c.chance(0.2):
        options["auto_pad"] = c.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    else:
        options["dilations"] = [c.pick([1, 1, 1, 2, 3]) for _ in window]
        options["pads"] = [c.integer(0, 3) for _ in range(2 * spatial)]
    weights = n.weight(group * c.pick([1, 1, 2, 5]), channels // group, *window)
    return normalised(n, n.add("Conv", [x, weights], group=group, **options))


@step("images", weight=2)
def transposed(n, x):
    c = n.c
    channels, spatial = image(n, x)
    group = c.pick([g for g in (1, 1, 2, channels) if channels % g == 0])
    window, strides = [c.integer(1, 4) for _ in range(spatial)], [c.integer(1, 3) for _ in range(spatial)]
    weights = n.weight(channels, c.pick([1, 4, 8]), *window, over=channels // group * 2)
    pads = [c.integer(0, min(1, w - 1)) for w in window] * 2
    extra = [c.integer(0, s - 1) for s in strides] if c.chance(0.3) else None
    y = n.add("ConvTranspose", [x, weights], group=group, strides=strides, pads=pads, output_padding=extra)
    return normalised(n, y)


@step("images", weight=4)
def residual(n, x):
    """A sum with the input, or with the whole of a Concat that has the convolution's own input as a part."""
    c = n.c
    channels, _ = image(n, x)
    y = normalised(n, convolve(n, x, channels), 0.2)
    if c.chance(0.4):
        apart = lambda s: (s[:1], s[2:])
        other = n.recent(lambda s: len(s) > 2 and apart(s) == apart(n.shapes[x]))
        whole = n.add("Concat", n.shuffled(x, other), axis=1)
        y = n.add("Add", n.shuffled(whole, convolve(n, x, n.shapes[whole][1])))
    else:
        y = n.add(c.pick(["Add", "Add", "Mul", "Sub"]), n.shuffled(x, y))
    return activation(n, y) if c.chance(0.5) else y


@step("images", weight=3)
def inverted(n, x):
    """1 × 1, depthwise, factors of channels, 1 × 1, as mobile networks have it."""
    c = n.c
    channels, _ = image(n, x)
    y = normalised(n, convolve(n, x, c.pick([16, 24, 48]), 1), 0.8)
    y = normalised(n, convolve(n, y, n.shapes[y][1], c.pick([3, 5]), group=n.shapes[y][1]), 0.8)
    y = excited(n, y) if c.chance(0.4) else y
    y = normalised(n, convolve(n, y, channels, 1), 0)
    return n.add("Add", n.shuffled(x, y)) if c.chance(0.7) else y


@step("images", weight=2)
def excited(n, x):
    """Squeeze-and-excitation."""
    c = n.c
    channels, spatial = image(n, x)
    axes = range(2, 2 + spatial)
    y = n.add("GlobalAveragePool", [x]) if c.chance(0.5) else n.mean(x, *axes)
    y = activation(n, convolve(n, y, c.pick([1, 4, 8]), 1))
    y = n.add(c.pick(["Sigmoid", "HardSigmoid"]), [convolve(n, y, channels, 1)])
    return n.add("Mul", n.shuffled(x, y))


@step("images", weight=3)
def pool(n, x):
    c = n.c
    _, spatial = image(n, x)
    if c.chance(0.2):
        return n.add(c.pick(["GlobalAveragePool", "GlobalMaxPool"]), [x])
    window = [min(c.pick([2, 3]), size) for size in n.shapes[x][2:]]
    options = {"strides": [c.pick([1, 2]) for _ in window], "pads": [c.integer(0, w - 1) for w in window] * 2}
    op = c.pick(["MaxPool", "AveragePool"])
    if op == "AveragePool":
        options["count_include_pad"] = c.integer(0, 1)
    return n.add(op, [x], kernel_shape=window, **options)


@step("images", weight=3)
def resize(n, x):
    """By scales or to a size, both perhaps computed in the run: from another image's size, as decoders do."""
    c = n.c
    _, spatial = image(n, x)
    shape = n.shapes[x]
    mode, frame = c.pick(["nearest", "linear"]), c.pick(["asymmetric", "half_pixel", "pytorch_half_pixel"])
    options = {"mode": mode, "coordinate_transformation_mode": frame, "nearest_mode": "floor"}
    kind = c.integer(0, 3)
    if kind == 0:
        scales = n.constant(np.array([1, 1] + [c.pick([2, 2, 4])] * spatial, "float32"))
        return n.add("Resize", [x, "", scales], **options)
    if n.dims:
        options["mode"] = "linear"  # of other sizes, rounding alone may say which is nearest
    factor = c.pick([1, 2, 2])
    sizes = n.lengths([*shape[:2], *[factor * size for size in shape[2:]]])
    if kind > 1:
        return n.add("Resize", [x, "", "", sizes], **options)
    real = lambda name: c.node("Cast", [name], to=1)
    ratio = c.node("Div", [real(sizes), real(c.node("Shape", [x]))])
    n.known[ratio] = np.array([1, 1] + [factor] * spatial, "float32")
    return n.add("Resize", [x, "", ratio], **options)


@step("images", weight=1)
def shuffle(n, x):
    """Channels of groups interleaved, or moved into space."""
    channels, spatial = image(n, x)
    shape, groups = n.shapes[x], n.c.pick([2, 3, 4])
    if channels % 4 == 0 and spatial == 2 and n.c.chance(0.4):
        return n.add("DepthToSpace", [x], blocksize=2, mode=n.c.pick(["DCR", "CRD"]))
    if channels % groups:
        raise Misfit
    y = n.reshape(x, shape[0], groups, channels // groups, *shape[2:])
    y = n.transpose(y, 0, 2, 1, *range(3, len(shape) + 1))
    return n.reshape(y, *shape)


@step("images", weight=1)
def last(n, x):
    """A part that has channels last: a dense layer and a normalisation of each position."""
    channels, spatial = image(n, x)
    y = n.transpose(x, 0, *range(2, spatial + 2), 1)
    if n.has("LayerNormalization") and n.c.chance(0.5):
        y = n.add("LayerNormalization", [y, n.about([channels]), n.weight(channels, over=4)], epsilon=1e-2)
    y = n.add("MatMul", [y, n.weight(channels, channels)])
    y = activation(n, y)
    return n.transpose(y, 0, spatial + 1, *range(1, spatial + 1)) if n.c.chance(0.8) else y


@step("images", weight=1)
def pad(n, x):
    _, spatial = image(n, x)
    ends = [0, 0, *[n.c.integer(0, 2) for _ in range(spatial)]]
    mode = n.c.pick(["constant", "constant", "edge"])
    return n.add("Pad", [x, n.lengths(ends * 2)], mode=mode)


@step("images", weight=1)
def one_number(n, x):
    """What a convolution of one axis makes of everything, beside an image."""
    line = n.feed(n.c.array("float32", [1, 1, 5]))
    y = n.add("Conv", [line, n.weight(1, 1, 5)])
    return n.add(n.c.pick(["Mul", "Add"]), n.shuffled(x, y))


@step("images", weight=1)
def between(n, x):
    """Normalisations over space and groups, and Softmax over channels."""
    channels, spatial = image(n, x)
    kind = n.c.integer(0, 2)
    if kind == 0:
        return n.add("Softmax", [x], axis=n.c.pick([1, 1, -1]))
    groups = channels if kind == 1 else n.c.pick([g for g in (1, 2, 4) if channels % g == 0])
    y = n.reshape(x, n.shapes[x][0], groups, -1) if kind == 2 else x
    y = n.add("InstanceNormalization", [y, n.about([groups]), n.weight(groups, over=4)], epsilon=1e-2)
    if kind == 2:
        y = n.reshape(y, *n.shapes[x])
        y = n.add("Mul", [y, n.about([1, channels, *[1] * spatial])])
        y = n.add("Add", [y, n.about([channels, *[1] * spatial])])
    return y


@step("images", weight=1)
def classify(n, x):
    """The end of a classifier; the walk may go on from it, or from anywhere before."""
    channels, _ = image(n, x)
    y = n.add("Flatten", [n.add("GlobalAveragePool", [x]) if n.c.chance(0.6) else x])
    size = n.shapes[y][1]
    if size > 2000:
        raise Misfit
    if n.c.chance(0.5):
        return n.add("Gemm", [y, n.weight(7, size), n.weight(7, over=4)], transB=1)
    return n.add("Add", [n.add("MatMul", [y, n.weight(size, 7, over=size)]), n.weight(7, over=4)])
