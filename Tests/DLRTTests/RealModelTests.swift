import DLRTFiles
import DLRTTestSupport
import Testing

@testable import DLRT

/// Models from the world, with the answers that other runtimes gave.
@Suite struct RealModelTests {
  static let hasModels = SharedFolder.path("models/real") != nil
  static let reason: Comment = "the shared models are not on this machine"

  @Test(
    .enabled(if: hasModels, reason),
    arguments: ["byte_bidi_lstm", "minilm_l6_v2", "mnist_cnn", "mnist_cntk", "silero_vad"], [true, false])
  func referenceDataSets(_ name: String, _ optimizes: Bool) throws {
    let folder = try #require(SharedFolder.path("models/real/\(name)"))
    let runner = TestRunner(
      modelOptions: Model.Options(optimizes: optimizes), sessionOptions: SessionOptions(threads: 2))
    guard case .passed = runner.run(folder, Tolerance()) else {
      Issue.record("\(runner.run(folder, Tolerance()))")
      return
    }
  }

  /// The detector's state goes from chunk to chunk, so an error anywhere would grow.
  @Test(.enabled(if: hasModels, reason)) func voiceDetectorThroughAllChunks() throws {
    let folder = try #require(SharedFolder.path("models/real/silero_vad"))
    let sound = try #require(SharedFolder.path("data/speech_16k.wav"))
    let expected = try JSONDocument(path: folder + "/speech_16k.probabilities.json").value.elements.compactMap(\.number)
    let samples = try SoundInput.samples(WholeFile.read(sound), name: sound)
    let session = try Session(Model(contentsOf: folder + "/model.onnx"), options: SessionOptions(threads: 1))
    let rate = Value.tensor(try Tensor(scalar: Int64(16_000)))
    var state = Value.tensor(try Tensor(zeros: [2, 1, 128], type: .float32))
    let (window, overlap) = (512, 64)
    var worst = 0.0
    for (index, wanted) in expected.enumerated() {
      let start = index * window
      let past = start == 0 ? [Float](repeating: 0, count: overlap) : Array(samples[(start - overlap)..<start])
      let chunk = try Tensor(past + samples[start..<(start + window)], shape: [1, window + overlap])
      let outputs = try session.run([.tensor(chunk), state, rate])
      let probability = try #require(try outputs[0].tensor?.array(of: Float.self).first)
      worst = max(worst, (Double(probability) - wanted).magnitude)
      state = outputs[1]
    }
    #expect(expected.count == 289)
    #expect(worst < 1e-4)
  }

  /// Executors of control-flow bodies belong to their session and go with it.
  @Test(.enabled(if: hasModels, reason)) func nothingOutlivesASession() throws {
    let folder = try #require(SharedFolder.path("models/real/silero_vad"))
    weak var core: ExecutionCore?
    try {
      let session = try Session(Model(contentsOf: folder + "/model.onnx"), options: SessionOptions(threads: 1))
      core = session.core
      let state = try Tensor(zeros: [2, 1, 128], type: .float32)
      let sound = try Tensor(zeros: [1, 512], type: .float32)
      _ = try session.run(["input": sound, "state": state, "sr": Tensor(scalar: Int64(16000))])
    }()
    #expect(core == nil)
  }
}
