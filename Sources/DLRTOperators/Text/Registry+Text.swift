/// Operators over strings.
let textOperators: OperatorFamily = [
  "RegexFullMatch": RegexFullMatch.self,
  "StringConcat": StringConcat.self,
  "StringNormalizer": StringNormalizer.self,
  "StringSplit": StringSplit.self,
  "TfIdfVectorizer": TfIdfVectorizer.self,
]
