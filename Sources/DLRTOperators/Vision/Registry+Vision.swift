/// Operators on images and boxes.
let visionOperators: [any Operator.Type] = [
  AffineGrid.self,
  GridSample.self,
  ImageDecoder.self,
  MaxRoiPool.self,
  NonMaxSuppression.self,
  Resize.self,
  RoiAlign.self,
  Upsample.self,
]
