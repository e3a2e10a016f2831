"""Contrib cases of quantised numbers."""

import numpy as np
from onnx import TensorProto, helper

from case_maker import F, L
from contrib_values import H, HALF, I8, U8, f32, i32, i8, rng, scalar, u8


def quantized_weights(maker):
    for bits in (2, 4, 8):
        for k, block in ((32, 16), (40, 16), (64, 32)):
            blocks, size, n = (k + block - 1) // block, block * bits // 8, 5
            a, b = f32(2, 3, k), u8(n, blocks, size)
            scales = f32(n * blocks, scale=0.05)
            zeros = u8(n * ((blocks * bits + 7) // 8))
            name = f"matmul_nbits_{bits}_{k}_{block}"
            common = {"K": k, "N": n, "bits": bits, "block_size": block}
            maker.case(name, "MatMulNBits", [a, b, scales], [F], constants=(1, 2), tolerance=(1e-3, 1e-4), **common)
            maker.case(
                f"{name}_zeros",
                "MatMulNBits",
                [a, b, scales, zeros],
                [F],
                constants=(1, 2, 3),
                tolerance=(1e-3, 1e-4),
                **common,
            )
    common = {"K": 32, "N": 5, "bits": 4, "block_size": 16}
    a, b, scales, bias = f32(3, 32), u8(5, 2, 8), f32(10, scale=0.05), f32(5)
    near = {"tolerance": (1e-3, 1e-4)}
    maker.case(
        "matmul_nbits_bias",
        "MatMulNBits",
        [a, b, scales, None, None, bias],
        [F],
        constants=(1, 2, 5),
        **near,
        **common,
    )
    maker.case("matmul_nbits_inputs", "MatMulNBits", [a, b, scales, u8(5)], [F], **near, **common)
    maker.case(
        "matmul_nbits_float_zeros",
        "MatMulNBits",
        [a, b, scales, f32(10, scale=4) + 8],
        [F],
        constants=(1, 2, 3),
        **near,
        **common,
    )
    groups = i32(rng.integers(0, 2, 32))
    maker.case(
        "matmul_nbits_groups", "MatMulNBits", [a, b, scales, None, groups], [F], constants=(1, 2, 4), **near, **common
    )
    maker.case(
        "matmul_nbits_half",
        "MatMulNBits",
        [a.astype(np.float16), b, scales.astype(np.float16), None, None, bias.astype(np.float16)],
        [H],
        constants=(1, 2, 5),
        tolerance=HALF,
        **common,
    )
    maker.case("matmul_nbits_row", "MatMulNBits", [a[:1], b, scales], [F], constants=(1, 2), **near, **common)

    scales2, ids = f32(6, 2, scale=0.1), np.array([[0, 5], [-1, 2]])
    for name, kind in (("uint4", TensorProto.UINT4), ("int4", TensorProto.INT4)):
        low = 0 if name == "uint4" else -8
        data = helper.make_tensor("x0", kind, [6, 32], rng.integers(low, low + 16, 192).tolist())
        zeros = helper.make_tensor("x3", kind, [6, 2], rng.integers(low, low + 16, 12).tolist())
        for end, tensors in (("", [data]), ("_zeros", [data, zeros])):
            names = ["x0", "x1", "x2"] + (["x3"] if end else [])
            node = helper.make_node(
                "GatherBlockQuantized",
                names,
                ["y0"],
                domain="com.microsoft",
                block_size=16,
                gather_axis=0,
                quantize_axis=1,
            )
            graph = helper.make_graph(
                [node],
                "gather",
                [helper.make_tensor_value_info("x1", L, [2, 2]), helper.make_tensor_value_info("x2", F, [6, 2])],
                [helper.make_tensor_value_info("y0", F, None)],
                tensors,
            )
            model = helper.make_model(
                graph,
                ir_version=10,
                opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)],
            )
            maker.names.add(f"gather_block_{name}{end}")
            maker.store(f"gather_block_{name}{end}", model, [ids, scales2])
    options = {"block_size": 16, "gather_axis": 0, "quantize_axis": 1}
    maker.case(
        "gather_block_bytes_4",
        "GatherBlockQuantized",
        [u8(6, 16), ids, scales2],
        [F],
        constants=(0,),
        bits=4,
        **options,
    )
    maker.case(
        "gather_block_bytes_4_zeros",
        "GatherBlockQuantized",
        [u8(6, 16), ids, scales2, u8(6, 1)],
        [F],
        constants=(0, 3),
        bits=4,
        **options,
    )
    maker.case(
        "gather_block_bytes_8",
        "GatherBlockQuantized",
        [u8(6, 32), ids, scales2],
        [F],
        constants=(0,),
        bits=8,
        **options,
    )
    maker.case(
        "gather_block_bytes_8_zeros",
        "GatherBlockQuantized",
        [u8(6, 32), ids, scales2, u8(6, 2)],
        [F],
        constants=(0, 3),
        bits=8,
        **options,
    )
    maker.case(
        "gather_block_half",
        "GatherBlockQuantized",
        [u8(6, 16), ids.astype(np.int32), scales2.astype(np.float16)],
        [H],
        constants=(0,),
        tolerance=HALF,
        bits=4,
        **options,
    )


def quantized(maker):
    near = {"tolerance": (2e-2, 5e-2)}
    b, scale = i8(8, 5), scalar(0.02)
    maker.case("dynamic_matmul", "DynamicQuantizeMatMul", [f32(3, 8), b, scale], [F], constants=(1, 2))
    maker.case(
        "dynamic_matmul_all",
        "DynamicQuantizeMatMul",
        [f32(2, 3, 8), u8(8, 5), scale, scalar(120, np.uint8), f32(5)],
        [F],
        constants=(1, 2, 3, 4),
    )
    maker.case(
        "dynamic_matmul_columns",
        "DynamicQuantizeMatMul",
        [f32(3, 8), b, f32(5), np.zeros(5, np.int8), f32(5)],
        [F],
        constants=(1, 2, 3, 4),
    )
    for name, a, weights in (("uint8", u8, i8), ("int8", i8, i8), ("uint8_uint8", u8, u8)):
        x, w = a(3, 8), weights(8, 5)
        maker.case(f"integer_to_float_{name}", "MatMulIntegerToFloat", [x, w, scalar(0.1), scale], [F])
        maker.case(
            f"integer_to_float_{name}_all",
            "MatMulIntegerToFloat",
            [x, w, scalar(0.1), f32(5), scalar(3, x.dtype), np.full(5, 2, w.dtype), f32(5)],
            [F],
            constants=(1, 3, 5, 6),
        )
        zeros = [scalar(7, x.dtype), scalar(2, w.dtype)]
        code = U8 if a is u8 else I8
        common = [x, scalar(0.05), zeros[0], w, scale, zeros[1]]
        c = rng.integers(-500, 500, 5, dtype=np.int32)
        maker.case(f"qgemm_{name}_float", "QGemm", common, [F], constants=(3, 4, 5))
        maker.case(
            f"qgemm_{name}", "QGemm", common + [c, scalar(0.3), scalar(9, x.dtype)], [code], constants=(3, 4, 5, 6)
        )
    half = lambda low, high: np.linspace(low, high, 5, dtype=np.float16)
    maker.case(
        "integer_to_float_half",
        "MatMulIntegerToFloat",
        [x, w, scalar(0.02, np.float16), half(0.01, 0.02), scalar(3, x.dtype), np.full(5, 2, w.dtype), half(-1, 1)],
        [H],
        constants=(1, 3, 5, 6),
        tolerance=HALF,
    )
    maker.case(
        "qgemm_transposed",
        "QGemm",
        [
            u8(8, 3),
            scalar(0.05),
            scalar(7, np.uint8),
            i8(5, 8),
            f32(5),
            np.zeros(5, np.int8),
            rng.integers(-500, 500, (1, 5), dtype=np.int32),
        ],
        [F],
        transA=1,
        transB=1,
        alpha=0.5,
    )
    for kind, code, name in ((u8, U8, "uint8"), (i8, I8, "int8")):
        number = kind(1).dtype.type
        zeros = [scalar(value, number) for value in (10, 20, 30)]
        scales = [scalar(0.021), scalar(0.037), scalar(0.05)]
        a, b = kind(2, 3, 4), kind(2, 3, 4)
        for operator in ("Add", "Mul"):
            low = operator.lower()
            inputs = [a, scales[0], zeros[0], b, scales[1], zeros[1], scales[2], zeros[2]]
            maker.case(f"qlinear_{low}_{name}", f"QLinear{operator}", inputs, [code])
            maker.case(
                f"qlinear_{low}_{name}_broadcast",
                f"QLinear{operator}",
                inputs[:3] + [kind(4)] + inputs[4:],
                [code],
                constants=(3,),
            )
        unary = [a, scales[0], zeros[0], scalar(0.01), zeros[2]]
        maker.case(f"qlinear_leaky_relu_{name}", "QLinearLeakyRelu", unary, [code], alpha=0.2, constants=(1, 2, 3, 4))
        low = scalar(0 if kind is u8 else -128, number)
        maker.case(
            f"qlinear_sigmoid_{name}",
            "QLinearSigmoid",
            unary[:3] + [scalar(1 / 256), low],
            [code],
            constants=(1, 2, 3, 4),
        )
        for opset, axis in ((13, -1), (13, 1), (12, 1)):
            maker.case(
                f"qlinear_softmax_{name}_{opset}_{axis}".replace("-", "m"),
                "QLinearSoftmax",
                unary[:3] + [scalar(1 / 256), low],
                [code],
                opset=opset,
                axis=axis,
                constants=(1, 2, 3, 4),
            )
        image = kind(1, 3, 6, 6)
        pool = [image, scales[0], zeros[0], scales[0], zeros[0]]
        maker.case(
            f"qlinear_average_pool_{name}",
            "QLinearAveragePool",
            [image, scales[0], zeros[0], scales[1], zeros[1]],
            [code],
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        )
        maker.case(
            f"qlinear_average_pool_{name}_last",
            "QLinearAveragePool",
            # A scale by which no mean lies halfway between two values, where the order of sums would decide.
            [image, scales[0], zeros[0], scalar(0.0413), zeros[1]],
            [code],
            kernel_shape=[2, 3],
            strides=[2, 1],
            channels_last=1,
            count_include_pad=1,
            pads=[0, 1, 0, 1],
        )
        maker.case(f"qlinear_global_pool_{name}", "QLinearGlobalAveragePool", pool, [code])
        maker.case(f"qlinear_global_pool_{name}_last", "QLinearGlobalAveragePool", pool, [code], channels_last=1)
        maker.case(
            f"qlinear_concat_{name}",
            "QLinearConcat",
            [scales[2], zeros[2], a, scales[0], zeros[0], kind(2, 1, 4), scales[1], zeros[1]],
            [code],
            axis=1,
            constants=(0, 1, 3, 4, 6, 7),
        )
        maker.case(
            f"qlinear_where_{name}",
            "QLinearWhere",
            [
                rng.integers(0, 2, (2, 3, 4)).astype(bool),
                a,
                scales[0],
                zeros[0],
                b,
                scales[1],
                zeros[1],
                scales[2],
                zeros[2],
            ],
            [code],
            constants=(2, 3, 5, 6, 7, 8),
        )
        maker.case(
            f"qlinear_conv_{name}",
            "QLinearConv",
            [
                kind(1, 6, 6, 3),
                scales[0],
                zeros[0],
                i8(4, 3, 3, 3),
                scalar(0.01),
                scalar(0, np.int8),
                scalar(0.3),
                zeros[1],
                rng.integers(-500, 500, 4, dtype=np.int32),
            ],
            [code],
            channels_last=1,
            pads=[1, 1, 1, 1],
            constants=(1, 2, 3, 4, 5, 6, 7, 8),
        )
    for size, kind, code in (
        (16, np.uint16, TensorProto.UINT16),
        (16, np.int16, TensorProto.INT16),
        (8, np.int8, I8),
    ):
        name = np.dtype(kind).name
        zero = scalar(13, kind)
        maker.case(f"quantize_{name}", "QuantizeLinear", [f32(3, 4), scalar(0.01), zero], [code])
        x = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (3, 4)).astype(kind)
        maker.case(f"dequantize_{name}", "DequantizeLinear", [x, scalar(0.01), zero], [F])
        maker.case(f"dequantize_{name}_axis", "DequantizeLinear", [x, f32(3), np.zeros(3, kind)], [F], axis=0)
    maker.case("quantize_plain", "QuantizeLinear", [f32(3, 4), scalar(0.01)], [U8])
    maker.case(
        "quantize_axis",
        "QuantizeLinear",
        [f32(3, 4), np.abs(f32(4)) + 0.1, np.arange(4, dtype=np.uint8)],
        [U8],
        axis=1,
    )
    x, weights = u8(2, 4, 8), i8(8, 24)
    common = [x, weights, f32(24), scalar(0.02), scalar(0.03)]
    zeros = [scalar(128, np.uint8), scalar(0, np.int8)]
    for name, rest, attributes in (
        ("plain", [None] + zeros, {}),
        ("causal", [None] + zeros, {"unidirectional": 1}),
        ("mask", [i32([[1, 1, 0, 1], [1, 1, 1, 1]])] + zeros, {}),
        ("lengths", [i32([2, 4])] + zeros, {}),
    ):
        maker.case(
            f"qattention_{name}",
            "QAttention",
            common + rest,
            [F],
            constants=(1, 2, 3, 4, 6, 7),
            num_heads=2,
            **attributes,
        )
    maker.case(
        "qattention_past",
        "QAttention",
        common + [None] + zeros + [f32(2, 2, 2, 3, 4)],
        [F, F],
        constants=(1, 2, 3, 4, 6, 7),
        num_heads=2,
        unidirectional=1,
    )
    maker.case(
        "qattention_columns",
        "QAttention",
        common[:4] + [f32(24, scale=0.03), None, zeros[0], np.zeros(24, np.int8)],
        [F],
        constants=(1, 2, 3, 4, 6, 7),
        num_heads=2,
    )
    hidden, inputs = 3, 4
    for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        w, r = i8(count, inputs, 4 * hidden), i8(count, hidden, 4 * hidden)
        scale = np.full(count, 0.005, np.float32)
        zero = np.zeros(count, np.int8)
        lstm = [
            f32(5, 2, inputs),
            w,
            r,
            f32(count, 8 * hidden, scale=0.1),
            None,
            None,
            None,
            None,
            scale,
            zero,
            scale,
            zero,
        ]
        maker.case(
            f"dynamic_lstm_{direction}",
            "DynamicQuantizeLSTM",
            lstm,
            [F, F, F],
            constants=(1, 2, 3, 8, 9, 10, 11),
            hidden_size=hidden,
            direction=direction,
            **near,
        )
    columns = np.full((1, 4 * hidden), 0.005, np.float32)
    maker.case(
        "dynamic_lstm_columns",
        "DynamicQuantizeLSTM",
        [
            f32(5, 2, inputs),
            i8(1, inputs, 4 * hidden),
            i8(1, hidden, 4 * hidden),
            None,
            i32([5, 3]),
            f32(1, 2, hidden),
            f32(1, 2, hidden),
            None,
            columns,
            np.zeros((1, 4 * hidden), np.int8),
            columns,
            np.zeros((1, 4 * hidden), np.int8),
        ],
        [F, F, F],
        constants=(1, 2, 8, 9, 10, 11),
        hidden_size=hidden,
        **near,
    )


def exact_pairs(maker):
    """Every fourth byte with every other: sums and products agree to the unit, halves included."""
    numbers = np.random.default_rng(11)
    a, b = (x.reshape(-1) for x in np.meshgrid(np.arange(0, 256, 4), np.arange(3, 256, 4)))
    for operator in ("QLinearAdd", "QLinearMul"):
        ratios = numbers.uniform(0.001, 0.05, 3)
        for kind, low, name, scales in (
            (np.uint8, 0, "ratios", ratios), (np.int8, -128, "powers", [1 / 64, 1 / 32, 1 / 16])
        ):
            scales = [np.float32(scale) for scale in scales]
            if operator == "QLinearMul":
                scales[2] = np.float32(scales[0] * scales[1] * 80)
            zeros = [kind(zero + low) for zero in numbers.integers(0, 256, 3)]
            values = [(x + low).astype(kind) for x in (a, b)]
            inputs = [values[0], scales[0], zeros[0], values[1], scales[1], zeros[1], scales[2], zeros[2]]
            maker.case(
                f"{operator[0:7].lower()}_{operator[7:].lower()}_{np.dtype(kind).name}_{name}",
                operator,
                [np.asarray(value) for value in inputs],
                [helper.np_dtype_to_tensor_dtype(np.dtype(kind))],
                constants=(1, 2, 4, 5, 6, 7),
                tolerance=(0, 0),
            )
