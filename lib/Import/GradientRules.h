//===- GradientRules.h - derivatives of operators ---------------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_GRADIENTRULES_H
#define DOUGONG_LIB_IMPORT_GRADIENTRULES_H

#include "MicrosoftFunctions.h"

#include <optional>

namespace dougong::importer {

/// How the gradients of a node's inputs follow from those of its outputs.
struct GradientRule {
  /// Nodes in ONNX's textual syntax, which read the node's inputs i0, i1, ..., its outputs
  /// o0, o1, ..., and the gradients of those d0, d1, ..., and make the gradients of `inputs`:
  /// g0, g1, ... by the number of the input.
  std::string nodes;
  std::vector<int> inputs;
};

/// The rule of `node`; one without inputs where the outputs do not change with the inputs but
/// in steps; none where no rule is known. Throws ImportError for a form that has none.
std::optional<GradientRule> getGradientRule(const pb::NodeProto &node, const Types &types);

/// Whether there is a rule for the operator of `node`, in some form.
bool hasGradientRule(const pb::NodeProto &node);

/// Whether elements of this type (TensorProto.DataType, 0 if unknown) may be real numbers.
bool isRealType(int elementType);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_GRADIENTRULES_H
