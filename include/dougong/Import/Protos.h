//===- Protos.h - ONNX messages and walks over them -------------*- C++ -*-===//
#ifndef DOUGONG_IMPORT_PROTOS_H
#define DOUGONG_IMPORT_PROTOS_H

#include <onnx/onnx_pb.h>

#include <functional>
#include <string>

namespace dougong::importer {

/// The ONNX library's namespace, beside our dialect's `dougong::onnx`.
namespace pb = ::onnx;

/// The default domain's opset that all models are brought to.
constexpr int newestOpset = 27;

/// Whether `domain` is the default domain, which has two names.
inline bool isDefaultDomain(const std::string &domain) {
  return domain.empty() || domain == "ai.onnx";
}

/// Whether the bytes of `tensor` are in a file.
inline bool isExternal(const pb::TensorProto &tensor) {
  return tensor.data_location() == pb::TensorProto::EXTERNAL;
}

/// "node 'name' (OpType)", or for tensors outside nodes what they are: how
/// messages call the owner of a tensor.
struct Owner {
  std::string node;
  int64_t index = 0;
};

/// Calls `visit` for every graph of the model, outer before inner: the main
/// graph, those inside nodes, but not those inside functions.
void forEachGraph(pb::GraphProto &graph, const std::function<void(pb::GraphProto &)> &visit);

/// Calls `visit` for every node list of the model: those of graphs and functions.
using NodeList = google::protobuf::RepeatedPtrField<pb::NodeProto>;
void forEachNodeList(pb::ModelProto &model, const std::function<void(NodeList &)> &visit);

/// Calls `visit` for every node of the list, outer before inner, and those of the graphs inside.
void forEachNode(NodeList &nodes, const std::function<void(pb::NodeProto &)> &visit);

/// Calls `visit` for every dense tensor of the model: initializers and
/// attributes, also those of functions.
void forEachTensor(pb::ModelProto &model,
                   const std::function<void(pb::TensorProto &, const Owner &)> &visit);

/// The version of `domain` that the model imports, or 0.
int64_t getOpsetVersion(const pb::ModelProto &model, const std::string &domain);

} // namespace dougong::importer

#endif // DOUGONG_IMPORT_PROTOS_H
