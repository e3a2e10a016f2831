"""Random networks of products with matrices and vectors, whose constants have odd shapes and odd sizes."""

from networks import Misfit, network, step


@network("lines", weight=60, least=3, most=9)
def begin(n):
    c = n.c
    shape = c.pick([[3, 4], [2, 3, 4], [4], [4, 4], [2, 4, 4], [1, 4], [2, 1, 4]])
    n.feed(c.array("float32", shape), [f"d{i}" for i in range(len(shape) - 1)] + [4] if c.chance(0.3) else None)


@step("lines", weight=6)
def product(n, x):
    """By a matrix, a vector or another value; then perhaps a constant that may be a bias, and may not."""
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    kind = c.integer(0, 4)
    if kind < 2:
        y = n.add("MatMul", [x, n.weight(shape[-1], c.pick([1, 4, 4, 5]), over=shape[-1])])
    elif kind == 2:
        y = n.add("MatMul", [x, n.weight(shape[-1], over=shape[-1])])
    elif kind == 3:
        y = n.add("MatMul", [x, n.recent(lambda s: s and s[max(0, len(s) - 2)] == shape[-1])])
    else:
        y = gemm(n, x)
    if c.chance(0.5) and n.shapes[y]:
        own = n.shapes[y]
        other = n.about(c.pick([own[-1:], own, c.subshape(own)]))
        y = n.add(c.pick(["Add", "Add", "Sub", "Mul"]), n.shuffled(y, other))
    return y


def gemm(n, x):
    c, shape = n.c, n.shapes[x]
    if len(shape) != 2:
        raise Misfit
    size, across = c.pick([1, 4, 5]), c.integer(0, 1)
    weights = n.weight(*([size, shape[1]] if across else [shape[1], size]), over=shape[1])
    bias = n.weight(*c.pick([[size], [1], [shape[0], size], [shape[0], 1], []]), over=4)
    return n.add("Gemm", [x, weights, bias], transB=across, alpha=c.pick([None, 2.0]), beta=c.pick([None, 0.5]))


@step("lines", weight=4)
def factor(n, x):
    if n.c.chance(0.1):
        return n.add("Pow", [n.add("Abs", [x]), n.number(2, exact=0.5)])
    return n.add(n.c.pick(["Mul", "Div", "Add"]), n.shuffled(x, n.number(n.c.pick([0.5, 0.7, 1, 2]))))


@step("lines", weight=1)
def far(n, x):
    """Factors whose product leaves a float's range, though no value does."""
    shape = n.shapes[x]
    if not shape:
        raise Misfit
    size, factors = n.c.pick([(1e-30, [1e20, 1e20, 1e-10]), (1e20, [1e-25, 1e-25, 1e30])])
    weights = n.c.array("float32", [shape[-1], 4]) * size
    y = n.add("MatMul", [x, n.constant(weights.astype("float32"))])
    for value in factors:
        y = n.add("Mul", n.shuffled(y, n.number(value, exact=1)))
    return y


@step("lines", weight=2)
def squash(n, x):
    shape = n.shapes[x]
    if not shape:
        raise Misfit
    return n.add("Softmax", [x], axis=n.c.integer(-len(shape), len(shape) - 1)) if n.c.chance(0.7) else n.mean(x, -1)


@step("lines", weight=1)
def along(n, x):
    """One axis more, or a Slice or Concat along one."""
    c, shape = n.c, n.shapes[x]
    if len(shape) < 3 and c.chance(0.5):
        return n.add("Unsqueeze", [x, n.integers(c.integer(0, len(shape)))])
    axis = c.integer(0, max(0, len(shape) - 1))
    return n.add("Slice", [x, n.lengths([1]), n.integers(99), n.integers(axis)])
