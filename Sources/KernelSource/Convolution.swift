import CKernelSupport

func convolve(_ args: dlk_conv_args, _ pixels: Range<Int>, _ panels: Range<Int>) {
  var room = DriverScratch.Room { _ in 0 }
  withAddress(of: &room) { room in
    withWindowRows(args.window, args.x, args.x_pixels, channels: args.channels, padding: args.padding) { rows, depth in
      let isGrouped = args.groups > 1, n = Int(args.n)
      let panelFloats =
        isGrouped ? packedFloats(k: rows.taps &* depth, n: n) : panelColumns &* rows.taps &* depth
      // As the weights are packed, be the taps of a row one run of memory here or not.
      let window = args.window, taps = Int(window.kernel_d &* window.kernel_h &* window.kernel_w)
      let interleaved = args.interleaved == 0 ? 0 : interleavedVectors(taps: taps, depth: Int(args.channels), n: n)
      let y = args.y_pixels, width = Int(window.out_w), plane = width &* Int(window.out_h)
      let rowsJoin = window.out_h == 1 || y.row_stride == window.out_w &* y.pixel_stride
      let runs = rowsJoin ? RowRuns() : RowRuns(count: width, stride: Int(y.row_stride))
      // Floats by which a plane lies farther off than another row would.
      let gap = Int(y.plane_stride &- window.out_h &* (rowsJoin ? window.out_w &* y.pixel_stride : y.row_stride))
      var pixel = pixels.lowerBound
      repeat {
        let first = gap == 0 || window.out_d == 1 ? 0 : pixel / plane
        let end = gap == 0 || window.out_d == 1 ? pixels.upperBound : min(pixels.upperBound, (first &+ 1) &* plane)
        let isLast = end == pixels.upperBound
        var driver = ProductDriver(
          rows: rows, depth: depth, n: n,
          b: PanelSource(
            base: args.weights, layout: isGrouped ? .groups(columns: n, floats: panelFloats) : .packed(columns: n),
            interleaved: interleaved),
          c: args.y + first &* gap, cStride: Int(y.pixel_stride), runs: runs, epilogue: Epilogue(args.epilogue),
          scratch: DriverScratch(room),
          after: isLast
            ? args.next?.assumingMemoryBound(to: Float.self) : args.weights + panels.lowerBound &* panelFloats)
        driver.run(rows: pixel..<end, panels: panels)
        pixel = end
      } while pixel < pixels.upperBound
    }
  }
}
