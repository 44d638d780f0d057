//===- RuleBuilder.h - writes sharding rules --------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_SHARDING_RULEBUILDER_H
#define DOUGONG_LIB_ONNX_SHARDING_RULEBUILDER_H

#include "Onnx/IR/Onnx.h"
#include "dougong/Onnx/Values.h"

#include "mlir/IR/DialectRegistry.h"

namespace dougong::onnx {

/// Builds the rule of one op. Dims that no factor is mapped to stay whole.
class RuleBuilder {
public:
  explicit RuleBuilder(mlir::Operation *op);

  /// A new factor; `size` is its extent in units.
  unsigned addFactor(llvm::StringRef size, FactorKind kind = FactorKind::PassThrough,
                     llvm::StringRef combine = "sum");
  unsigned addFactor(int64_t size, FactorKind kind = FactorKind::PassThrough) {
    return addFactor(std::to_string(size), kind);
  }
  /// Cuts dim `dim` of an operand or result along `factor`; `unit` elements of
  /// the dim belong to one unit of the factor. An absent operand is skipped, and
  /// so is a dim out of range. Negative dims count from the end.
  RuleBuilder &mapOperand(unsigned operand, int64_t dim, unsigned factor, int64_t unit = 1);
  RuleBuilder &mapResult(unsigned result, int64_t dim, unsigned factor, int64_t unit = 1);
  /// Dim `dim` of an operand has one entry for all, or one for each element that
  /// `factor` counts (`unit` of them to a unit). It is cut in the second case only;
  /// where only the run time tells which it is, the factor stays whole.
  RuleBuilder &mapOneOrAll(unsigned operand, int64_t dim, unsigned factor, int64_t unit = 1);
  /// The factor may only be cut into equal parts: padding would change results.
  void requireEven(unsigned factor) { rule.factors[factor].even = true; }

  /// A factor for each dim of `reference`, a result, where an operand may be
  /// broadcast along it: operands `operands` are aligned at the end (NumPy).
  /// Skips the last `skip` dims of all.
  void mapBroadcast(llvm::ArrayRef<unsigned> operands, llvm::ArrayRef<unsigned> results,
                    int64_t skip = 0);

  unsigned getNumFactors() const { return rule.factors.size(); }

  ShardingRule take() { return std::move(rule); }

private:
  mlir::Operation *op;
  ShardingRule rule;
};

/// Extents of a value as canonical texts ("128", "batch"); empty for a scalar.
/// Nothing if the value is no tensor of known rank or an extent has no name.
std::optional<llvm::SmallVector<std::string>> getExtentTexts(mlir::Value value);
/// Rank of a tensor value, or -1.
int64_t getRank(mlir::Value value);
/// The extent if it is static, else -1.
int64_t getStaticExtent(mlir::Value value, int64_t dim);
/// Whether an optional operand is there.
bool hasOperand(mlir::Operation *op, unsigned index);
/// An integer attribute, or its default.
int64_t getInt(mlir::Operation *op, llvm::StringRef name, int64_t defaultValue);
/// The integers of a constant operand (Constant, or dims_tensor of numbers).
std::optional<llvm::SmallVector<int64_t>> getConstantIntegers(mlir::Value value);

/// A rule that allows no cut.
ShardingRule makeReplicated(llvm::StringRef reason);

using RuleFunction = ShardingRule (*)(mlir::Operation *);

/// The interface by one function, for many operators.
template <typename OpTy, RuleFunction function>
struct RuleModel : ShardingRuleOpInterface::ExternalModel<RuleModel<OpTy, function>, OpTy> {
  ShardingRule getShardingRule(mlir::Operation *op) const { return function(op); }
};

/// Attaches `function` to all operators listed.
template <RuleFunction function, typename... OpTys> void attachRule(mlir::MLIRContext *context) {
  (OpTys::template attachInterface<RuleModel<OpTys, function>>(*context), ...);
}

// One for each operator family.
void attachElementwiseRules(mlir::MLIRContext *context);
void attachContractionRules(mlir::MLIRContext *context);
void attachAttentionRules(mlir::MLIRContext *context);
void attachNormalizationRules(mlir::MLIRContext *context);
void attachShapeRules(mlir::MLIRContext *context);
void attachIndexingRules(mlir::MLIRContext *context);
void attachReductionRules(mlir::MLIRContext *context);
void attachConvolutionRules(mlir::MLIRContext *context);
void attachExpertRules(mlir::MLIRContext *context);
void attachRecurrentRules(mlir::MLIRContext *context);
void attachReplicatedRules(mlir::MLIRContext *context);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_SHARDING_RULEBUILDER_H
