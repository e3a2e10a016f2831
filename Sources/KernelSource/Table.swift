import CKernelSupport

/// The entries compiled for this module's instruction set; call it only on a CPU that has the set.
package func kernelTable() -> UnsafePointer<dlk_kernel_table> { UnsafePointer(tableStorage) }

/// Runs a kernel beside whose sums subnormal numbers are nothing; squares of small numbers, say, would be missed.
@inline(__always) private func ignoringSubnormals(_ body: () -> Void) {
  let mode = dlk_ignore_subnormals()
  body()
  dlk_set_mode(mode)
}

nonisolated(unsafe) let tableStorage: UnsafeMutablePointer<dlk_kernel_table> = {
  let storage = UnsafeMutablePointer<dlk_kernel_table>.allocate(capacity: 1)
  storage.initialize(
    to: dlk_kernel_table(
      isa: UnsafeRawPointer(isaName.utf8Start).assumingMemoryBound(to: CChar.self),
      vector_floats: Int32(lanes),
      gemm_panel: Int32(panelColumns),
      gemm_rows: Int32(tileRows(panelVectors)),
      packed_b_floats: { Int64(packedFloats(k: Int($0), n: Int($1))) },
      interleaves_panel: { interleavedVectors(taps: Int($0), depth: Int($1), n: Int($2)) > 0 ? 1 : 0 },
      pack_b: { packB($0.pointee, Int($1)..<Int($2)) },
      paired_b_floats: { Int64(PairedBlocks(k: Int($0), n: Int($1)).floats) },
      balance_b: balanceB,
      pair_b: pairB,
      paired_workspace_floats: { Int64(pairedWorkspaceFloats(rows: Int($0), k: Int($1))) },
      gemm: { args, row, endRow, panel, endPanel in
        ignoringSubnormals {
          gemm(args.pointee, Int(row)..<Int(endRow), Int(panel)..<Int(endPanel), packedColumns: Int(args.pointee.n))
        }
      },
      gemm_direct: { args, row, endRow, panel, endPanel in
        ignoringSubnormals { gemmDirect(args.pointee, Int(row)..<Int(endRow), Int(panel)..<Int(endPanel)) }
      },
      product: { product($0.pointee) },
      conv: { args, pixel, endPixel, panel, endPanel in
        ignoringSubnormals { convolve(args.pointee, Int(pixel)..<Int(endPixel), Int(panel)..<Int(endPanel)) }
      },
      packed_winograd_floats: { Int64(packedWinogradFloats(tile: Int($0), channels: Int($1), n: Int($2))) },
      winograd_workspace_floats: {
        Int64(winogradWorkspaceFloats(tile: Int($0), block: Int($1), channels: Int($2), n: Int($3)))
      },
      pack_winograd: { packWinograd($0.pointee, Int($1)..<Int($2)) },
      winograd: { args, tile, endTile, panel, endPanel in
        ignoringSubnormals {
          winograd(args.pointee, tiles: Int(tile)..<Int(endTile), panels: Int(panel)..<Int(endPanel))
        }
      },
      depthwise: { args, row, end in ignoringSubnormals { depthwise(args.pointee, Int(row)..<Int(end)) } },
      byte_conv: { convolveBytes($0.pointee, Int($1)..<Int($2), Int($3)..<Int($4)) },
      byte_depthwise: { depthwiseBytes($0.pointee, Int($1)..<Int($2)) },
      pool: { pool($0.pointee, Int($1)..<Int($2)) },
      packed_recurrent_floats: { Int64(packedRecurrentFloats(gates: Int($0), hidden: Int($1), k: Int($2))) },
      pack_recurrent: { packRecurrent($0.pointee, Int($1)..<Int($2)) },
      lstm_step: { args, panel, end in ignoringSubnormals { lstmStep(args.pointee, Int(panel)..<Int(end)) } },
      gru_step: { args, panel, end in ignoringSubnormals { gruStep(args.pointee, Int(panel)..<Int(end)) } },
      attention_workspace_floats: { Int64(attentionWorkspaceFloats(Int($0))) },
      attention: { args, row, end in ignoringSubnormals { attention(args.pointee, Int(row)..<Int(end)) } },
      transpose: { transpose($0.pointee, Int($1)..<Int($2), Int($3)..<Int($4)) },
      copy_image: { copyImage($0.pointee, Int($1)..<Int($2)) },
      unary: { unary($0, $1, $2, $3, $4, Int($5)) },
      unary_rows: { unaryRows($0.pointee) },
      binary: { binary($0.pointee) },
      quantize: { quantize($0.pointee) },
      dequantize: { dequantize($0.pointee) },
      byte_binary: { byteBinary($0.pointee) },
      softmax: { args, row, end in ignoringSubnormals { softmax(args.pointee, Int(row)..<Int(end)) } },
      normalize: { normalize($0.pointee, Int($1)..<Int($2)) },
      channel_moments: { channelMoments($0.pointee) },
      channel_affine: { channelAffine($0.pointee) },
      reduce_rows: { reduceRows($0.pointee, Int($1)..<Int($2)) },
      reduce_columns: { reduceColumns($0.pointee, Int($1)..<Int($2)) },
      f16_to_f32: { f16ToF32($0, $1, Int($2)) },
      f32_to_f16: { f32ToF16($0, $1, Int($2)) },
      bf16_to_f32: { bf16ToF32($0, $1, Int($2)) },
      f32_to_bf16: { f32ToBf16($0, $1, Int($2)) }))
  return storage
}()

#if DL_AVX512
  private let balanceB: (@convention(c) (Int64, Int64, UnsafeMutablePointer<Float>, Int64, Int64) -> Void)? = {
    balanceRows(k: Int($0), n: Int($1), $2, Int($3)..<Int($4))
  }
  private let pairB: (@convention(c) (Int64, Int64, UnsafeMutablePointer<Float>, Int64, Int64) -> Void)? = {
    pairPanels(k: Int($0), n: Int($1), $2, Int($3)..<Int($4))
  }
#else
  private let balanceB: (@convention(c) (Int64, Int64, UnsafeMutablePointer<Float>, Int64, Int64) -> Void)? = nil
  private let pairB: (@convention(c) (Int64, Int64, UnsafeMutablePointer<Float>, Int64, Int64) -> Void)? = nil
#endif

#if DL_AVX512
  private let isaName: StaticString = "avx512"
#elseif DL_AVX2
  private let isaName: StaticString = "avx2"
#else
  private let isaName: StaticString = "baseline"
#endif
