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
      // Runs that end with a row of the image are short: all of them pass under a panel before the next one comes.
      let y = args.y_pixels, isOneRun = args.window.out_h == 1 || y.row_stride == args.window.out_w &* y.pixel_stride
      var panel = panels.lowerBound
      repeat {
        let some = isOneRun ? panels : panel..<min(panels.upperBound, panel &+ 1)
        let start = args.weights + some.lowerBound &* panelFloats
        let isLast = some.upperBound == panels.upperBound
        forEachRun(of: pixels, args.window, args.y_pixels) { run, offset in
          var after = isOneRun ? nil : Source(start)
          if run.upperBound == pixels.upperBound {
            after = isLast ? args.next?.assumingMemoryBound(to: Float.self) : nil
          }
          var driver = ProductDriver(
            rows: rows, depth: depth, n: n,
            b: PanelSource(
              base: args.weights, layout: isGrouped ? .groups(columns: n, floats: panelFloats) : .packed(columns: n),
              interleaved: interleaved),
            c: args.y + offset, cStride: Int(args.y_pixels.pixel_stride), epilogue: Epilogue(args.epilogue),
            scratch: DriverScratch(room), after: after)
          driver.run(rows: run, panels: some)
        }
        panel = some.upperBound
      } while panel < panels.upperBound
    }
  }
}
