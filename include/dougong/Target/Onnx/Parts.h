//===- Parts.h - a program between its collectives --------------*- C++ -*-===//
#ifndef DOUGONG_TARGET_ONNX_PARTS_H
#define DOUGONG_TARGET_ONNX_PARTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>
#include <vector>

namespace dougong::exporter {

/// A graph without communication: a module with `@main` over named values, as
/// exportModel takes it.
struct Part {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> inputs, outputs; ///< values of the program
};

/// A collective as every library of communication has it, on parts of equal shape.
struct Collective {
  std::string kind; ///< all_reduce, all_gather, reduce_scatter, all_to_all, permute
  std::vector<std::string> axes;
  std::vector<std::string> from; ///< permute: the axes in the order of the senders
  std::string reduction;         ///< sum, max, min, prod; empty for moves
  /// reduce_scatter, all_to_all: the operand's dim that is cut. all_gather,
  /// all_to_all: the result's dim along which parts are joined.
  std::optional<int64_t> split, concat;
  std::string input, output; ///< values of the program
  std::string node;          ///< the ONNX node that it serves
};

/// Parts and, behind each, the collectives that take what parts so far have made.
struct Level {
  std::optional<Part> part;
  std::vector<Collective> collectives;
};

struct CutProgram {
  std::vector<std::string> inputs, outputs; ///< the values of its ports
  std::vector<Level> levels;
};

/// Cuts a program after dist-stage and expand-collectives at its collectives: an op
/// is in the first part in which all of its operands are there. Weights and
/// constants are in each part that uses them. Values have one name in the program:
/// that of the model where it has one.
CutProgram cutAtCollectives(mlir::ModuleOp program);

} // namespace dougong::exporter

#endif // DOUGONG_TARGET_ONNX_PARTS_H
