"""Contrib cases of activations, products, convolutions, shapes, and of experimental operators."""

import numpy as np
from onnx import TensorProto

from case_maker import D, F, I, L
from contrib_values import H, HALF, I8, U8, f32, i32, i8, rng, scalar, u8


def activations(maker):
    x, bias = f32(2, 3, 8), f32(8)
    maker.case("gelu", "Gelu", x, [F])
    maker.case("bias_gelu", "BiasGelu", [x, bias], [F])
    maker.case("fast_gelu", "FastGelu", x, [F], tolerance=(1e-3, 1e-3))
    maker.case("fast_gelu_bias", "FastGelu", [x, bias], [F], constants=(1,), tolerance=(1e-3, 1e-3))
    maker.case("quick_gelu", "QuickGelu", x, [F])
    maker.case("quick_gelu_alpha", "QuickGelu", x, [F], alpha=0.5)
    maker.case("sample_op", "SampleOp", x, [F])


def products(maker):
    a, b = f32(2, 3, 4), f32(2, 4, 5)
    swap = (0, 2, 1)
    for name, operator in (("fused_matmul", "FusedMatMul"), ("transpose_matmul", "TransposeMatMul")):
        maker.case(f"{name}_plain", operator, [a, b], [F], alpha=0.5)
        maker.case(f"{name}_a", operator, [a.transpose(swap).copy(), b], [F], transA=1)
        maker.case(f"{name}_b", operator, [a, b.transpose(swap).copy()], [F], transB=1, alpha=2.0)
        maker.case(
            f"{name}_both", operator, [a.transpose(swap).copy(), b.transpose(swap).copy()], [F], transA=1, transB=1
        )
    maker.case("fused_matmul_constant", "FusedMatMul", [a, f32(5, 4)], [F], constants=(1,), transB=1, alpha=-1.5)
    maker.case("fused_matmul_2d", "FusedMatMul", [f32(4, 3), f32(4, 5)], [F], transA=1)
    maker.case("fused_matmul_vector", "FusedMatMul", [f32(4), f32(4, 5)], [F], alpha=3.0)
    maker.case("fused_matmul_double", "FusedMatMul", [a.astype(np.float64), b.astype(np.float64)], [D], alpha=0.25)
    maker.case("fused_matmul_batch_a", "FusedMatMul", [f32(3, 2, 4), b], [F], transBatchA=1)
    maker.case("fused_matmul_batch_a_swap", "FusedMatMul", [f32(4, 2, 3), b], [F], transBatchA=1, transA=1)
    maker.case("fused_matmul_batch_b", "FusedMatMul", [a, f32(4, 2, 5)], [F], transBatchB=1)
    maker.case(
        "fused_matmul_batch_both",
        "FusedMatMul",
        [f32(3, 2, 4), f32(5, 2, 4)],
        [F],
        transBatchA=1,
        transBatchB=1,
        transB=1,
    )
    c = f32(5)
    for activation, parameters in (
        ("Relu", {}),
        ("Tanh", {}),
        ("Sigmoid", {}),
        ("LeakyRelu", {"activation_alpha": 0.2}),
        ("Elu", {"activation_alpha": 0.5}),
        ("HardSigmoid", {"activation_alpha": 0.3, "activation_beta": 0.4}),
        ("Softplus", {}),
        ("Softsign", {}),
        ("Selu", {"activation_alpha": 1.5, "activation_gamma": 1.1}),
        ("ThresholdedRelu", {"activation_alpha": 0.5}),
    ):
        maker.case(
            f"fused_gemm_{activation.lower()}",
            "FusedGemm",
            [f32(3, 4), f32(4, 5), c],
            [F],
            activation=activation,
            **parameters,
        )
    maker.case(
        "fused_gemm_all",
        "FusedGemm",
        [f32(4, 3), f32(5, 4), c],
        [F],
        constants=(1, 2),
        activation="Relu",
        alpha=0.5,
        beta=2.0,
        transA=1,
        transB=1,
    )
    maker.case("cdist", "CDist", [f32(3, 4), f32(5, 4)], [F], metric="euclidean")
    maker.case("cdist_squares", "CDist", [f32(3, 4).astype(np.float64), f32(5, 4).astype(np.float64)], [D])
    maker.case(
        "matmul_integer_16",
        "MatMulInteger16",
        [rng.integers(-99, 99, (3, 4), dtype=np.int16), rng.integers(-99, 99, (4, 5), dtype=np.int16)],
        [I],
    )
    matrix = f32(2, 3, 3) + 3 * np.eye(3, dtype=np.float32)
    maker.case("inverse", "Inverse", matrix, [F], tolerance=(1e-3, 1e-4))
    maker.case("inverse_double", "Inverse", f32(5, 5).astype(np.float64), [D])
    maker.case("inverse_half", "Inverse", matrix.astype(np.float16), [H], tolerance=HALF)


def convolutions(maker):
    x, w, bias = f32(1, 3, 6, 6), f32(4, 3, 3, 3), f32(4)
    for activation, parameters in (
        ("Relu", []),
        ("Tanh", []),
        ("Sigmoid", []),
        ("LeakyRelu", [0.2]),
        ("Clip", [-0.5, 0.75]),
        ("HardSigmoid", [0.3, 0.4]),
    ):
        maker.case(
            f"fused_conv_{activation.lower()}",
            "FusedConv",
            [x, w, bias],
            [F],
            constants=(1, 2),
            activation=activation,
            **({"activation_params": parameters} if parameters else {}),
        )
    maker.case(
        "fused_conv_sum",
        "FusedConv",
        [x, w, bias, f32(1, 4, 6, 6)],
        [F],
        constants=(1, 2),
        activation="Relu",
        pads=[1, 1, 1, 1],
        kernel_shape=[3, 3],
    )
    maker.case(
        "fused_conv_group",
        "FusedConv",
        [x, f32(3, 1, 3, 3)],
        [F],
        constants=(1,),
        activation="Relu",
        group=3,
        strides=[2, 2],
        auto_pad="SAME_UPPER",
    )
    maker.case(
        "conv_transpose_dynamic_pads",
        "ConvTransposeWithDynamicPads",
        [f32(1, 2, 4, 4), f32(2, 3, 3, 3), np.array([1, 0, 1, 2])],
        [F],
        strides=[2, 2],
        kernel_shape=[3, 3],
        output_padding=[1, 1],
    )
    maker.case(
        "conv_transpose_dynamic_pads_bias",
        "ConvTransposeWithDynamicPads",
        [f32(1, 2, 4, 4), f32(2, 3, 3, 3), np.array([0, 0, 0, 0]), f32(3)],
        [F],
        kernel_shape=[3, 3],
    )
    for kind, name in ((u8, "uint8"), (i8, "int8")):
        maker.case(
            f"nhwc_max_pool_{name}",
            "NhwcMaxPool",
            kind(1, 6, 5, 3),
            [U8 if kind is u8 else I8],
            kernel_shape=[2, 2],
            strides=[2, 1],
            pads=[0, 1, 0, 0],
        )
    maker.case("nhwc_max_pool_dilated", "NhwcMaxPool", u8(1, 7, 7, 2), [U8], kernel_shape=[3, 2], dilations=[2, 2])
    maker.case("nhwc_max_pool_line", "NhwcMaxPool", u8(2, 7, 2), [U8], kernel_shape=[3])


def shapes(maker):
    x = f32(2, 3, 4)
    for axis in (0, 2, -1):
        maker.case(f"expand_dims_{axis}".replace("-", "m"), "ExpandDims", [x, scalar(axis, np.int32)], [F])
    maker.case("range", "Range", [scalar(1.0), scalar(4.0), scalar(0.5)], [F])
    maker.case("range_step", "Range", [scalar(2, np.int64), scalar(7, np.int64)], [L])
    maker.case("range_int32", "Range", [i32([5]), i32([-3]), i32([-2])], [I])
    for mode in ("constant", "reflect", "edge"):
        maker.case(f"pad_{mode}", "Pad", [x, np.array([0, 1, 2, 0, 1, 1])], [F], mode=mode)
    maker.case("pad_value", "Pad", [x, np.array([[0, 0, 1, 1, 0, 2]]), np.array([1.5], np.float32)], [F])
    maker.case("pad_negative", "Pad", [x, np.array([0, -1, 0, 0, 0, -2])], [F])
    maker.case("unique", "Unique", np.array([2, 1, 1, 3, 4, 3], np.float32), [F, L, L])
    maker.case("trilu_upper", "Trilu", [x], [F])
    maker.case("trilu_lower", "Trilu", [x, scalar(1, np.int64)], [F], upper=0)
    maker.case("gather_nd", "GatherND", [x, i32([[0, 1], [1, 2]])], [F])
    image = f32(1, 2, 5, 5)
    grid = rng.uniform(-1.2, 1.2, (1, 3, 4, 2)).astype(np.float32)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            maker.case(
                f"grid_sample_{mode}_{padding}", "GridSample", [image, grid], [F], mode=mode, padding_mode=padding
            )
    maker.case("grid_sample_corners", "GridSample", [image, grid], [F], align_corners=1)
    rois = np.array([[0.1, 0.2, 0.8, 0.9], [-0.2, 0, 0.5, 1.3], [0.9, 0.8, 0.1, 0.2]], np.float32)
    images = f32(2, 2, 5, 6)
    for mode in ("bilinear", "nearest"):
        maker.case(
            f"crop_and_resize_{mode}",
            "CropAndResize",
            [images, rois, i32([0, 1, 1]), i32([3, 4])],
            [F],
            mode=mode,
            extrapolation_value=7.5,
        )
    maker.case("crop_and_resize_one", "CropAndResize", [images, rois, i32([0, 1, 1]), i32([1, 1])], [F])
    ids = np.array([[1, 2, 3, 1, 2], [4, 4, 4, 4, 4]])
    for size in (1, 2, 3, 6):
        maker.case(f"ngram_block_{size}", "NGramRepeatBlock", [ids, f32(2, 6)], [F], ngram_size=size)
    words = np.array(["", "a", "hello", "a longer text, of more than sixteen bytes", "höhe"], object)
    for name, value in (
        ("strings", words),
        ("int32", i32([0, -5, 77])),
        ("int64", np.array([1 << 40, -3])),
        ("float32", f32(3)),
        ("float64", f32(3).astype(np.float64)),
        ("uint32", np.array([3, 4], np.uint32)),
        ("uint64", np.array([3, 1 << 60], np.uint64)),
    ):
        maker.case(f"murmur_{name}", "MurmurHash3", value, [TensorProto.UINT32])
        maker.case(f"murmur_{name}_signed", "MurmurHash3", value, [I], positive=0, seed=42)


def experimental(maker):
    x = f32(1, 3, 5, 6)
    own = {"domain": "", "version": 9}
    maker.case("affine", "Affine", x, [F], alpha=2.0, beta=-0.5, **own)
    maker.case("image_scaler", "ImageScaler", x, [F], scale=0.5, bias=[1.0, 2.0, 3.0], **own)
    maker.case("scale", "Scale", x, [F], scale=0.25, **own)
    maker.case("scaled_tanh", "ScaledTanh", x, [F], alpha=2.0, beta=0.5, **own)
    maker.case("parametric_softplus", "ParametricSoftplus", x, [F], alpha=2.0, beta=0.5, **own)
    maker.case("crop", "Crop", x, [F], border=[1, 0, 2, 1], **own)
    maker.case("crop_size", "Crop", x, [F], border=[1, 2, 0, 0], scale=[2, 3], **own)
    maker.case("dynamic_slice", "DynamicSlice", [x, i32([1, 0]), i32([3, 4]), i32([2, 3])], [F], **own)
