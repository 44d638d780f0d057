//===- GraphWriter.h - ops of the dialect as ONNX nodes ---------*- C++ -*-===//
#ifndef DOUGONG_LIB_EXPORT_GRAPHWRITER_H
#define DOUGONG_LIB_EXPORT_GRAPHWRITER_H

#include "Weights.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

#include <map>
#include <vector>

namespace dougong::exporter {

/// Writes the body of @main as a GraphProto, with the graphs inside its ops.
class GraphWriter {
public:
  GraphWriter(mlir::ModuleOp module, WeightWriter &weights) : module(module), weights(weights) {}

  /// Emits a diagnostic on failure.
  llvm::LogicalResult write(mlir::func::FuncOp main, pb::GraphProto &graph);

  /// Domains of all operators written.
  const std::map<std::string, int64_t> &getDomains() const { return domains; }

private:
  llvm::LogicalResult writeBlock(mlir::Block &block, pb::GraphProto &graph);
  llvm::LogicalResult writeOp(mlir::Operation *op, pb::GraphProto &graph);
  llvm::LogicalResult writeNode(mlir::Operation *op, pb::GraphProto &graph);
  llvm::LogicalResult writeUse(onnx::UseOp use);
  llvm::LogicalResult writeAttributes(mlir::Operation *op, pb::NodeProto &node);
  llvm::LogicalResult writeRegion(mlir::Operation *op, mlir::Region &region, llvm::StringRef name,
                                  pb::NodeProto &node);
  void writeOutputs(mlir::Operation *terminator, llvm::ArrayRef<std::string> names,
                    pb::GraphProto &graph);

  /// The name that a value has in the file: that of the location, made unique.
  const std::string &getName(mlir::Value value);
  std::string makeUnique(const std::string &wanted);
  std::string makeNodeName(llvm::StringRef wanted);
  bool isDefault(mlir::Operation *op, mlir::NamedAttribute attribute);

  mlir::ModuleOp module;
  WeightWriter &weights;
  pb::GraphProto *main = nullptr;
  llvm::DenseMap<mlir::Value, std::string> names;
  llvm::StringMap<std::string> weightNames; ///< symbol -> initializer of the main graph
  llvm::StringSet<> nodeNames;
  std::vector<llvm::StringSet<>> scopes; ///< names taken, by nesting
  llvm::DenseMap<mlir::OperationName, mlir::DictionaryAttr> defaults;
  std::map<std::string, int64_t> domains; ///< -> opset version
};

} // namespace dougong::exporter

#endif // DOUGONG_LIB_EXPORT_GRAPHWRITER_H
