//===- Recurrent.h - the time loop that GRU, LSTM and RNN share -*- C++ -*-===//
//
// The products with the input are one contraction outside the loop; the loop
// carries the states and the outputs. A step's sums are [batch, gates * hidden].
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RECURRENT_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RECURRENT_H

#include "Patterns.h"

#include <functional>

namespace dougong::onnx {

/// One activation function with its parameters.
struct Activation {
  std::string name; ///< lower case
  double alpha = 0, beta = 0;
  mlir::Value apply(Emitter &e, mlir::Value x) const;
};

/// What one of these operators is given; values are converted, absent ones null.
struct RecurrentProblem {
  mlir::Operation *op = nullptr;
  int64_t gates = 1;
  mlir::Value bias, lengths, initialH, initialC, peepholes;
  int64_t layout = 0;
  llvm::StringRef direction;
  std::optional<double> clip;
  bool inputForget = false, linearBeforeReset = false;
  bool hasCell = false;
  /// The activations of direction 0, then those of direction 1.
  llvm::SmallVector<Activation> activations;
  mlir::OpFoldResult steps, batch, hidden;
  mlir::Type compute, element;

  unsigned directions() const { return direction == "bidirectional" ? 2 : 1; }

  /// Products of all inputs with the weights of direction `dir` added to `init`
  /// [steps, batch, gates * hidden].
  std::function<mlir::Value(Emitter &e, unsigned dir, mlir::Value init)> project;
  /// Products of state `h` [batch, hidden] with the recurrent weights of the
  /// gates [first, first + count) added to `init` [batch, count * hidden].
  std::function<mlir::Value(Emitter &e, unsigned dir, mlir::Value h, mlir::Value init,
                            int64_t first, int64_t count)>
      recur;
  /// The new states of a step from `inputs` [batch, gates * hidden], the input's
  /// part of its sums: h, and the cell if there is one.
  std::function<llvm::SmallVector<mlir::Value>(Emitter &e, const RecurrentProblem &p, unsigned dir,
                                               mlir::Value inputs, mlir::ValueRange states)>
      step;
};

/// Reads the activation attributes; `defaults` has those of one direction.
/// Returns a refusal, or "".
std::string readActivations(RecurrentProblem &p, std::optional<mlir::ArrayAttr> names,
                            std::optional<llvm::ArrayRef<float>> alphas,
                            std::optional<llvm::ArrayRef<float>> betas,
                            llvm::ArrayRef<llvm::StringRef> defaults);

/// Y, Y_h and Y_c.
Lowered lowerRecurrence(const RecurrentProblem &p, Emitter &e);

/// Part `index` of dim `dim` of `tensor`, without that dim.
mlir::Value takePart(Emitter &e, mlir::Value tensor, unsigned dim, mlir::OpFoldResult index);

/// The step of an LSTM.
llvm::SmallVector<mlir::Value> stepLSTM(Emitter &e, const RecurrentProblem &p, unsigned dir,
                                        mlir::Value inputs, mlir::ValueRange states);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RECURRENT_H
