"""Contrib cases of transformers: normalisations, embeddings, attention, rotation."""

import numpy as np

from case_maker import D, F, I
from contrib_values import H, HALF, f32, i32, rng, scalar


def norms(maker):
    x, skip, gamma, beta, bias = f32(2, 3, 8), f32(2, 3, 8), f32(8), f32(8), f32(8)
    for name, kind, code, tolerance in (
        ("", np.float32, F, None),
        ("_half", np.float16, H, HALF),
        ("_double", np.float64, D, None),
    ):
        values = [value.astype(kind) for value in (x, skip, gamma, beta, bias)]
        outs = [code, None, None, code]
        maker.case(
            f"simplified_layer_norm{name}",
            "SimplifiedLayerNormalization",
            values[0:3:2],
            [code],
            domain="",
            version=17,
            tolerance=tolerance,
        )
        if code == D:
            continue
        maker.case(f"skip_layer_norm{name}", "SkipLayerNormalization", values, outs, tolerance=tolerance)
        maker.case(
            f"skip_simplified_layer_norm{name}",
            "SkipSimplifiedLayerNormalization",
            values[:3] + values[4:],
            outs,
            epsilon=1e-5,
            tolerance=tolerance,
        )
    maker.case("skip_layer_norm_plain", "SkipLayerNormalization", [x, skip, gamma], [F], epsilon=1e-3)
    maker.case("skip_layer_norm_no_bias", "SkipLayerNormalization", [x, skip, gamma, beta], [F])
    maker.case("skip_layer_norm_no_beta", "SkipLayerNormalization", [x, skip, gamma, None, bias], [F])
    maker.case("skip_layer_norm_short", "SkipLayerNormalization", [x, skip[0], gamma, beta], [F])
    maker.case("skip_layer_norm_one", "SkipLayerNormalization", [x, skip[:1], gamma, beta], [F, None, None, F])
    maker.case("skip_layer_norm_2d", "SkipLayerNormalization", [x[0], skip[0], gamma, beta], [F])
    maker.case("skip_simplified_layer_norm_plain", "SkipSimplifiedLayerNormalization", [x, skip, gamma], [F])
    maker.case("skip_simplified_layer_norm_short", "SkipSimplifiedLayerNormalization", [x, skip[0], gamma], [F])
    maker.case(
        "simplified_layer_norm_deviation",
        "SimplifiedLayerNormalization",
        [x, gamma],
        [F, F],
        domain="",
        version=17,
        epsilon=1e-3,
    )
    maker.case(
        "simplified_layer_norm_axis",
        "SimplifiedLayerNormalization",
        [x, f32(3, 8)],
        [F, F],
        domain="",
        version=17,
        axis=1,
    )
    maker.case(
        "layer_norm_version_1",
        "LayerNormalization",
        [x, gamma, beta],
        [F],
        domain="",
        version=16,
        axis=-1,
        epsilon=1e-5,
    )


def embeddings(maker):
    ids, segments = i32([[1, 3, 0], [2, 2, 4]]), i32([[0, 0, 1], [1, 0, 0]])
    words, positions, types, gamma, beta = f32(6, 8), f32(5, 8), f32(2, 8), f32(8), f32(8)
    mask, places = i32([[1, 1, 0], [1, 1, 1]]), i32([[2, 0, 4], [1, 1, 3]])
    full = [ids, segments, words, positions, types, gamma, beta, mask]
    maker.case("embed_layer_norm", "EmbedLayerNormalization", full, [F, I])
    maker.case("embed_layer_norm_sum", "EmbedLayerNormalization", full + [places], [F, I, F], epsilon=1e-5)
    maker.case("embed_layer_norm_row", "EmbedLayerNormalization", full + [places[:1]], [F, I])
    maker.case(
        "embed_layer_norm_words",
        "EmbedLayerNormalization",
        [ids, None, words, positions, None, gamma, beta],
        [F, I],
        constants=(2, 3, 5, 6),
    )
    maker.case(
        "embed_layer_norm_words_sum",
        "EmbedLayerNormalization",
        [ids, None, words, positions, None, gamma, beta, None, places],
        [F, None, F],
    )


def attention(maker):
    batch, length, width, heads = 2, 4, 8, 2
    x, weights, bias = f32(batch, length, width), f32(width, 3 * width, scale=0.3), f32(3 * width)
    base = [x, weights, bias]
    mask = i32([[1, 1, 1, 0], [1, 0, 1, 1]])

    def case(name, inputs, outs=(F,), **attributes):
        maker.case(
            f"attention_{name}", "Attention", inputs, list(outs), constants=(1,), num_heads=heads, **attributes
        )

    case("plain", base)
    case("no_bias", [x, weights])
    case("scale", base, scale=0.2)
    case("causal", base, unidirectional=1)
    case("mask_2d", base + [mask])
    case("mask_2d_filter", base + [mask], mask_filter_value=-3.0)
    case("mask_2d_causal", base + [mask], unidirectional=1)
    case("mask_lengths", base + [i32([2, 4])])
    case("mask_ends_and_starts", base + [i32([3, 4, 1, 0])])
    case("mask_3d", base + [i32(rng.integers(0, 2, (batch, length, length)))])
    case("mask_hidden", base + [i32([[0, 0, 0, 0], [1, 1, 1, 1]])])
    case("score_bias", base + [None, None, f32(batch, heads, length, length)])
    case("score_bias_one", base + [None, None, f32(1, heads, length, length)])
    case("score_bias_and_mask", base + [mask, None, f32(1, 1, length, length)])
    past = f32(2, batch, heads, 3, width // heads)
    case("past", base + [None, past], [F, F], unidirectional=1)
    case("past_mask", base + [i32([[1, 0, 1, 1, 1, 1, 0], [1] * 7]), past], [F, F], unidirectional=1)
    case("past_not_causal", base + [None, past], [F, F])
    case("past_mask_3d", base + [i32(rng.integers(0, 2, (batch, length, 7))), past], [F, F])
    case("present", base, [F, F])
    case("past_empty", base + [None, past[:, :, :, :0]], [F, F])
    case("sizes", [x, f32(width, 4 + 4 + 10, scale=0.3), f32(18)], qkv_hidden_sizes=[4, 4, 10])
    case("mask_dummy", base + [i32([[1], [1]])])
    maker.case(
        "attention_three_heads", "Attention", [f32(1, 5, 12), f32(12, 36, scale=0.3), f32(36)], [F], num_heads=3
    )
    maker.case(
        "attention_long",
        "Attention",
        [f32(1, 40, 8), f32(8, 24, scale=0.3), f32(24)],
        [F],
        num_heads=2,
        unidirectional=1,
    )


def multi_head(maker):
    batch, queries, keys, heads, size = 2, 3, 5, 2, 4
    width = heads * size
    q, k, v = f32(batch, queries, width), f32(batch, keys, width), f32(batch, keys, width)
    bias = f32(3 * width)
    mask = i32([[1, 1, 1, 0, 1], [1, 0, 1, 1, 1]])

    def case(name, inputs, outs=(F,), constants=(), **attributes):
        maker.case(
            f"multi_head_{name}",
            "MultiHeadAttention",
            inputs,
            list(outs),
            constants=constants,
            num_heads=heads,
            **attributes,
        )

    case("plain", [q, k, v])
    case("bias", [q, k, v, bias], constants=(3,))
    case("bias_input", [q, k, v, bias])
    case("scale", [q, k, v], scale=0.1)
    case("mask", [q, k, v, None, mask])
    case("mask_filter", [q, k, v, None, mask], mask_filter_value=-2.0)
    case("mask_lengths", [q, k, v, None, i32([2, 5])])
    case("mask_3d", [q, k, v, None, i32(rng.integers(0, 2, (batch, queries, keys)))])
    case("score_bias", [q, k, v, bias, None, f32(batch, heads, queries, keys)])
    case("score_bias_mask", [q, k, v, bias, mask, f32(1, heads, queries, keys)])
    case("values", [q, k, f32(batch, keys, heads * 3), f32(2 * width + heads * 3)])
    case("heads", [q, f32(batch, heads, keys, size), f32(batch, heads, keys, size)])
    case("heads_bias", [q, f32(batch, heads, keys, size), f32(batch, heads, keys, size), bias])
    case("heads_mask", [q, f32(batch, heads, keys, size), f32(batch, heads, keys, size), None, mask])
    past = f32(batch, heads, 4, size)
    case("present", [q, k, v], [F, F, F])
    case("past", [q, q, q, bias, None, None, past, past], [F, F, F])
    case("past_causal", [q, q, q, None, None, None, past, past], [F, F, F], unidirectional=1)
    case("past_mask", [q, q, q, None, i32(rng.integers(0, 2, (batch, 7))), None, past, past], [F, F, F])
    case("causal", [q, q, q], unidirectional=1)


def group_query(maker):
    heads, shared, room = 4, 2, 6

    def case(
        name, new, past, last, total, packed=False, with_cache=True, rotates=False, batch=2, inputs=(), **attributes
    ):
        kind = attributes.pop("kind", np.float32)
        size = 16 if rotates else 8
        code = F if kind == np.float32 else H

        def numbers(*shape):
            return f32(*shape).astype(kind)

        if packed:
            qkv = [numbers(batch, new, (heads + 2 * shared) * size), None, None]
        else:
            qkv = [numbers(batch, new, heads * size)] + [numbers(batch, new, shared * size) for _ in range(2)]
        cache = [numbers(batch, shared, past, size) for _ in range(2)] if with_cache else [None, None]
        # Behind what a sample has filled, ONNX Runtime makes zeros of a cache that it copies.
        for sample in range(batch if with_cache else 0):
            for side in cache:
                side[sample, :, 0 if new == total else last[sample] + 1 - new :] = 0
        angles = rng.uniform(0, 6, (room * 2, size // 2))
        caches = [np.cos(angles).astype(kind), np.sin(angles).astype(kind)] if rotates else [None, None]
        full = qkv + cache + [i32(last), i32([total]).reshape([1])] + caches + list(inputs)
        maker.case(
            f"group_query_{name}",
            "GroupQueryAttention",
            full,
            [code, code, code],
            num_heads=heads,
            kv_num_heads=shared,
            tolerance=None if code == F else HALF,
            **(attributes | ({"do_rotary": 1} if rotates else {})),
        )

    case("first", 4, 0, [3, 3], 4)
    case("first_no_cache", 4, 0, [3, 3], 4, with_cache=False)
    case("first_buffer", 4, room, [3, 3], 4)
    case("first_packed", 4, 0, [3, 3], 4, packed=True)
    case("first_rotary", 4, 0, [3, 3], 4, rotates=True)
    # What comes out for padding means nothing.
    case("first_ragged", 4, room, [3, 2], 4, rotates=True, unchecked=(0,))
    case("next", 1, 5, [5, 5], 6)
    case("next_ragged", 1, 5, [5, 3], 6)
    case("next_buffer", 1, 8, [4, 6], 7)
    case("next_rotary", 1, 5, [5, 2], 6, rotates=True)
    case("next_rotary_interleaved", 1, 5, [5, 2], 6, rotates=True, rotary_interleaved=1)
    case("next_packed_rotary", 1, 5, [5, 2], 6, rotates=True, packed=True)
    case("several", 3, 3, [5], 6, batch=1)
    case("several_buffer", 3, 8, [5], 6, batch=1, rotates=True)
    case("window", 1, 5, [5, 4], 6, local_window_size=3)
    case("window_first", 5, 0, [4, 4], 5, local_window_size=2)
    case("softcap", 4, 0, [3, 3], 4, softcap=1.5)
    case("scale", 4, 0, [3, 3], 4, scale=0.1)
    case("half", 4, 0, [3, 3], 4, kind=np.float16, rotates=True)
    case("half_next", 1, 5, [5, 3], 6, kind=np.float16)
    case("bias", 4, 0, [3, 3], 4, inputs=[None, f32(1, heads, 4, 4)])
    case("positions", 2, 4, [5], 6, batch=1, rotates=True, inputs=[np.array([[4, 5]])])


def rotary(maker):
    angles = rng.uniform(0, 6, (10, 4)).astype(np.float32)
    cosines, sines = np.cos(angles), np.sin(angles)
    packed, heads = f32(2, 3, 16), f32(2, 2, 3, 8)
    positions = np.array([[0, 1, 2], [5, 4, 9]])
    for interleaved in (0, 1):
        end = f"{interleaved}"
        maker.case(
            f"rotary_{end}", "RotaryEmbedding", [packed, positions, cosines, sines], [F], interleaved=interleaved
        )
        maker.case(
            f"rotary_heads_{end}", "RotaryEmbedding", [heads, positions, cosines, sines], [F], interleaved=interleaved
        )
        maker.case(
            f"rotary_start_{end}",
            "RotaryEmbedding",
            [packed, np.array([4]), cosines, sines],
            [F],
            interleaved=interleaved,
        )
        maker.case(
            f"rotary_part_{end}",
            "RotaryEmbedding",
            [packed, positions, cosines[:, :2], sines[:, :2]],
            [F],
            interleaved=interleaved,
            num_heads=2,
            rotary_embedding_dim=4,
        )
    maker.case(
        "rotary_half",
        "RotaryEmbedding",
        [packed.astype(np.float16), positions, cosines.astype(np.float16), sines.astype(np.float16)],
        [H],
        tolerance=HALF,
    )


def quantized_embeddings(maker):
    ids, segments = i32([[1, 3, 0], [2, 2, 4]]), i32([[0, 0, 1], [1, 0, 0]])
    mask = i32([[1, 1, 0], [1, 1, 1]])
    for name, kind in (("int8", np.int8), ("uint8", np.uint8)):
        low = np.iinfo(kind).min
        tables = [rng.integers(low, low + 256, (rows, 8)).astype(kind) for rows in (6, 5, 2)]
        factors = [rng.integers(low, low + 256, 8).astype(kind) for _ in range(2)]
        scales = [scalar(value) for value in (0.01, 0.02, 0.03, 0.004, 0.005)]
        zeros = [scalar(low + value, kind) for value in (120, 130, 125, 0, 128)]
        for end, part in (("", segments), ("_words", None)):
            third = [None] * 3 if part is None else [tables[2], scales[2], zeros[2]]
            inputs = [ids, part] + tables[:2] + [third[0]] + factors + [mask]
            inputs += scales[:2] + [third[1]] + scales[3:] + zeros[:2] + [third[2]] + zeros[3:]
            maker.case(f"quantized_embed_{name}{end}", "QEmbedLayerNormalization", inputs, [F, I])


def sinks(maker):
    """Scores that lead to no key, and scores as an output."""
    numbers = np.random.default_rng(12)
    value = lambda *shape: numbers.standard_normal(shape).astype(np.float32)
    heads, shared, size = 4, 2, 8
    for name, new, past, options in (
        ("smooth", 4, 0, {"smooth_softmax": 1}),
        ("sink", 4, 0, {}),
        ("sink_next", 1, 5, {}),
        ("sink_window", 5, 0, {"local_window_size": 2}),
        ("sink_softcap", 3, 0, {"softcap": 1.5}),
    ):
        total = new + past
        inputs = [value(2, new, heads * size), value(2, new, shared * size), value(2, new, shared * size)]
        inputs += [value(2, shared, past, size) for _ in range(2)]
        inputs += [i32([total - 1] * 2), i32([total]), None, None, None, None]
        if name != "smooth":
            inputs.append(value(heads))
        maker.case(
            f"group_query_{name}",
            "GroupQueryAttention",
            inputs,
            [F, F, F],
            num_heads=heads,
            kv_num_heads=shared,
            **options,
        )
    q, k, v = value(2, 3, 16), value(2, 5, 16), value(2, 5, 16)
    for name, more, options in (
        ("plain", [], {}),
        ("bias", [None, None, value(2, 2, 3, 5)], {}),
        ("mask", [None, i32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])], {}),
        ("scale", [], {"scale": 0.3}),
    ):
        maker.case(
            f"multi_head_scores_{name}",
            "MultiHeadAttention",
            [q, k, v] + more,
            [F, None, None, F],
            num_heads=2,
            **options,
        )
