/// Signal processing.
let signalOperators: OperatorFamily = [
  "BlackmanWindow": BlackmanWindow.self,
  "DFT": DFT.self,
  "HammingWindow": HammingWindow.self,
  "HannWindow": HannWindow.self,
  "MelWeightMatrix": MelWeightMatrix.self,
  "STFT": STFT.self,
]
