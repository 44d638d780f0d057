//===- MicrosoftFunctions.h - bodies for operators of com.microsoft -*- C++ -*-===//
//
// Operators that are compositions of others are compiled by a body, written in
// ONNX's textual syntax from the operator's documentation: shapes, sharding
// rules, costs and lowerings are those of the parts.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_IMPORT_MICROSOFTFUNCTIONS_H
#define DOUGONG_LIB_IMPORT_MICROSOFTFUNCTIONS_H

#include "dougong/Import/Protos.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <map>

namespace dougong::importer {

/// The types of a graph's values, those of graphs around it included.
using Types = std::map<std::string, pb::TypeProto>;

/// Adds what a graph says of its values' types.
void addTypes(const pb::GraphProto &graph, Types &types);

/// Whether `node` is an operator of com.microsoft, in a form, that has a body.
bool hasMicrosoftBody(const pb::NodeProto &node);

/// The body of such a node for a model at the newest opset. False where it depends on a
/// type that is not known.
bool buildMicrosoftBody(const pb::NodeProto &node, const pb::ModelProto &model, const Types &types,
                        pb::FunctionProto &body);

/// A node that a body is written for.
class Call {
public:
  Call(const pb::NodeProto &node, const Types &types) : node(node), types(types) {}

  bool has(int input) const { return input < node.input_size() && !node.input(input).empty(); }
  bool wants(int output) const {
    return output < node.output_size() && !node.output(output).empty();
  }
  const pb::AttributeProto *find(llvm::StringRef name) const;
  int64_t getInt(llvm::StringRef name, int64_t otherwise) const;
  std::string getString(llvm::StringRef name, llvm::StringRef otherwise) const;
  /// "name = value, ..." of those attributes `names` that the node has.
  std::string attributes(llvm::ArrayRef<llvm::StringRef> names) const;
  /// The same of all attributes but `names`.
  std::string attributesBut(llvm::ArrayRef<llvm::StringRef> names) const;
  /// The name of an input's element type in ONNX's textual syntax; "" if it is not known.
  std::string elementType(int input) const;
  /// An extent of an input; -1 if it is not known or no number.
  int64_t getExtent(int input, int dim) const;

private:
  const pb::NodeProto &node;
  const Types &types;
};

/// A body of `nodes` in ONNX's textual syntax for a model at the newest opset. Throws
/// ImportError, in the name of `node`, if they cannot be read.
pb::FunctionProto parseBody(const pb::NodeProto &node, const pb::ModelProto &model,
                            llvm::ArrayRef<std::string> inputs, llvm::ArrayRef<std::string> outputs,
                            const std::string &nodes);

/// A float in ONNX's textual syntax.
std::string printFloat(double value);

// Bodies of attention over caches that are buffers: nodes in textual syntax.
// Inputs and outputs are called i0, i1, ... and o0, o1, ...
std::string writeSparseAttention(const Call &call);
std::string writePagedAttention(const Call &call);

// Bodies of recurrences whose states or layouts are not those of their lowering.
std::string writeCausalConv(const Call &call);
std::string writeLinearAttention(const Call &call);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_MICROSOFTFUNCTIONS_H
