//===- Attention.h - scaled dot-product attention ---------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_ATTENTION_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_ATTENTION_H

#include "Patterns.h"

#include <optional>

namespace dougong::onnx {

/// The loops of attention: batch, heads of key and value, query heads for each
/// of these (only if there are several), queries, keys.
struct AttentionLoops {
  bool grouped;
  unsigned batch = 0, head = 1, group = 2;
  unsigned query() const { return grouped ? 3 : 2; }
  unsigned key() const { return query() + 1; }
  unsigned count() const { return key() + 1; }
};

/// One attention with its inputs in four dims.
struct AttentionProblem {
  /// Query [batch, heads, queries, size], or [batch, queries, heads, size] with
  /// `sequenceFirst`; key and value likewise.
  mlir::Value q, k, v;
  bool queryHeadsFirst = true, keyHeadsFirst = true, valueHeadsFirst = true;
  mlir::OpFoldResult batch, queries, keys, headSize, valueSize;
  /// kDynamic where only q and k tell; `maySplit` then says whether the two may differ.
  int64_t queryHeads = 0, keyHeads = 0;
  bool maySplit = false;
  std::optional<double> scale; ///< 1 / sqrt(headSize) if absent
  double softcap = 0;
  mlir::Value sink; ///< [queryHeads], a logit without a place; or null
  bool maskedRowsAreZero = false;
  mlir::Type element; ///< of the result

  /// A mask over [batch, heads, queries, keys] with its map from the loops of
  /// AttentionLoops; i1 (true: take part) or a float that is added.
  std::optional<Operand> mask;
  /// More masks: whether key `key` takes part (i1), or null. Indices are values
  /// of the loops.
  std::function<mlir::Value(Emitter &e, mlir::Value batch, mlir::Value query, mlir::Value key)>
      takesPart;

  AttentionLoops loops() const { return {queryHeads != keyHeads || maySplit}; }
  mlir::OpFoldResult queryHeadExtent(Emitter &e) const;
  mlir::OpFoldResult keyHeadExtent(Emitter &e) const;
  /// Query heads for each head of key and value.
  mlir::OpFoldResult groupExtent(Emitter &e) const;
};

/// What attention gives.
struct AttentionResult {
  mlir::Value output;                     ///< in the layout of the query
  mlir::Value products;                   ///< scaled products [b, h, (g), q, k]
  mlir::Value capped;                     ///< after the soft cap
  mlir::Value masked;                     ///< after masks
  llvm::SmallVector<mlir::Value> softmax; ///< exponentials and sums
};

AttentionResult computeAttention(Emitter &e, const AttentionProblem &problem);

/// The softmax of an attention, over its loops but the value's size.
mlir::Value shareRows(Emitter &e, const AttentionProblem &p, const AttentionResult &result);

/// Scores over [batch, key heads, group, queries, keys] as [batch, heads, queries, keys], of the
/// problem's element type.
mlir::Value finishScores(Emitter &e, const AttentionProblem &p, mlir::Value scores);

/// `tensor` ([rows..., heads * size]) with the last dim split.
mlir::Value splitHeads(Emitter &e, mlir::Value tensor, int64_t heads);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_ATTENTION_H
