//===- Quantized.h - quantised values and their parameters ------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_QUANTIZED_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_QUANTIZED_H

#include "Onnx/IR/Onnx.h"

#include "mlir/IR/Builders.h"

#include <optional>

namespace dougong::onnx {

/// What a quantised value stands for: real = (quantised - zero) * scale.
struct Quantization {
  mlir::Value scale;  ///< f32
  mlir::Value zero;   ///< null if absent: 0
  mlir::Type element; ///< of the quantised value, an integer
  int64_t axis = 0;   ///< where `scale` is a vector along it, or
  int64_t block = 0;  ///< has one entry for as many places along it

  /// One scale for the whole tensor.
  bool isUniform() const;
  /// A vector of scales along `axis`.
  bool isPerAxis() const;
  /// Uniform, with constant and equal parameters.
  bool equals(const Quantization &other) const;
  /// Uniform, with a scale that is known to be positive and far from the ends of
  /// f32's range: quantising what was dequantised gives it back.
  bool isInvertible() const;
  /// The greatest |quantised - zero| that the types allow.
  int64_t getReach() const;
};

/// A float32 value that a DequantizeLinear makes of the integers `data`.
struct Dequantized : Quantization {
  mlir::Value data;

  static std::optional<Dequantized> match(mlir::Value real);
};

/// A QuantizeLinear of the float32 value `real`, whose axis and type are known.
std::optional<Quantization> getQuantization(QuantizeLinearOp op);

/// Makes ops in the place of another one.
class QuantizedBuilder : public mlir::OpBuilder {
public:
  /// Makes ops before `op`. Their location has the node's name, but not those of
  /// its values: they are not what the model computes there.
  explicit QuantizedBuilder(mlir::Operation *op);

  template <typename OpT>
  mlir::Value make(mlir::Type type, mlir::ValueRange operands,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    return makeAt<OpT>(loc, type, operands, attributes);
  }
  template <typename OpT>
  mlir::Value makeAt(mlir::Location at, mlir::Type type, mlir::ValueRange operands,
                     llvm::ArrayRef<mlir::NamedAttribute> attributes = {}) {
    mlir::OperationState state(at, OpT::getOperationName(), operands, mlir::TypeRange(type),
                               attributes);
    return create(state)->getResult(0);
  }
  mlir::Value none();
  /// A vector of `values`.
  mlir::Value ints(llvm::ArrayRef<int64_t> values);
  /// A float32 scalar.
  mlir::Value real(float value);
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  /// The only element of `value` without dims.
  mlir::Value toScalar(mlir::Value value);
  mlir::Value cast(mlir::Value value, mlir::Type element);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  /// `data` as real numbers of `q` at location `at`.
  mlir::Value dequantize(mlir::Location at, mlir::Value data, const Quantization &q);

  mlir::Location loc;
};

/// `type` with other elements.
mlir::RankedTensorType withElement(mlir::Type type, mlir::Type element);

/// The location of a value that stands for result `index` of `op`.
mlir::Location getResultLoc(mlir::Operation *op, unsigned index);

/// Replaces a product, of matrices or convolved, of dequantised factors by one of
/// integers. Returns whether it did.
bool fuseQuantizedProduct(mlir::Operation *op);

/// Replaces a product of real numbers with a dequantised constant matrix by one
/// that reads the matrix in its packed form. Returns whether it did.
bool fuseQuantizedWeight(mlir::Operation *op);

/// Dequantises behind `op`, which moves elements only, what is dequantised in
/// front of it. Returns whether it did.
bool sinkDequantize(mlir::Operation *op);

/// Quantises in front of an op that moves elements only what `op` quantises behind
/// it. Returns the operators that take `op`'s place; none if it stays.
llvm::SmallVector<QuantizeLinearOp> hoistQuantize(QuantizeLinearOp op);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_QUANTIZED_H
