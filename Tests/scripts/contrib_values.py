"""What the contrib cases are made of: small random arrays."""

import numpy as np
from onnx import TensorProto

H, U8, I8 = TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8
rng = np.random.default_rng(11)
HALF = (1e-2, 1e-2)


def f32(*shape, scale=1.0):
    return (rng.normal(size=shape) * scale).astype(np.float32)


def u8(*shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


def i8(*shape):
    return rng.integers(-128, 128, shape, dtype=np.int8)


def i32(values):
    return np.array(values, np.int32)


def scalar(value, kind=np.float32):
    return np.array(value, kind)
