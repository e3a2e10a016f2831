"""Trains the sample digit classifier: a small convolutional net, written in plain NumPy and saved as ONNX.

Data: the handwritten digits that scikit-learn ships, 1,797 grey images of 8x8 pixels (UCI Machine Learning Repository,
"Optical Recognition of Handwritten Digits", CC BY 4.0). Writes digits.onnx and one image of each digit that the net has
not been trained on. `make` in this folder runs it in a Python environment of its own.
"""
import pathlib

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).parent
EPOCHS, BATCH, RATE, DECAY = 60, 32, 2e-3, 1e-3
TRAINING = 1400  # The set is in its authors' order, not shuffled: the rest is a harder and more honest test.


class Layer:
    """A layer with parameters: `forward` keeps what `backward` needs, `backward` leaves `gradients` behind."""
    parameters = ()
    gradients = ()


class Conv(Layer):
    """3x3 convolution with padding 1; tensors are [N, C, H, W], weights [M, C, 3, 3]."""

    def __init__(self, rng, channels, outputs):
        weight = rng.normal(0, np.sqrt(2 / (channels * 9)), (outputs, channels, 3, 3))
        self.parameters = [weight.astype(np.float32), np.zeros(outputs, np.float32)]

    @staticmethod
    def windows(x):
        return sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))

    def forward(self, x):
        weight, bias = self.parameters
        self.columns = self.windows(x)
        return np.einsum("nchwij,mcij->nmhw", self.columns, weight, optimize=True) + bias[:, None, None]

    def backward(self, grad):
        self.gradients = [np.einsum("nmhw,nchwij->mcij", grad, self.columns, optimize=True), grad.sum((0, 2, 3))]
        mirrored = self.parameters[0][:, :, ::-1, ::-1]
        return np.einsum("nmhwij,mcij->nchw", self.windows(grad), mirrored, optimize=True)


class Relu(Layer):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, grad):
        return grad * self.mask


class MaxPool(Layer):
    """2x2 windows, stride 2."""

    def forward(self, x):
        n, c, h, w = x.shape
        tiles = x.reshape(n, c, h // 2, 2, w // 2, 2)
        peak = tiles.max((3, 5), keepdims=True)
        self.mask = tiles == peak
        return peak[:, :, :, 0, :, 0]

    def backward(self, grad):
        n, c, h, w = grad.shape
        return (grad[:, :, :, None, :, None] * self.mask).reshape(n, c, h * 2, w * 2)


class Dense(Layer):
    """Flattens, then multiplies: weights [outputs, inputs]."""

    def __init__(self, rng, inputs, outputs):
        weight = rng.normal(0, np.sqrt(1 / inputs), (outputs, inputs))
        self.parameters = [weight.astype(np.float32), np.zeros(outputs, np.float32)]

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ self.parameters[0].T + self.parameters[1]

    def backward(self, grad):
        self.gradients = [grad.T @ self.x, grad.sum(0)]
        return (grad @ self.parameters[0]).reshape(self.shape)


class Adam:
    def __init__(self, parameters):
        self.parameters, self.step = parameters, 0
        self.mean = [np.zeros_like(p) for p in parameters]
        self.square = [np.zeros_like(p) for p in parameters]

    def update(self, gradients, rate):
        self.step += 1
        for p, g, m, v in zip(self.parameters, gradients, self.mean, self.square):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= rate * (m / (1 - 0.9**self.step) / (np.sqrt(v / (1 - 0.999**self.step)) + 1e-8) + DECAY * p)


def forward(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def augmented(rng, images):
    """Each image at another position, up to a pixel away, and a little darker or brighter."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    offsets = rng.choice(3, (len(images), 2), p=[0.2, 0.6, 0.2])
    moved = np.stack([p[:, y:y + 8, x:x + 8] for p, (y, x) in zip(padded, offsets)])
    return np.clip(moved * rng.uniform(0.85, 1.15, (len(images), 1, 1, 1)), 0, 1).astype(np.float32)


def train(rng, layers, images, labels, normalise):
    optimiser = Adam([p for layer in layers for p in layer.parameters])
    for epoch in range(EPOCHS):
        order, total = rng.permutation(len(images)), 0.0
        rate = RATE * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2
        for rows in np.array_split(order, len(order) // BATCH):
            probabilities = softmax(forward(layers, normalise(augmented(rng, images[rows]))))
            target = np.eye(10, dtype=np.float32)[labels[rows]]
            total -= np.log(np.maximum((probabilities * target).sum(1), 1e-12)).sum()
            grad = (probabilities - target) / len(rows)
            for layer in reversed(layers):
                grad = layer.backward(grad)
            optimiser.update([g for layer in layers for g in layer.gradients], rate)
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1:3}: loss {total / len(images):.4f}")


def export(layers, mean, std, path):
    """The net as ONNX; its metadata say how an image becomes its input (docs/cli.md, "Images")."""
    convolutions = [layer for layer in layers if isinstance(layer, Conv)]
    dense = layers[-1]
    nodes, initializers, value = [], [], "image"

    def node(operator, inputs, output, **attributes):
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def weights(name, layer):
        for suffix, array in zip(("weight", "bias"), layer.parameters):
            initializers.append(numpy_helper.from_array(array, f"{name}.{suffix}"))
        return [f"{name}.weight", f"{name}.bias"]

    for i, layer in enumerate(convolutions, 1):
        value = node("Conv", [value] + weights(f"conv{i}", layer), f"conv{i}", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        value = node("Relu", [value], f"relu{i}")
    value = node("MaxPool", [value], "pool", kernel_shape=[2, 2], strides=[2, 2])
    value = node("Flatten", [value], "flat")
    value = node("Gemm", [value] + weights("dense", dense), "dense", transB=1)
    node("Softmax", [value], "probabilities", axis=-1)

    graph = helper.make_graph(
        nodes, "digits", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])], initializers)
    model = helper.make_model(
        graph, producer_name="dlrt samples/digits/train.py", ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, {
        "dlrt.labels": ",".join(str(digit) for digit in range(10)),
        "dlrt.input.mean": f"{mean:.6g}",
        "dlrt.input.std": f"{std:.6g}",
    })
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def enlarged(image):
    """64x64 grey pixels for the eye: smooth, and corrected until averages over 8x8 squares give the original back."""
    sketch = image.copy()
    for _ in range(8):
        big = Image.fromarray(sketch).resize((64, 64), Image.Resampling.BICUBIC)
        picture = np.round(np.clip(np.asarray(big), 0, 1) * 255).astype(np.uint8)
        sketch += image - reduced(picture)
    return picture


def reduced(picture):
    return picture.reshape(8, 8, 8, 8).mean((1, 3), dtype=np.float32) / 255


def main():
    rng = np.random.default_rng(7)
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target
    mean, std = (float(f"{f(images[:TRAINING]):.6g}") for f in (np.mean, np.std))

    def normalise(x):
        return (x - np.float32(mean)) / np.float32(std)

    layers = [Conv(rng, 1, 16), Relu(), Conv(rng, 16, 24), Relu(), MaxPool(), Dense(rng, 24 * 16, 10)]
    train(rng, layers, images[:TRAINING], labels[:TRAINING], normalise)
    export(layers, mean, std, HERE / "digits.onnx")

    held_out, truth = images[TRAINING:], labels[TRAINING:]
    pictures = [enlarged(image[0]) for image in held_out]
    guesses = {
        "original": forward(layers, normalise(held_out)).argmax(1),
        "enlarged and reduced": forward(layers, normalise(np.stack([reduced(p)[None] for p in pictures]))).argmax(1),
    }
    for name, guess in guesses.items():
        print(f"held-out accuracy, {name}: {(guess == truth).mean():.2%} ({(guess == truth).sum()} of {len(truth)})")

    (HERE / "images").mkdir(exist_ok=True)
    for digit in range(10):
        picture = Image.fromarray(pictures[int(np.flatnonzero(truth == digit)[3])])
        picture.save(HERE / "images" / f"{digit}.png", optimize=True)


if __name__ == "__main__":
    main()
