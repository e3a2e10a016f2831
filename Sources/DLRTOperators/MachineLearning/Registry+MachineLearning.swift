import DLRTGraph

/// Operators of ai.onnx.ml: classical machine learning.
let machineLearningOperators: OperatorFamily = [
  "ai.onnx.ml::ArrayFeatureExtractor": ArrayFeatureExtractor.self,
  "ai.onnx.ml::Binarizer": Binarizer.self,
  "ai.onnx.ml::CastMap": CastMap.self,
  "ai.onnx.ml::CategoryMapper": CategoryMapper.self,
  "ai.onnx.ml::DictVectorizer": DictVectorizer.self,
  "ai.onnx.ml::FeatureVectorizer": FeatureVectorizer.self,
  "ai.onnx.ml::Imputer": Imputer.self,
  "ai.onnx.ml::LabelEncoder": LabelEncoder.self,
  "ai.onnx.ml::LinearClassifier": LinearClassifier.self,
  "ai.onnx.ml::LinearRegressor": LinearRegressor.self,
  "ai.onnx.ml::Normalizer": Normalizer.self,
  "ai.onnx.ml::OneHotEncoder": OneHotEncoder.self,
  "ai.onnx.ml::Scaler": Scaler.self,
  "ai.onnx.ml::SVMClassifier": SVMClassifier.self,
  "ai.onnx.ml::SVMRegressor": SVMRegressor.self,
  "ai.onnx.ml::TreeEnsemble": TreeEnsemble.self,
  "ai.onnx.ml::TreeEnsembleClassifier": TreeEnsembleClassifier.self,
  "ai.onnx.ml::TreeEnsembleRegressor": TreeEnsembleRegressor.self,
  "ai.onnx.ml::ZipMap": ZipMap.self,
]

extension OperatorName {
  static let machineLearningDomain = "ai.onnx.ml"
}
