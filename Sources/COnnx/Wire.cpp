#include "Wire.hpp"

#include <cstring>
#include <utility>

namespace connx {

namespace {

// Protobuf's own parser stops at 100 levels; staying below it gives the error a reason.
constexpr unsigned max_depth = 96;
// An empty message takes two bytes of a file and some hundred in memory: the counts bound that growth.
constexpr size_t max_messages = size_t{1} << 22;
constexpr size_t max_fields = size_t{1} << 24;
constexpr size_t max_length = INT32_MAX;

enum Wire : uint8_t { varint = 0, fixed64 = 1, counted = 2, fixed32 = 5 };

struct Field {
  uint32_t number;
  uint8_t wire;
  const uint8_t *bytes;  // of the value; after the length where it is counted
  size_t count;
};

std::string at(const uint8_t *position, const uint8_t *base) {
  return " at byte " + std::to_string(position - base);
}

Failure too_deep() { return {COnnxCodeLimit, "messages nested more than " + std::to_string(max_depth) + " deep"}; }

Failure too_many(size_t limit, const char *what) {
  return {COnnxCodeLimit, "more than " + std::to_string(limit) + " " + what};
}

/// Reads the fields of one message in order.
class Fields {
 public:
  Fields(const uint8_t *bytes, size_t count, const uint8_t *base) : next_(bytes), end_(bytes + count), base_(base) {}

  bool read(Field &field) {
    if (next_ == end_) return false;
    const uint8_t *start = next_;
    const uint64_t tag = number();
    if (tag > UINT32_MAX || tag >> 3 == 0) throw malformed("a field number out of range", start);
    field.number = static_cast<uint32_t>(tag >> 3);
    field.wire = tag & 7;
    field.bytes = next_;
    switch (field.wire) {
      case varint:
        number();
        field.count = static_cast<size_t>(next_ - field.bytes);
        return true;
      case fixed64:
      case fixed32:
        field.count = field.wire == fixed64 ? 8 : 4;
        break;
      case counted: {
        const uint64_t length = number();
        field.bytes = next_;
        if (length > static_cast<uint64_t>(end_ - next_))
          throw malformed("a field of " + std::to_string(length) + " bytes where " + std::to_string(end_ - next_) +
                              " are left",
                          start);
        field.count = static_cast<size_t>(length);
        break;
      }
      default:
        throw malformed("wire type " + std::to_string(field.wire) + ", which no ONNX field has,", start);
    }
    if (field.count > static_cast<size_t>(end_ - next_)) throw malformed("a truncated field", start);
    next_ += field.count;
    return true;
  }

  Failure malformed(const std::string &what, const uint8_t *position) const {
    return {COnnxCodeMalformed, what + at(position, base_)};
  }

 private:
  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (next_ == end_) throw malformed("a truncated number", next_);
      const uint8_t byte = *next_++;
      if (shift < 63 || byte <= 1) value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed("a number of more than 10 bytes", next_);
  }

  const uint8_t *next_, *end_, *base_;
};

/// The schema: which fields are read, and what they hold.
Kind child(Kind message, uint32_t number) {
  switch (message) {
    case Kind::model:
      switch (number) {
        case 7: return Kind::graph;
        case 8: case 14: return Kind::flat;
        case 25: return Kind::function;
        case 1: case 2: case 3: case 4: case 5: case 6: return Kind::leaf;
        default: return Kind::none;
      }
    case Kind::graph:
      switch (number) {
        case 1: return Kind::node;
        case 5: return Kind::tensor;
        case 15: return Kind::sparse_tensor;
        case 11: case 12: case 13: return Kind::value_info;
        case 2: case 10: return Kind::leaf;
        default: return Kind::none;
      }
    case Kind::node:
      switch (number) {
        case 5: return Kind::attribute;
        case 1: case 2: case 3: case 4: case 7: case 8: return Kind::leaf;
        default: return Kind::none;
      }
    case Kind::attribute:
      switch (number) {
        case 5: case 10: return Kind::tensor;
        case 6: case 11: return Kind::graph;
        case 14: case 15: return Kind::type;
        case 22: case 23: return Kind::sparse_tensor;
        case 1: case 2: case 3: case 4: case 7: case 8: case 9: case 20: case 21: return Kind::leaf;
        default: return Kind::none;
      }
    case Kind::tensor:
      switch (number) {
        case 9: return Kind::payload;
        case 3: case 13: return Kind::flat;
        case 1: case 2: case 4: case 5: case 6: case 7: case 8: case 10: case 11: case 14: return Kind::leaf;
        default: return Kind::none;
      }
    case Kind::sparse_tensor:
      return number == 1 || number == 2 ? Kind::tensor : number == 3 ? Kind::leaf : Kind::none;
    case Kind::function:
      switch (number) {
        case 7: return Kind::node;
        case 9: return Kind::flat;
        case 11: return Kind::attribute;
        case 1: case 4: case 5: case 6: case 10: case 13: return Kind::leaf;
        default: return Kind::none;
      }
    case Kind::value_info:
      return number == 1 ? Kind::leaf : number == 2 ? Kind::type : Kind::none;
    case Kind::type:
      switch (number) {
        case 1: case 8: return Kind::shaped_type;
        case 4: case 9: return Kind::wrapped_type;
        case 5: return Kind::map_type;
        case 7: return Kind::flat;
        default: return Kind::none;
      }
    case Kind::shaped_type: return number == 1 ? Kind::leaf : number == 2 ? Kind::shape : Kind::none;
    case Kind::wrapped_type: return number == 1 ? Kind::type : Kind::none;
    case Kind::map_type: return number == 1 ? Kind::leaf : number == 2 ? Kind::type : Kind::none;
    case Kind::shape: return number == 1 ? Kind::flat : Kind::none;
    case Kind::flat: return number <= 2 ? Kind::leaf : Kind::none;
    case Kind::sequence:
    case Kind::optional:
      switch (number) {
        case 1: case 2: return Kind::leaf;
        case 3: return Kind::tensor;
        case 4: return Kind::sparse_tensor;
        case 5: return Kind::sequence;
        case 6: return Kind::map;
        case 7: return Kind::optional;
        default: return Kind::none;
      }
    case Kind::map: return number == 5 ? Kind::sequence : number <= 4 ? Kind::leaf : Kind::none;
    case Kind::none:
    case Kind::leaf:
    case Kind::payload: return Kind::none;
  }
  return Kind::none;
}

void put_number(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_tag(std::string &out, const Field &field) { put_number(out, uint64_t{field.number} << 3 | field.wire); }

class Stripper {
 public:
  explicit Stripper(const uint8_t *base) : base_(base) {}

  void strip(Kind kind, const uint8_t *bytes, size_t count, unsigned depth) {
    if (depth > max_depth) throw too_deep();
    if (++messages_ > max_messages) throw too_many(max_messages, "messages");
    Fields fields(bytes, count, base_);
    for (Field field; fields.read(field);) {
      const Kind inner = child(kind, field.number);
      if (inner == Kind::none) continue;
      if (++fields_ > max_fields) throw too_many(max_fields, "fields");
      if (inner != Kind::leaf && field.wire != counted) {
        const std::string what = "wire type " + std::to_string(field.wire) + " for field ";
        throw fields.malformed(what + std::to_string(field.number) + ", which holds a message or bytes,", field.bytes);
      }
      put_tag(out.bytes, field);
      if (inner == Kind::leaf) {
        if (field.wire == counted) put_number(out.bytes, field.count);
        out.bytes.append(reinterpret_cast<const char *>(field.bytes), field.count);
      } else if (inner == Kind::payload) {
        const std::string stand_in = token(out.payloads.size());
        put_number(out.bytes, stand_in.size());
        out.bytes += stand_in;
        out.payloads.push_back({field.bytes, field.count});
      } else {
        // The length is known afterwards: it gets the five bytes that the longest one needs.
        const size_t start = out.bytes.size();
        out.bytes.append("\x80\x80\x80\x80\0", 5);
        strip(inner, field.bytes, field.count, depth + 1);
        size_t length = out.bytes.size() - start - 5;
        if (length > max_length) throw too_large();
        for (size_t i = 0; i < 5; ++i, length >>= 7) out.bytes[start + i] |= static_cast<char>(length & 0x7F);
      }
      if (out.bytes.size() > max_length) throw too_large();
    }
  }

  Skeleton out;

 private:
  static Failure too_large() { return {COnnxCodeLimit, "more than 2 GiB outside raw tensor data"}; }

  const uint8_t *base_;
  size_t messages_ = 0, fields_ = 0;
};

/// Collects a message's segments from its end to its start, so that every length is known when it is written.
class Splicer {
 public:
  explicit Splicer(const Skeleton &skeleton) : skeleton_(skeleton) {}

  size_t splice(Kind kind, const uint8_t *bytes, size_t count, unsigned depth) {
    if (depth > max_depth) throw too_deep();
    std::vector<Field> fields;
    Fields reader(bytes, count, bytes);
    for (Field field; reader.read(field);) fields.push_back(field);
    size_t total = 0;
    for (size_t i = fields.size(); i-- > 0;) {
      const Field &field = fields[i];
      const Kind inner = child(kind, field.number);
      size_t length = field.count;
      if (inner == Kind::payload) {
        const COnnxBytes raw = payload(skeleton_.payloads, {reinterpret_cast<const char *>(field.bytes), field.count});
        length = raw.count;
        segments_.push_back({raw, std::string()});
      } else if (inner == Kind::leaf || inner == Kind::none) {
        segments_.push_back({{field.bytes, field.count}, std::string()});
      } else {
        length = splice(inner, field.bytes, field.count, depth + 1);
      }
      if (length > max_length) throw too_large();
      std::string head;
      put_tag(head, field);
      if (field.wire == counted) put_number(head, length);
      total += head.size() + length;
      segments_.push_back({{nullptr, 0}, std::move(head)});
      if (total > max_length) throw too_large();
    }
    return total;
  }

  void write(COnnxSink sink, void *context) const {
    std::string small;
    auto flush = [&] {
      if (!small.empty() && !sink(context, small.data(), small.size())) throw refused();
      small.clear();
    };
    for (size_t i = segments_.size(); i-- > 0;) {
      const Segment &segment = segments_[i];
      small += segment.head;
      if (segment.body.count < 4096) {
        small.append(static_cast<const char *>(segment.body.bytes), segment.body.count);
      } else {
        flush();
        if (!sink(context, segment.body.bytes, segment.body.count)) throw refused();
      }
      if (small.size() >= 65536) flush();
    }
    flush();
  }

 private:
  static Failure too_large() {
    return {COnnxCodeLimit, "more than 2 GiB in one protobuf message"};
  }
  static Failure refused() { return {COnnxCodeSink, "the bytes could not be written"}; }

  struct Segment {
    COnnxBytes body;
    std::string head;
  };

  const Skeleton &skeleton_;
  std::vector<Segment> segments_;  // last first
};

}  // namespace

Kind root_kind(COnnxKind kind) {
  switch (kind) {
    case COnnxKindModel: return Kind::model;
    case COnnxKindTensor: return Kind::tensor;
    case COnnxKindSequence: return Kind::sequence;
    case COnnxKindOptional: return Kind::optional;
    case COnnxKindMap: return Kind::map;
  }
  return Kind::none;
}

Skeleton strip(Kind kind, COnnxBytes message) {
  const auto *bytes = static_cast<const uint8_t *>(message.bytes);
  Stripper stripper(bytes);
  stripper.strip(kind, bytes, message.count, 0);
  return std::move(stripper.out);
}

void splice(Kind kind, const Skeleton &skeleton, COnnxSink sink, void *context) {
  Splicer splicer(skeleton);
  splicer.splice(kind, reinterpret_cast<const uint8_t *>(skeleton.bytes.data()), skeleton.bytes.size(), 0);
  splicer.write(sink, context);
}

std::string token(size_t index) {
  const auto value = static_cast<uint32_t>(index);
  return {reinterpret_cast<const char *>(&value), sizeof value};
}

COnnxBytes payload(const std::vector<COnnxBytes> &payloads, const std::string &token) {
  uint32_t index = 0;
  if (token.size() != sizeof index) return {nullptr, 0};
  std::memcpy(&index, token.data(), sizeof index);
  return index < payloads.size() ? payloads[index] : COnnxBytes{nullptr, 0};
}

void fill(COnnxError *error, COnnxCode code, const char *text) noexcept {
  if (error == nullptr) return;
  error->code = code;
  std::strncpy(error->message, text, sizeof error->message - 1);
  error->message[sizeof error->message - 1] = '\0';
}

}  // namespace connx
