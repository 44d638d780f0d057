//===- TestPackage.h - hand-made packages -----------------------*- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_RUNTIME_TESTPACKAGE_H
#define DOUGONG_TEST_UNIT_RUNTIME_TESTPACKAGE_H

#include "dougong/Runtime/Executor.h"

#include <filesystem>
#include <string>
#include <vector>

namespace dougong {

/// A folder that goes away with the object.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::filesystem::path &path() const { return folder; }

private:
  std::filesystem::path folder;
};

/// A float tensor of dims `dims`.
Tensor floats(std::vector<std::int64_t> dims, const std::vector<float> &values);
std::vector<float> floatsOf(const Tensor &tensor);
std::vector<float> randomFloats(std::int64_t count, unsigned seed);

/// Sizes of the MLP package, and its weights, whole.
struct Mlp {
  static constexpr std::int64_t k = 7, hidden = 10, n = 5;
  std::vector<float> w1 = randomFloats(k * hidden, 1), w2 = randomFloats(hidden * n, 2);
  /// y for x [batch, k], by plain loops in double.
  std::vector<double> run(const std::vector<float> &x) const;
};

/// Program parallel_mlp.c on a mesh "tp" = `tp` (hidden is padded where tp does not
/// divide it), beside an idle axis "dp" = `dp`, with the batch cut along it.
void writeMlpPackage(const std::filesystem::path &folder, int tp, int dp);

/// double_plus_one.c on `first` ranks, x cut along dim 1, then append_and_sum.c on
/// `second` ranks, the batch cut; the cache is a state of the model.
void writeCachePackage(const std::filesystem::path &folder, int first, int second);

/// double_plus_one.c three times: on ranks 0 and 1 (x cut along dim 1), on ranks 1
/// and 2 (along dim 0), and on ranks 0 and 1 again; y = 8 x + 7. What the first
/// stage makes also goes to a fourth one, on ranks 1 and 2, that makes z = 4 x + 3.
void writeOverlapPackage(const std::filesystem::path &folder);

/// positive_rows.c on `keepers` ranks from rank 1 on, whole, then double_plus_one.c on
/// ranks 0 and 1, the columns cut: "rows" and "doubled" have an extent that depends
/// on data.
void writeRowsPackage(const std::filesystem::path &folder, int keepers);

/// meet.c on rank 0 and again on rank 1, in `microBatches` parts of dim "rows": y = x + 2.
void writeMeetPackage(const std::filesystem::path &folder, int microBatches);

/// Has the model of a package take its steps in `count` parts of the dims `batch`.
void setMicroBatches(const std::filesystem::path &folder, int count, const std::string &batch);

/// reverse_strings.c on one rank.
void writeStringPackage(const std::filesystem::path &folder);

/// top_k.c on one rank.
void writeTopKPackage(const std::filesystem::path &folder);

} // namespace dougong

#endif // DOUGONG_TEST_UNIT_RUNTIME_TESTPACKAGE_H
