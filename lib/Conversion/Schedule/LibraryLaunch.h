//===- LibraryLaunch.h - calls of the operator library ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_SCHEDULE_LIBRARYLAUNCH_H
#define DOUGONG_LIB_CONVERSION_SCHEDULE_LIBRARYLAUNCH_H

#include "Host.h"

#include "Onnx/IR/Onnx.h"

namespace dougong {

/// A tensor as a schedule hands it to the library.
struct LibraryTensor {
  mlir::Value data;                       ///< null: the library makes the output
  llvm::SmallVector<mlir::Value> extents; ///< index; of no use without data
  int64_t rank = 0;
  int32_t dtype = 0; ///< 0: absent
};

/// An array of `dougong_tensor` in the stack frame of the schedule.
class LibraryTensors {
public:
  LibraryTensors(mlir::OpBuilder &builder, mlir::Location loc,
                 llvm::ArrayRef<LibraryTensor> tensors);

  mlir::Value getPointer() const { return array; }
  /// After the call: where the library put tensor `index`, and its dims.
  mlir::Value loadData(unsigned index);
  mlir::Value loadDims(unsigned index);
  /// Dim `dim` of tensor `index`, as an index value.
  mlir::Value loadExtent(unsigned index, int64_t dim);

private:
  mlir::Value address(unsigned index, int64_t bytes);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Value array;
};

/// The dims as an array of i64 in the stack frame, or at `place`.
mlir::Value storeExtents(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::ArrayRef<mlir::Value> extents, mlir::Value place = {});

/// Element `index` of an array of i64, as an index value.
mlir::Value loadExtent(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value array,
                       int64_t index);

/// Writes `dougong_tensor` number `index` of an array.
void storeTensor(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value array, int64_t index,
                 mlir::Value data, mlir::Value dims, int64_t rank, int32_t dtype);

/// A pointer to the function of the ABI that a body becomes.
mlir::Value getAddress(mlir::OpBuilder &builder, mlir::Location loc, mlir::FlatSymbolRefAttr body);

/// Calls the library function that `launch` names on `tensors`. `site` is the number
/// of the call in the program.
void callLibrary(mlir::OpBuilder &builder, mlir::ModuleOp module, onnx::LaunchOp launch,
                 unsigned site, mlir::Value context, const LibraryTensors &tensors, int64_t count);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_SCHEDULE_LIBRARYLAUNCH_H
