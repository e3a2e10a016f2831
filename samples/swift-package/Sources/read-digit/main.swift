import DLRT

/// A seven, one character for each of the 8x8 pixels that the model sees.
let drawing = [
  "        ",
  " .####. ",
  "  ..:#. ",
  "    #:  ",
  "  :##:. ",
  "   #:   ",
  "  :#    ",
  "  #.    ",
]
let ink: [Character: Float] = ["#": 1, ":": 0.6, ".": 0.3]

func main() throws {
  guard CommandLine.arguments.count == 2 else {
    print("usage: read-digit MODEL.onnx")
    return
  }
  let model = try Model(contentsOf: CommandLine.arguments[1])
  let session = try Session(model)

  // The model states how its input is made from brightness between 0 and 1.
  let mean = model.metadata.properties["dlrt.input.mean"].flatMap(Float.init) ?? 0
  let deviation = model.metadata.properties["dlrt.input.std"].flatMap(Float.init) ?? 1
  let pixels = drawing.joined().map { ((ink[$0] ?? 0) - mean) / deviation }

  let outputs = try session.run(["image": Tensor(pixels, shape: [1, 1, 8, 8])])
  let probabilities = try outputs["probabilities"]!.array(of: Float.self)

  print(drawing.joined(separator: "\n"))
  for (digit, probability) in probabilities.enumerated().sorted(by: { $0.element > $1.element }).prefix(3) {
    print("\(digit): \((probability * 1000).rounded() / 10) %")
  }
}

try main()
