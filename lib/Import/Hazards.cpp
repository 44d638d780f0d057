//===- Hazards.cpp - what the ONNX library cannot be given ----------------===//
#include "Error.h"
#include "Prepare.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

#include <limits>

using namespace dougong::importer;
using llvm::StringRef;

namespace {

constexpr int64_t greatestInt = std::numeric_limits<int32_t>::max();

/// Attributes of these names have numbers of `least` to 2^31 - 1: beyond lies no
/// model that anybody can run, but the library divides by zero, by a product that wraps
/// to zero, or casts to int and indexes.
struct Bound {
  std::vector<StringRef> names;
  int64_t least;
  const char *expected;
};

const Bound bounds[] = {
    {{"strides", "dilations", "group", "num_groups", "blocksize", "num_outputs", "num_heads",
      "q_num_heads", "kv_num_heads"},
     1,
     "a positive number below 2^31"},
    {{"axis", "axes"}, -greatestInt - 1, "a number that fits 32 bits"},
};

void checkAttribute(const pb::AttributeProto &attribute, const pb::NodeProto &node, int index) {
  for (const Bound &bound : bounds) {
    if (!llvm::is_contained(bound.names, StringRef(attribute.name())))
      continue;
    auto check = [&](int64_t value) {
      if (value < bound.least || value > greatestInt)
        throw ImportError("attribute '" + attribute.name() + "' is " + std::to_string(value) +
                              ", expected " + bound.expected,
                          node.name(), index);
    };
    if (attribute.type() == pb::AttributeProto::INT)
      check(attribute.i());
    llvm::for_each(attribute.ints(), check);
  }
}

/// The library takes a part for each output from a list of num_outputs.
void checkSplit(const pb::NodeProto &node, int index) {
  for (const pb::AttributeProto &attribute : node.attribute())
    if (attribute.name() == "num_outputs" && attribute.i() != node.output_size())
      throw ImportError("attribute 'num_outputs' is " + std::to_string(attribute.i()) +
                            ", but the node has " + std::to_string(node.output_size()) +
                            (node.output_size() == 1 ? " output" : " outputs"),
                        node.name(), index);
}

/// The library looks each output up where the body was put, and finds nothing.
void checkFunction(const pb::FunctionProto &function) {
  for (const std::string &output : function.output()) {
    bool isMade = llvm::any_of(function.node(), [&](const pb::NodeProto &node) {
      return llvm::is_contained(node.output(), output);
    });
    if (!isMade)
      throw ImportError("output '" + output + "' of function '" + function.name() +
                        "' is made by none of its nodes");
  }
}

} // namespace

void dougong::importer::refuseHazards(pb::ModelProto &model) {
  forEachNodeList(model, [](NodeList &nodes) {
    for (int index = 0; index < nodes.size(); ++index) {
      const pb::NodeProto &node = nodes[index];
      if (!node.domain().empty())
        continue;
      for (const pb::AttributeProto &attribute : node.attribute())
        checkAttribute(attribute, node, index);
      if (node.op_type() == "Split")
        checkSplit(node, index);
    }
  });
  llvm::for_each(model.functions(), checkFunction);
}
