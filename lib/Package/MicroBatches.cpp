//===- MicroBatches.cpp - the batch of a plan -----------------------------===//
#include "dougong/Package/MicroBatches.h"

#include "dougong/Support/DimExpr.h"

namespace dougong {

std::int64_t microBatchCount(const plan::v1::Model &model) {
  return model.has_micro_batches() ? model.micro_batches().count() : 1;
}

Result<std::optional<int>> batchDim(const plan::v1::Value &value, const std::string &batch) {
  std::optional<int> found;
  for (int d = 0; d != value.dims_size(); ++d) {
    auto extent = DimExpr::parse(value.dims(d));
    if (!extent)
      return extent.takeError();
    if (!extent->symbols().count(batch))
      continue;
    std::string where = "dim " + std::to_string(d) + " (" + value.dims(d) + ")";
    if (extent->kind() != DimExpr::Kind::Symbol)
      return Error{where + " is not the batch '" + batch + "' itself, but depends on it"};
    if (found)
      return Error{where + " is the batch '" + batch + "', as dim " + std::to_string(*found) +
                   " is already"};
    found = d;
  }
  return found;
}

} // namespace dougong
