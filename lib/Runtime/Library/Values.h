//===- Values.h - results that exist already --------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_LIBRARY_VALUES_H
#define DOUGONG_LIB_RUNTIME_LIBRARY_VALUES_H

#include "Numbers.h"

namespace dougong {

/// Makes output `index` the tensor `value`, which is never written to and lives until
/// the next step: itself where the function makes the output, else a copy. Fails
/// where type or rank differ.
Result<void> setValue(const LibraryCall &call, std::size_t index, const dougong_tensor &value);

/// The same for a value in memory that the program may use again: always a copy.
Result<void> copyValue(const LibraryCall &call, std::size_t index, const dougong_tensor &value);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_LIBRARY_VALUES_H
