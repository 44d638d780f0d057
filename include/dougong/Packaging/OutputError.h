//===- OutputError.h - the place of a package fails -------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_OUTPUTERROR_H
#define DOUGONG_PACKAGING_OUTPUTERROR_H

#include "llvm/Support/Error.h"

namespace dougong {

/// Says that the output cannot be written.
class OutputError : public llvm::ErrorInfo<OutputError, llvm::StringError> {
public:
  static char ID;
  explicit OutputError(const llvm::Twine &message)
      : ErrorInfo(message, llvm::inconvertibleErrorCode()) {}
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_OUTPUTERROR_H
