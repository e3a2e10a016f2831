/// Operators on images and boxes.
let visionOperators: OperatorFamily = [
  "AffineGrid": AffineGrid.self,
  "GridSample": GridSample.self,
  "ImageDecoder": ImageDecoder.self,
  "MaxRoiPool": MaxRoiPool.self,
  "NonMaxSuppression": NonMaxSuppression.self,
  "Resize": Resize.self,
  "RoiAlign": RoiAlign.self,
  "Upsample": Upsample.self,
]
