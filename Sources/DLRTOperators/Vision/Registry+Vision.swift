/// Operators on images and boxes.
let visionOperators: [any Operator.Type] = [
  AffineGrid.self,
  GridSample.self,
  MaxRoiPool.self,
  NonMaxSuppression.self,
  Resize.self,
  RoiAlign.self,
  Upsample.self,
]
