//===- RuntimeAxes.h - lists of axes that are read at run time --*- C++ -*-===//
//
// The rank is known at compile time, so each dim asks whether the list holds it.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RUNTIMEAXES_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RUNTIMEAXES_H

#include "Emitter.h"

namespace dougong::onnx {

/// The entries of a tensor of axes (rank 0 or 1) of a tensor of rank `rank`. Its
/// length may be a run-time value; entries beyond `rank` are not looked at.
class RuntimeAxes {
public:
  RuntimeAxes(Emitter &e, mlir::Value axes, int64_t rank);

  /// How many entries there may be.
  int64_t getMaxEntries() const { return entries.size(); }
  /// Whether entry `i` is there and is dim `dim`.
  mlir::Value matches(Emitter &e, int64_t i, int64_t dim) const;
  /// Whether any entry is dim `dim`.
  mlir::Value contains(Emitter &e, int64_t dim) const;
  /// Whether the list has no entry; null where it has some for sure.
  mlir::Value isEmpty(Emitter &e) const;
  /// Its length.
  mlir::OpFoldResult getCount() const { return count; }

private:
  struct Entry {
    mlir::Value axis;  ///< from 0
    mlir::Value valid; ///< null: for sure
  };
  llvm::SmallVector<Entry> entries;
  mlir::OpFoldResult count;
};

/// A tensor seen as [outer, size, inner] around one dim that is known at run time.
struct AroundAxis {
  mlir::Value outer, size, inner;
};
AroundAxis splitAroundAxis(Emitter &e, llvm::ArrayRef<mlir::OpFoldResult> shape, mlir::Value axis);

/// `tensor` with all its dims joined to one.
mlir::Value flatten(Emitter &e, mlir::Value tensor);
/// A tensor of one dim with the shape of `type`.
mlir::Value unflatten(Emitter &e, mlir::Value flat, mlir::RankedTensorType type);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RUNTIMEAXES_H
