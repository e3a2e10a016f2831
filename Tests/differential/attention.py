"""Random networks of sequences and attention, in the forms of exporters and in forms that nobody exports."""

import numpy as np

from networks import Misfit, activation, network, step


@network("attention", weight=100)
def begin(n):
    c = n.c
    if c.chance(0.5):
        c.opset = c.pick([23, 24, 25])
        c.domains[""] = c.opset
    b, t, heads, d = c.pick([1, 2, 2, 3]), c.pick([1, 4, 5, 7, 17, 33]), c.pick([1, 2, 3, 4]), c.pick([4, 8, 8, 16])
    if c.chance(0.5):
        n.feed(c.array("float32", [b, heads, t, d]), ["N", heads, "T", d] if c.chance(0.3) else None)
    else:
        n.feed(c.array("float32", [b, t, heads * d]), ["N", "T", heads * d] if c.chance(0.3) else None)


def rank(n, x, *ranks):
    if len(n.shapes[x]) not in ranks:
        raise Misfit
    return n.shapes[x]


def dense(n, x, size):
    """A dense layer, with a bias of any of the shapes that exporters give it."""
    c, shape = n.c, n.shapes[x]
    weights = n.weight(shape[-1], size, over=shape[-1])
    if len(shape) == 3 and c.chance(0.2):
        flat = n.reshape(x, -1, shape[-1])
        y = n.add("Gemm", [flat, weights, n.weight(size, over=4)])
        return n.reshape(y, *shape[:-1], size)
    y = n.add("MatMul", [x, weights])
    if c.chance(0.7):
        bias = n.weight(*c.pick([[size], [size], [1, size], [1] * (len(shape) - 1) + [size]]), over=4)
        y = n.add("Add", n.shuffled(y, bias))
    return y


def scaled(n, q, k):
    """Scores: the factor before or after the product, by one operator or another."""
    c, root = n.c, float(n.shapes[q][-1]) ** 0.5
    before = c.integer(0, 3)
    if before == 0:
        q = n.add("Mul", [q, n.number(1 / root)])
    if before == 1:
        q, k = [n.add("Mul", [value, n.number(root**-0.5)]) for value in (q, k)]
    scores = n.add("MatMul", [q, k])
    if before == 2:
        scores = n.add("Div", [scores, n.number(root)])
    if before == 3:
        scores = n.add("Mul", n.shuffled(scores, n.number(1 / root)))
    return scores


def masked(n, scores):
    """A mask that is added or chosen by, an input or a constant, of any shape that broadcasts."""
    c, shape = n.c, n.shapes[scores]
    kind = c.integer(0, 5)
    size = c.pick([shape, shape[-2:], (shape[0], 1, 1, shape[-1]), (1, 1, *shape[-2:]), (shape[0], 1, shape[-2], 1)])
    if kind == 0:
        return n.add("Add", n.shuffled(scores, n.feed(c.array("float32", size))))
    if kind == 1:
        causal = np.triu(np.full(shape[-2:], c.pick([-1e9, -10]), "float32"), 1)
        return n.add("Add", [scores, n.constant(causal)])
    if kind == 2:
        keep = c.rng.random(size) < 0.8
        keep[..., 0] = True
        return n.add("Where", [n.constant(keep), scores, n.constant(np.float32(c.pick([-1e4, -3.4e38])))])
    if kind == 3:
        mask = n.feed(c.array("float32", [shape[-2], shape[0], 1, shape[-1]]))
        return n.add("Add", [scores, n.transpose(mask, 1, 2, 0, 3)])
    return scores


def swapped(n, k):
    """Keys with positions last: by one Transpose, through heads in one axis, or through an axis that mixes both."""
    shape = n.shapes[k]
    kind = n.c.integer(0, 9)
    if kind == 0:
        flat = n.reshape(k, shape[0] * shape[1], *shape[2:])
        return n.reshape(n.transpose(flat, 0, 2, 1), shape[0], shape[1], shape[3], shape[2])
    if kind == 1:
        flat = n.reshape(k, shape[0], shape[1] * shape[2], shape[3])
        return n.reshape(n.transpose(flat, 0, 2, 1), shape[0], shape[1], shape[3], shape[2])
    return n.transpose(k, 0, 1, 3, 2)


def attend(n, q, k, v, alike=True):
    """Attention of values with heads, as the operator or as products and Softmax. The operator wants the same batch in
    all, which values that are not alike may not have in a run of other sizes; and a mask of that run's sizes."""
    c = n.c
    if n.has("Attention") and (alike or not n.dims) and c.chance(0.5):
        masks = c.chance(0.2) and not n.dims
        mask = [n.feed(c.array("float32", [n.shapes[q][-2], n.shapes[k][-2]]))] if masks else []
        return n.add("Attention", [q, k, v, *mask])
    scores = masked(n, scaled(n, q, swapped(n, k)))
    return n.add("MatMul", [n.add("Softmax", [scores], axis=-1), v])


@step("attention", weight=6)
def attention(n, x):
    """Queries, keys and values are any values of fitting shapes: each other's results, transposed or repeated."""
    shape = rank(n, x, 4)
    fits = lambda s: len(s) == 4 and s[:2] == shape[:2] and s[3] == shape[3]
    k = n.recent(fits)
    v = n.recent(lambda s: fits(s) and s[2] == n.shapes[k][2])
    return attend(n, x, k, v, x == k == v)


@step("attention", weight=3)
def turned(n, x):
    """What comes of attention, put in another order, and what reads it so."""
    shape = rank(n, x, 4)
    v = n.recent(lambda s: s == shape)
    y = attend(n, x, x, v, v == x)
    y = n.transpose(y, *n.c.pick([[0, 2, 1, 3], [0, 2, 1, 3], [1, 0, 2, 3], [0, 1, 3, 2], [0, 3, 1, 2], [2, 0, 1, 3]]))
    kind = n.c.integer(0, 3)
    if kind == 0:
        return attend(n, y, y, y)
    if kind == 1:
        return n.add("Mul", n.shuffled(y, n.add("Sigmoid", [n.add("Mul", [y, n.about([n.shapes[y][-1]])])])))
    if kind == 2:
        return n.reshape(y, *n.shapes[y][:2], -1)
    return y


@step("attention", weight=2)
def repeated(n, x):
    """Keys and values that are one position, or one head, for all."""
    b, heads, t, d = rank(n, x, 4)
    c = n.c
    if c.chance(0.5):
        one = n.add("Gather", [x, n.integers(c.integer(0, t - 1))], axis=2)
        k = one if c.chance(0.3) else n.add("Expand", [one, n.lengths([b, heads, c.integer(1, 6), d])])
    else:
        one = n.add("Slice", [x, n.integers(0), n.integers(1), n.integers(1)])
        k = n.add("Expand", [one, n.lengths([b, heads, t, d])])
    return attend(n, x, k, k)


@step("attention", weight=2)
def cached(n, x):
    """Keys and values of earlier runs before those of this one, by Concat or by the operator."""
    shape = rank(n, x, 4)
    c = n.c
    if n.dims and x not in n.c.inputs:
        raise Misfit
    length = c.pick([1, 3, 8, 16])
    size, dims = [*shape[:2], length, shape[3]], ["N", shape[1], f"P{length}", shape[3]]
    past = [n.feed(c.array("float32", size), dims if n.dims else None) for _ in range(2)]
    if n.has("Attention") and c.chance(0.5):
        return n.add("Attention", [x, x, x, "", *past], 3, is_causal=c.pick([None, 1]))[0]
    k, v = [n.add("Concat", [value, x], axis=2) for value in past]
    return attend(n, x, k, v)


@step("attention", weight=5)
def layer(n, x):
    """A whole layer: projections joint or apart, heads split, rotated, gathered from groups, merged, gated."""
    b, t, size = rank(n, x, 3)
    c = n.c
    heads = c.pick([h for h in (1, 2, 3, 4) if size % h == 0])
    d = size // heads
    if c.chance(0.35):
        q, k, v = joint(n, x, heads, d)
    else:
        groups = c.pick([g for g in (heads, heads, heads, 1, 2) if heads % g == 0])
        split = lambda count: n.transpose(n.reshape(dense(n, x, count * d), b, t, count, d), 0, 2, 1, 3)
        q, k, v = split(heads), split(groups), split(groups)
        if groups != heads:
            k, v = [grouped(n, value, heads // groups) for value in (k, v)]
    if d % 2 == 0 and c.chance(0.3):
        q, k = rotate(n, q), rotate(n, k)
    y = attend(n, q, k, v)
    y = n.reshape(n.transpose(y, 0, 2, 1, 3), b, t, size)
    if c.chance(0.2):
        y = n.add("Mul", n.shuffled(y, n.add("Sigmoid", [dense(n, x, size)])))
    y = dense(n, y, size) if c.chance(0.8) else y
    return n.add("Add", n.shuffled(x, y)) if c.chance(0.7) else y


def joint(n, x, heads, d):
    """Queries, keys and values of one product, taken apart in one of four ways."""
    b, t, size = n.shapes[x]
    y = dense(n, x, 3 * size)
    kind = n.c.integer(0, 3)
    three = lambda value, axis: n.add("Split", [value, n.integers(*[n.shapes[value][axis] // 3] * 3)], 3, axis=axis)
    if kind == 0:
        return [n.transpose(n.reshape(p, b, t, heads, d), 0, 2, 1, 3) for p in three(y, 2)]
    if kind == 1:
        return three(n.transpose(n.reshape(y, b, t, heads, 3 * d), 0, 2, 1, 3), 3)
    y = n.transpose(n.reshape(y, b, t, 3, heads, d), 2, 0, 3, 1, 4)
    if kind == 2:
        return [n.add("Squeeze", [p, n.integers(0)]) for p in three(y, 0)]
    return [n.add("Gather", [y, n.constant(np.int64(i))], axis=0) for i in range(3)]


def grouped(n, x, times):
    b, heads, t, d = n.shapes[x]
    y = n.add("Expand", [n.add("Unsqueeze", [x, n.integers(2)]), n.lengths([b, heads, times, t, d])])
    return n.reshape(y, b, heads * times, t, d)


def rotate(n, x):
    t, d = n.shapes[x][-2:]
    angles = np.arange(t)[:, None] * np.tile(n.c.rng.random(d // 2), 2)[None]
    cosine, sine = [n.constant(f(angles).astype("float32")) for f in (np.cos, np.sin)]
    first, second = n.add("Split", [x, n.integers(d // 2, d // 2)], 2, axis=-1)
    other = n.add("Concat", [n.add("Neg", [second]), first], axis=-1)
    return n.add("Add", [n.add("Mul", [x, cosine]), n.add("Mul", [other, sine])])


@step("attention", weight=2)
def heads(n, x):
    """Between [b, t, heads · d] and [b, heads, t, d]."""
    shape = rank(n, x, 3, 4)
    if len(shape) == 4:
        if n.c.chance(0.3):
            return n.reshape(x, shape[0], shape[1], -1)
        return n.reshape(n.transpose(x, 0, 2, 1, 3), shape[0], shape[2], -1)
    count = n.c.pick([h for h in (1, 2, 3, 4) if shape[2] % h == 0])
    return n.transpose(n.reshape(x, *shape[:2], count, -1), 0, 2, 1, 3)


@step("attention", "recurrence", weight=2)
@step("lines", weight=4)
def normalise(n, x):
    """Layer or root-mean-square normalisation, as an operator or in its parts; constants of any rank."""
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    size = shape[-1]
    scale = c.pick([[size], [size], [1, size], [1, 1, size], [1], [1, 1, 1, size]])
    if n.has("LayerNormalization") and c.chance(0.3):
        bias = [n.weight(size, over=4)] if c.chance(0.6) else []
        return n.add("LayerNormalization", [x, n.about([size]), *bias], epsilon=1e-2)
    centred = n.add("Sub", [x, n.mean(x, -1)]) if c.chance(0.6) else x
    square = n.add("Pow", [centred, n.number(2, exact=1)]) if c.chance(0.5) else n.add("Mul", [centred, centred])
    root = n.add("Sqrt", [n.add("Add", n.shuffled(n.mean(square, -1), n.number(0.01)))])
    if c.chance(0.5):
        y = n.add("Div", [centred, root])
    else:
        inverse = n.add("Div", [n.number(1), root]) if c.chance(0.5) else n.add("Reciprocal", [root])
        y = n.add("Mul", n.shuffled(centred, inverse))
    y = n.add("Mul", n.shuffled(y, n.about(scale)))
    return n.add("Add", n.shuffled(y, n.about(scale))) if c.chance(0.6) else y


@step("attention", weight=2)
def feed_forward(n, x):
    size = n.shapes[x][-1]
    y = dense(n, x, n.c.pick([8, 17, 32]))
    gate = dense(n, x, n.shapes[y][-1]) if n.c.chance(0.4) else None
    y = activation(n, y)
    y = dense(n, n.add("Mul", n.shuffled(y, gate)) if gate else y, size)
    return n.add("Add", n.shuffled(x, y)) if n.c.chance(0.7) else y


@step("attention", weight=1)
def against_itself(n, x):
    """A value and its own Transpose, by elements or as a product."""
    shape = n.shapes[x]
    if len(shape) < 2:
        raise Misfit
    other = n.transpose(x, *range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    if shape[-1] == shape[-2] and n.c.chance(0.7):
        return n.add("Sigmoid", [n.add("Mul", n.shuffled(x, other))])
    return n.add("Tanh", [n.add("MatMul", [x, other])])
