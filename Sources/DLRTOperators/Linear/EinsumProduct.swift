import DLRTGraph

/// An Einsum of two operands that is a batched matrix product of them with their axes in another order.
package struct EinsumProduct: Equatable {
  /// Which operand has the rows: 0 or 1.
  package let left: Int
  /// The order of the left operand's axes that makes it [batch…, row, sum], of the other's that makes it
  /// [batch…, sum, column], and of the product's axes that makes it the result.
  package let leftOrder: [Int]
  package let rightOrder: [Int]
  package let resultOrder: [Int]

  init?(operands: [[EinsumEquation.Label]], result: [EinsumEquation.Label]) {
    guard operands.count == 2, operands.allSatisfy({ Set($0).count == $0.count }) else { return nil }
    let sets = operands.map { Set($0) }, common = sets[0].intersection(sets[1]), kept = Set(result)
    let own = sets.map { $0.subtracting(common) }
    guard own.allSatisfy({ $0.count == 1 && kept.isSuperset(of: $0) }),
      let sum = common.subtracting(kept).first, common.subtracting(kept).count == 1,
      let first = result.first(where: { !common.contains($0) }), let last = result.last(where: { !common.contains($0) })
    else { return nil }
    left = own[0].contains(first) ? 0 : 1
    let batch = result.filter { common.contains($0) }
    func order(_ wanted: [EinsumEquation.Label], in axes: [EinsumEquation.Label]) -> [Int] {
      wanted.compactMap { axes.firstIndex(of: $0) }
    }
    leftOrder = order(batch + [first, sum], in: operands[left])
    rightOrder = order(batch + [sum, last], in: operands[1 - left])
    resultOrder = order(result, in: batch + [first, last])
  }
}

extension Einsum {
  /// The product that the equation is, if it is one.
  ///
  /// - Parameter shapes: of both operands.
  package func product(_ shapes: [Shape]) -> EinsumProduct? {
    guard shapes.count == 2, let labels = try? equation.labels(ranks: shapes.map(\.rank)),
      let product = EinsumProduct(operands: labels.operands, result: labels.result)
    else { return nil }
    // MatMul repeats what has size 1 along the batch only.
    let left = shapes[product.left], right = shapes[1 - product.left]
    guard let sum = product.leftOrder.last, product.rightOrder.count >= 2,
      left[sum].provablyEquals(right[product.rightOrder[product.rightOrder.count - 2]])
    else { return nil }
    return product
  }
}
