//===- WrittenExperts.h - experts written out one by one --------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_WRITTENEXPERTS_H
#define DOUGONG_LIB_DIST_PLAN_WRITTENEXPERTS_H

#include "dougong/Dist/Propagation.h"

#include <vector>

namespace dougong::dist {

/// An expert: act(input gate) * (input up) or act(input up), then times `down`.
struct WrittenExpert {
  int64_t number = -1;
  mlir::Value input, gate, up, down; ///< weights are [in, out]; gate may be null
  llvm::StringRef activation;        ///< a name of MoE's activation_type
  mlir::Value parts;                 ///< [.., k]: what the chosen experts count
  mlir::Value scaled;                ///< its result, times what it counts
};

/// All experts of a router, by number, and the sum of their results.
struct WrittenMixture {
  std::vector<WrittenExpert> experts;
  mlir::Value total;
};

/// Whether the indices of a TopK are compared with numbers: those of experts.
bool choosesExperts(mlir::Operation *topK);

/// Reads the experts that a TopK chooses from, of which each computes all rows and
/// multiplies them by sum(parts * (indices == number)). Returns why they are none
/// that are known, at the node `fault`, or "".
std::string readMixture(mlir::Operation *topK, WrittenMixture &mixture, mlir::Operation *&fault);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_WRITTENEXPERTS_H
