extension OperatorRegistry {
  /// Every operator that dlrt has.
  package static let standard = OperatorRegistry([
    elementwiseOperators,
    shapeOperators,
    randomOperators,
    quantizationOperators,
    convolutionOperators,
    visionOperators,
    linearOperators,
    reductionOperators,
    normalizationOperators,
    recurrentOperators,
    attentionOperators,
    lossOperators,
    controlOperators,
    sequenceOperators,
    textOperators,
    signalOperators,
    machineLearningOperators,
    contribOperators,
    trainingOperators,
    fusedOperators,
  ])
}
