/// Operators over strings.
let textOperators: [any Operator.Type] = [
  RegexFullMatch.self,
  StringConcat.self,
  StringNormalizer.self,
  StringSplit.self,
  TfIdfVectorizer.self,
]
