//===- Summary.h - what the text and the HTML report both say ---*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGE_SUMMARY_H
#define DOUGONG_LIB_PACKAGE_SUMMARY_H

#include "dougong/Package/Describe.h"
#include "dougong/Package/plan.pb.h"

#include <optional>
#include <string>
#include <vector>

namespace dougong::package {

/// Rows of cells, the first row being the header. `numeric` columns are aligned
/// to the right.
struct Table {
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> numeric;
};

/// "f32 [batch, 128]".
std::string printType(const plan::v1::Value &value);
/// "past: 0 to 8192", "batch: at least 1".
std::string printSymbol(const plan::v1::Symbol &symbol);
/// "a step takes batch in 4 micro-batches of batch ceildiv 4 rows", for a model that has
/// some.
std::string printMicroBatches(const plan::v1::Model &model);
/// "ranks 4-7", "rank 4".
std::string printRanks(std::int64_t first, std::int64_t count);
/// "dp=2 x tp=4"; "one rank" for a mesh without axes.
std::string printMesh(const plan::v1::Mesh &mesh);
/// "model input 'x'", "stage 'a' output 0 'y'"; unknown ones by number.
std::string printEndpoint(const plan::v1::Plan &plan, const plan::v1::Endpoint &end, bool isSource);

const plan::v1::Mesh *findMesh(const plan::v1::Plan &plan, const std::string &id);
const plan::v1::Program *findProgram(const plan::v1::Plan &plan, const std::string &id);
const plan::v1::ChipType *findChipType(const plan::v1::Plan &plan, const std::string &id);

/// Stage, ranks, mesh, chip type, program, nodes.
Table stageTable(const plan::v1::Plan &plan);
/// Memory of a rank of each stage, by cause.
Table memoryTable(const plan::v1::Plan &plan);
/// Work of each rank; at most `maxRanks` rows (0: all), then one for each stage.
/// Amounts whose symbols have no value are shown as expressions, by stage.
Table workTable(const plan::v1::Plan &plan, const DescribeOptions &options);
/// Collectives of each program, equal ones counted together.
Table callTable(const plan::v1::Plan &plan);
Table transferTable(const plan::v1::Plan &plan);
/// Predicted times of the stages, and of the transfers between them.
Table estimateTable(const plan::v1::Plan &plan);
/// The figures of the fleet that the prediction rests on.
Table figureTable(const plan::v1::Plan &plan);
Table fallbackTable(const plan::v1::Plan &plan);
/// What the planner chose, and what else it considered.
Table choiceTable(const plan::v1::Plan &plan);
/// "predicted, not measured; rests on ...; at batch=1 (assumed)", for behind the
/// time; or why there is none.
std::string printPrediction(const plan::v1::Plan &plan);
Table fleetTable(const plan::v1::Plan &plan);

/// "batch=1, seq=128".
std::string printSymbols(const SymbolValues &symbols);

} // namespace dougong::package

#endif // DOUGONG_LIB_PACKAGE_SUMMARY_H
