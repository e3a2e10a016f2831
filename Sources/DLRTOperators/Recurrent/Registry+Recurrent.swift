/// Recurrent networks.
let recurrentOperators: OperatorFamily = [
  "GRU": GRU.self,
  "LSTM": LSTM.self,
  "RNN": RNN.self,
]
