//===- GraphEmitter.h - nodes of one graph as onnx ops ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_GRAPHEMITTER_H
#define DOUGONG_LIB_IMPORT_GRAPHEMITTER_H

#include "Emit.h"

#include "Onnx/IR/Onnx.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

namespace dougong::importer {

/// State of a whole module while it is built.
struct ModuleState {
  mlir::ModuleOp module;
  const FileFacts &facts;
  mlir::StringAttr file;   ///< facts.path
  mlir::OpBuilder weights; ///< where the next onnx.weight goes
  const google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto> &opsets;
  bool allowMissingData;     ///< the graph is planned, not run
  llvm::StringSet<> symbols; ///< taken names
  unsigned castInputs = 0;   ///< inputs that a Cast brought to the required type

  mlir::MLIRContext *getContext() const { return module->getContext(); }
};

/// Emits one graph into one block. Graphs inside nodes get emitters of their
/// own, which see the values of this one.
class GraphEmitter {
public:
  GraphEmitter(const pb::GraphProto &graph, ModuleState &state, mlir::Block *block,
               GraphEmitter *outer);

  /// Binds a name of the graph to a value.
  void bind(llvm::StringRef name, mlir::Value value) { values[name] = value; }

  /// Emits weights, constants and all nodes.
  void emitNodes();

  /// The values of the graph's outputs.
  llvm::SmallVector<mlir::Value> getOutputs();

private:
  mlir::OpBuilder atTop();
  mlir::Value lookup(llvm::StringRef name);
  mlir::Value getNone();
  const pb::TypeProto *findType(llvm::StringRef name) const;
  mlir::Location getLocation(const pb::NodeProto &node, int64_t index) const;

  /// A tensor of the graph: a constant, or a weight and its use.
  mlir::Value emitTensor(const pb::TensorProto &tensor, mlir::Location loc, mlir::OpBuilder &at,
                         const std::string &name);
  mlir::Value emitInitializer(llvm::StringRef name);
  bool emitConstant(const pb::NodeProto &node, mlir::Location loc);

  void emitNode(const pb::NodeProto &node, int64_t index);
  mlir::Operation *createKnown(mlir::RegisteredOperationName name, const pb::NodeProto &node,
                               mlir::Location loc);
  mlir::Operation *createCustom(const pb::NodeProto &node, mlir::Location loc);
  void addRegion(const pb::NodeProto &node, const pb::GraphProto &graph, mlir::ValueRange operands,
                 mlir::OperationState &op);
  void unifyOperands(const onnx::OpSchema &schema, mlir::OperationState &op);
  mlir::Type inferResultType(const pb::NodeProto &node, unsigned index,
                             const mlir::OperationState &op);
  mlir::Type getResultType(const pb::NodeProto &node, unsigned index, const onnx::OpSchema *schema,
                           const mlir::OperationState &op, bool &guessed);

  const pb::GraphProto &graph;
  ModuleState &state;
  mlir::OpBuilder builder; ///< at the end of the block
  GraphEmitter *outer;
  llvm::StringMap<mlir::Value> values;
  llvm::StringMap<const pb::TypeProto *> types;
  llvm::StringMap<const pb::TensorProto *> initializers;
  llvm::StringMap<const pb::SparseTensorProto *> sparse;
  mlir::Value none;
  mlir::Operation *lastTop = nullptr; ///< the last constant at the block's start
};

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_GRAPHEMITTER_H
