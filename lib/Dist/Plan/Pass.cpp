//===- Pass.cpp - the pass dist-plan --------------------------------------===//
#include "dougong/Dist/Passes.h"
#include "dougong/Dist/Strategy.h"

namespace dougong::dist {
#define GEN_PASS_DEF_PLANPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong::dist;

namespace {
struct PlanPass : dougong::dist::impl::PlanPassBase<PlanPass> {
  using PlanPassBase::PlanPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!parallel.empty() + !strategyFile.empty() + !configuration.empty() > 1) {
      module.emitError("give one of a strategy file, its short form and a device configuration");
      return signalPassFailure();
    }
    llvm::Expected<Strategy> strategy =
        strategyFile.empty() ? parseShortStrategy(parallel) : readStrategyFile(strategyFile);
    if (!strategy) {
      module.emitError() << llvm::toString(strategy.takeError());
      return signalPassFailure();
    }
    if (!configuration.empty())
      strategy->configuration = configuration;
    if (!chosen.empty() && strategy->isSilent()) {
      llvm::Expected<Strategy> choice = parseShortStrategy(chosen);
      if (!choice) {
        module.emitError() << llvm::toString(choice.takeError());
        return signalPassFailure();
      }
      if (!pools.empty() && static_cast<int64_t>(pools.size()) != choice->pipeline) {
        module.emitError() << "gives " << pools.size() << " pools for " << choice->pipeline
                           << " stages";
        return signalPassFailure();
      }
      strategy->mesh = choice->mesh;
      strategy->pipeline = choice->pipeline;
      strategy->pools.assign(pools.begin(), pools.end());
    }
    for (const std::string &state : states)
      if (llvm::Error error = addState(*strategy, state)) {
        module.emitError() << llvm::toString(std::move(error));
        return signalPassFailure();
      }
    if (failed(applyStrategy(module, *strategy)))
      signalPassFailure();
  }
};
} // namespace
