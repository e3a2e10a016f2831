import DLRT
import DLRTOnnx
import Glibc

/// Writes a run's outputs as ONNX test data.
package enum OutputFolder {
  package static func write(_ outputs: [Value], of model: Model, to folder: String) throws {
    if mkdir(folder, 0o777) != 0 && errno != EEXIST {
      throw DLRTError(.io, "cannot make the folder '\(folder)': \(String(cString: strerror(errno)))")
    }
    for (index, value) in outputs.enumerated() {
      try ValueFile.write(value, name: model.outputs[index].name, path: "\(folder)/output_\(index).pb")
    }
  }
}
