#!/usr/bin/env python3
"""Makes the cases of Tests/Cases/contrib: small models of com.microsoft's operators and of ONNX's experimental ones,
with the answers of ONNX Runtime.

Usage: make_contrib_cases.py [FOLDER]        (needs the Python packages numpy, onnx and onnxruntime)

Tolerances, where they are not the usual ones, go to cases.json beside the folder: half floats, and operators that ONNX
Runtime computes in eight bits where dlrt stays with floats. The cases stay clear of what ONNX Runtime does against its
own text: with g_idx, MatMulNBits leaves the zero points out.
"""

import contrib_attention as attention
import contrib_others as others
import contrib_quantized as quantized
from case_maker import Maker, main

if __name__ == "__main__":
    main(
        "contrib",
        Maker,
        "com.microsoft",
        1,
        others.activations,
        attention.norms,
        attention.embeddings,
        attention.attention,
        attention.multi_head,
        attention.group_query,
        attention.rotary,
        others.products,
        others.convolutions,
        quantized.quantized_weights,
        quantized.quantized,
        others.shapes,
        others.experimental,
        attention.quantized_embeddings,
        quantized.exact_pairs,
        attention.sinks,
    )
