#include <memory>
#include <utility>

#include "Proto.hpp"
#include "Wire.hpp"

struct COnnxWriter {
  COnnxKind kind;
  std::unique_ptr<google::protobuf::Message> root;
  std::vector<COnnxBytes> payloads;
  bool out_of_memory = false;
};

namespace connx {

namespace {

std::string string(COnnxText text) { return text.count == 0 ? std::string() : std::string(text.bytes, text.count); }

/// Runs `body` on the handle's message. Memory that runs out is remembered, and the handle that results is null.
template <typename Message, typename Handle, typename Body>
void edit(Handle handle, Body body) noexcept {
  if (handle.message == nullptr) return;
  if (!guarded(nullptr, [&] { body(*static_cast<Message *>(handle.message)); })) handle.writer->out_of_memory = true;
}

template <typename Child, typename Message, typename Handle, typename Body>
Child extend(Handle handle, Body body) noexcept {
  Child child = {nullptr, handle.writer};
  edit<Message>(handle, [&](Message &message) { child.message = body(message); });
  return child;
}

template <typename Handle>
Handle root(COnnxWriter *writer, COnnxKind kind) {
  return {writer != nullptr && writer->kind == kind ? writer->root.get() : nullptr, writer};
}

std::unique_ptr<google::protobuf::Message> new_root(COnnxKind kind) {
  switch (kind) {
    case COnnxKindModel: return std::make_unique<onnx::ModelProto>();
    case COnnxKindTensor: return std::make_unique<onnx::TensorProto>();
    case COnnxKindSequence: return std::make_unique<onnx::SequenceProto>();
    case COnnxKindOptional: return std::make_unique<onnx::OptionalProto>();
    case COnnxKindMap: return std::make_unique<onnx::MapProto>();
  }
  throw Failure{COnnxCodeMalformed, "an unknown kind of document"};
}

onnx::TypeProto *named_type(onnx::ValueInfoProto *value, COnnxText name) {
  value->set_name(string(name));
  return value->mutable_type();
}

}  // namespace

}  // namespace connx

using namespace connx;

COnnxWriter *connx_writer(COnnxKind kind) {
  COnnxWriter *result = nullptr;
  guarded(nullptr, [&] {
    auto writer = std::make_unique<COnnxWriter>();
    writer->kind = kind;
    writer->root = new_root(kind);
    result = writer.release();
  });
  return result;
}

void connx_writer_free(COnnxWriter *writer) { delete writer; }

bool connx_write(COnnxWriter *writer, COnnxSink sink, void *context, COnnxError *error) {
  return guarded(error, [&] {
    if (writer == nullptr || writer->out_of_memory) throw std::bad_alloc();
    Skeleton skeleton;
    skeleton.payloads = writer->payloads;
    if (!writer->root->SerializePartialToString(&skeleton.bytes))
      throw Failure{COnnxCodeLimit, "more than 2 GiB outside raw tensor data"};
    splice(root_kind(writer->kind), skeleton, sink, context);
  });
}

COnnxModelWriter connx_writer_model(COnnxWriter *writer) { return root<COnnxModelWriter>(writer, COnnxKindModel); }
COnnxTensorWriter connx_writer_tensor(COnnxWriter *writer) { return root<COnnxTensorWriter>(writer, COnnxKindTensor); }
COnnxSequenceWriter connx_writer_sequence(COnnxWriter *writer) {
  return root<COnnxSequenceWriter>(writer, COnnxKindSequence);
}
COnnxOptionalWriter connx_writer_optional(COnnxWriter *writer) {
  return root<COnnxOptionalWriter>(writer, COnnxKindOptional);
}
COnnxMapWriter connx_writer_map(COnnxWriter *writer) { return root<COnnxMapWriter>(writer, COnnxKindMap); }

// MARK: Model

void connx_set_versions(COnnxModelWriter model, int64_t ir_version, int64_t model_version) {
  edit<onnx::ModelProto>(model, [&](auto &message) {
    message.set_ir_version(ir_version);
    if (model_version != 0) message.set_model_version(model_version);
  });
}

void connx_set_producer(COnnxModelWriter model, COnnxText name, COnnxText version) {
  edit<onnx::ModelProto>(model, [&](auto &message) {
    message.set_producer_name(string(name));
    message.set_producer_version(string(version));
  });
}

void connx_set_description(COnnxModelWriter model, COnnxText domain, COnnxText doc) {
  edit<onnx::ModelProto>(model, [&](auto &message) {
    if (domain.count > 0) message.set_domain(string(domain));
    if (doc.count > 0) message.set_doc_string(string(doc));
  });
}

void connx_add_opset(COnnxModelWriter model, COnnxText domain, int64_t version) {
  edit<onnx::ModelProto>(model, [&](auto &message) {
    auto *opset = message.add_opset_import();
    opset->set_domain(string(domain));
    opset->set_version(version);
  });
}

void connx_add_metadata(COnnxModelWriter model, COnnxText key, COnnxText value) {
  edit<onnx::ModelProto>(model, [&](auto &message) {
    auto *entry = message.add_metadata_props();
    entry->set_key(string(key));
    entry->set_value(string(value));
  });
}

COnnxGraphWriter connx_set_graph(COnnxModelWriter model, COnnxText name, COnnxText doc) {
  return extend<COnnxGraphWriter, onnx::ModelProto>(model, [&](auto &message) {
    auto *graph = message.mutable_graph();
    graph->set_name(string(name));
    if (doc.count > 0) graph->set_doc_string(string(doc));
    return graph;
  });
}

// MARK: Graph

COnnxNodeWriter connx_add_node(COnnxGraphWriter graph, COnnxText op_type, COnnxText domain, COnnxText name) {
  return extend<COnnxNodeWriter, onnx::GraphProto>(graph, [&](auto &message) {
    auto *node = message.add_node();
    node->set_op_type(string(op_type));
    if (domain.count > 0) node->set_domain(string(domain));
    if (name.count > 0) node->set_name(string(name));
    return node;
  });
}

COnnxTensorWriter connx_add_initializer(COnnxGraphWriter graph, COnnxText name) {
  return extend<COnnxTensorWriter, onnx::GraphProto>(graph, [&](auto &message) {
    auto *tensor = message.add_initializer();
    tensor->set_name(string(name));
    return tensor;
  });
}

COnnxTypeWriter connx_add_graph_input(COnnxGraphWriter graph, COnnxText name) {
  return extend<COnnxTypeWriter, onnx::GraphProto>(
      graph, [&](auto &message) { return named_type(message.add_input(), name); });
}

COnnxTypeWriter connx_add_graph_output(COnnxGraphWriter graph, COnnxText name) {
  return extend<COnnxTypeWriter, onnx::GraphProto>(
      graph, [&](auto &message) { return named_type(message.add_output(), name); });
}

COnnxTypeWriter connx_add_value_info(COnnxGraphWriter graph, COnnxText name) {
  return extend<COnnxTypeWriter, onnx::GraphProto>(
      graph, [&](auto &message) { return named_type(message.add_value_info(), name); });
}

// MARK: Node and attribute

void connx_add_node_input(COnnxNodeWriter node, COnnxText name) {
  edit<onnx::NodeProto>(node, [&](auto &message) { message.add_input(string(name)); });
}

void connx_add_node_output(COnnxNodeWriter node, COnnxText name) {
  edit<onnx::NodeProto>(node, [&](auto &message) { message.add_output(string(name)); });
}

COnnxAttributeWriter connx_add_attribute(COnnxNodeWriter node, COnnxText name, COnnxAttributeKind kind) {
  return extend<COnnxAttributeWriter, onnx::NodeProto>(node, [&](auto &message) {
    auto *attribute = message.add_attribute();
    attribute->set_name(string(name));
    attribute->set_type(static_cast<onnx::AttributeProto::AttributeType>(kind));
    return attribute;
  });
}

void connx_set_float(COnnxAttributeWriter attribute, float value) {
  edit<onnx::AttributeProto>(attribute, [&](auto &message) { message.set_f(value); });
}

void connx_set_int(COnnxAttributeWriter attribute, int64_t value) {
  edit<onnx::AttributeProto>(attribute, [&](auto &message) { message.set_i(value); });
}

void connx_set_string(COnnxAttributeWriter attribute, COnnxText value) {
  edit<onnx::AttributeProto>(attribute, [&](auto &message) { message.set_s(string(value)); });
}

void connx_add_float(COnnxAttributeWriter attribute, float value) {
  edit<onnx::AttributeProto>(attribute, [&](auto &message) { message.add_floats(value); });
}

void connx_add_int(COnnxAttributeWriter attribute, int64_t value) {
  edit<onnx::AttributeProto>(attribute, [&](auto &message) { message.add_ints(value); });
}

void connx_add_string(COnnxAttributeWriter attribute, COnnxText value) {
  edit<onnx::AttributeProto>(attribute, [&](auto &message) { message.add_strings(string(value)); });
}

COnnxTensorWriter connx_add_attribute_tensor(COnnxAttributeWriter attribute) {
  return extend<COnnxTensorWriter, onnx::AttributeProto>(attribute, [&](auto &message) {
    return message.type() == onnx::AttributeProto::TENSOR ? message.mutable_t() : message.add_tensors();
  });
}

COnnxGraphWriter connx_add_attribute_graph(COnnxAttributeWriter attribute, COnnxText name) {
  return extend<COnnxGraphWriter, onnx::AttributeProto>(attribute, [&](auto &message) {
    auto *graph = message.type() == onnx::AttributeProto::GRAPH ? message.mutable_g() : message.add_graphs();
    graph->set_name(string(name));
    return graph;
  });
}

COnnxTypeWriter connx_add_attribute_type(COnnxAttributeWriter attribute) {
  return extend<COnnxTypeWriter, onnx::AttributeProto>(attribute, [&](auto &message) {
    return message.type() == onnx::AttributeProto::TYPE_PROTO ? message.mutable_tp() : message.add_type_protos();
  });
}

// MARK: Type

void connx_set_tensor_type(COnnxTypeWriter type, int32_t data_type) {
  edit<onnx::TypeProto>(type, [&](auto &message) { message.mutable_tensor_type()->set_elem_type(data_type); });
}

void connx_set_shape(COnnxTypeWriter type) {
  edit<onnx::TypeProto>(type, [&](auto &message) { message.mutable_tensor_type()->mutable_shape(); });
}

void connx_add_dim(COnnxTypeWriter type, COnnxDim dim) {
  edit<onnx::TypeProto>(type, [&](auto &message) {
    auto *added = message.mutable_tensor_type()->mutable_shape()->add_dim();
    if (dim.kind == COnnxDimValue) added->set_dim_value(dim.value);
    if (dim.kind == COnnxDimParameter) added->set_dim_param(string(dim.parameter));
  });
}

COnnxTypeWriter connx_set_sequence_type(COnnxTypeWriter type) {
  return extend<COnnxTypeWriter, onnx::TypeProto>(
      type, [&](auto &message) { return message.mutable_sequence_type()->mutable_elem_type(); });
}

COnnxTypeWriter connx_set_optional_type(COnnxTypeWriter type) {
  return extend<COnnxTypeWriter, onnx::TypeProto>(
      type, [&](auto &message) { return message.mutable_optional_type()->mutable_elem_type(); });
}

COnnxTypeWriter connx_set_map_type(COnnxTypeWriter type, int32_t key_type) {
  return extend<COnnxTypeWriter, onnx::TypeProto>(type, [&](auto &message) {
    message.mutable_map_type()->set_key_type(key_type);
    return message.mutable_map_type()->mutable_value_type();
  });
}

// MARK: Tensor

void connx_set_tensor(COnnxTensorWriter tensor, COnnxText name, int32_t data_type, COnnxInt64s dims) {
  edit<onnx::TensorProto>(tensor, [&](auto &message) {
    if (name.count > 0) message.set_name(string(name));
    message.set_data_type(data_type);
    message.mutable_dims()->Assign(dims.values, dims.values + dims.count);
  });
}

void connx_set_raw(COnnxTensorWriter tensor, COnnxBytes raw) {
  edit<onnx::TensorProto>(tensor, [&](auto &message) {
    message.set_raw_data(token(tensor.writer->payloads.size()));
    tensor.writer->payloads.push_back(raw);
  });
}

void connx_add_tensor_string(COnnxTensorWriter tensor, COnnxText value) {
  edit<onnx::TensorProto>(tensor, [&](auto &message) { message.add_string_data(string(value)); });
}

// MARK: Sequence, optional, map

void connx_set_sequence(COnnxSequenceWriter sequence, COnnxText name, int32_t element_kind) {
  edit<onnx::SequenceProto>(sequence, [&](auto &message) {
    if (name.count > 0) message.set_name(string(name));
    message.set_elem_type(element_kind);
  });
}

COnnxTensorWriter connx_add_sequence_tensor(COnnxSequenceWriter sequence) {
  return extend<COnnxTensorWriter, onnx::SequenceProto>(
      sequence, [](auto &message) { return message.add_tensor_values(); });
}

COnnxSequenceWriter connx_add_sequence_sequence(COnnxSequenceWriter sequence) {
  return extend<COnnxSequenceWriter, onnx::SequenceProto>(
      sequence, [](auto &message) { return message.add_sequence_values(); });
}

COnnxOptionalWriter connx_add_sequence_optional(COnnxSequenceWriter sequence) {
  return extend<COnnxOptionalWriter, onnx::SequenceProto>(
      sequence, [](auto &message) { return message.add_optional_values(); });
}

COnnxMapWriter connx_add_sequence_map(COnnxSequenceWriter sequence) {
  return extend<COnnxMapWriter, onnx::SequenceProto>(sequence, [](auto &message) { return message.add_map_values(); });
}

void connx_set_optional(COnnxOptionalWriter optional, COnnxText name, int32_t element_kind) {
  edit<onnx::OptionalProto>(optional, [&](auto &message) {
    if (name.count > 0) message.set_name(string(name));
    message.set_elem_type(element_kind);
  });
}

COnnxTensorWriter connx_set_optional_tensor(COnnxOptionalWriter optional) {
  return extend<COnnxTensorWriter, onnx::OptionalProto>(
      optional, [](auto &message) { return message.mutable_tensor_value(); });
}

COnnxSequenceWriter connx_set_optional_sequence(COnnxOptionalWriter optional) {
  return extend<COnnxSequenceWriter, onnx::OptionalProto>(
      optional, [](auto &message) { return message.mutable_sequence_value(); });
}

COnnxOptionalWriter connx_set_optional_optional(COnnxOptionalWriter optional) {
  return extend<COnnxOptionalWriter, onnx::OptionalProto>(
      optional, [](auto &message) { return message.mutable_optional_value(); });
}

COnnxMapWriter connx_set_optional_map(COnnxOptionalWriter optional) {
  return extend<COnnxMapWriter, onnx::OptionalProto>(
      optional, [](auto &message) { return message.mutable_map_value(); });
}

void connx_set_map(COnnxMapWriter map, COnnxText name, int32_t key_type) {
  edit<onnx::MapProto>(map, [&](auto &message) {
    if (name.count > 0) message.set_name(string(name));
    message.set_key_type(key_type);
  });
}

void connx_add_map_key(COnnxMapWriter map, int64_t key) {
  edit<onnx::MapProto>(map, [&](auto &message) { message.add_keys(key); });
}

void connx_add_map_string_key(COnnxMapWriter map, COnnxText key) {
  edit<onnx::MapProto>(map, [&](auto &message) { message.add_string_keys(string(key)); });
}

COnnxSequenceWriter connx_set_map_values(COnnxMapWriter map) {
  return extend<COnnxSequenceWriter, onnx::MapProto>(map, [](auto &message) { return message.mutable_values(); });
}
