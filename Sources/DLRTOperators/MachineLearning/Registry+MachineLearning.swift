import DLRTGraph

/// Operators of ai.onnx.ml: classical machine learning.
let machineLearningOperators: [any Operator.Type] = [
  ArrayFeatureExtractor.self,
  Binarizer.self,
  CastMap.self,
  CategoryMapper.self,
  DictVectorizer.self,
  FeatureVectorizer.self,
  Imputer.self,
  LabelEncoder.self,
  LinearClassifier.self,
  LinearRegressor.self,
  Normalizer.self,
  OneHotEncoder.self,
  Scaler.self,
  SVMClassifier.self,
  SVMRegressor.self,
  TreeEnsemble.self,
  TreeEnsembleClassifier.self,
  TreeEnsembleRegressor.self,
  ZipMap.self,
]

extension OperatorName {
  static let machineLearningDomain = "ai.onnx.ml"
}
