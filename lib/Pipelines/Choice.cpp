//===- Choice.cpp - how to partition where nobody says --------------------===//
#include "Choice.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/States.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Onnx/DimRanges.h"
#include "dougong/Package/Binding.h"
#include "dougong/Support/DimExpr.h"

#include <set>

using namespace mlir;
using namespace dougong;

void dougong::addSymbols(plan::v1::Model &model, const SymbolRanges &ranges,
                         ArrayRef<std::string> others) {
  std::set<std::string> names;
  for (const std::string &text : others)
    if (Result<DimExpr> expr = DimExpr::parse(text))
      names.merge(expr->symbols());
  for (const auto *values : {&model.inputs(), &model.outputs()})
    for (const plan::v1::Value &value : *values)
      for (const std::string &dim : value.dims())
        if (Result<DimExpr> expr = DimExpr::parse(dim))
          names.merge(expr->symbols());
  for (const std::string &name : names) {
    plan::v1::Symbol *symbol = model.add_symbols();
    symbol->set_name(name);
    auto range = ranges.find(name);
    if (range == ranges.end())
      continue;
    symbol->set_min(range->second.min);
    if (range->second.max != onnx::unboundedDim)
      symbol->set_max(range->second.max);
  }
}

LogicalResult dougong::addConditions(ModuleOp module, plan::v1::Model &model) {
  FailureOr<func::FuncOp> main = dist::getMainFunction(module);
  if (failed(main))
    return failure();
  auto checks = (*main)->getAttrOfType<ArrayAttr>("onnx.checks");
  if (!checks)
    return success();
  std::set<std::string> known;
  for (Type type : main->getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (FailureOr<SmallVector<DimExpr>> extents = dist::getExtents(tensor); succeeded(extents))
        for (const DimExpr &extent : *extents)
          known.merge(extent.symbols());
  for (auto check : checks.getAsRange<DictionaryAttr>()) {
    auto text = [&](StringRef key) { return check.getAs<StringAttr>(key).str(); };
    Result<DimExpr> left = DimExpr::parse(text("lhs")), right = DimExpr::parse(text("rhs"));
    if (!left || !right)
      return module.emitError() << "onnx.checks entry " << check << " has no valid lhs and rhs";
    std::set<std::string> symbols = left->symbols();
    symbols.merge(right->symbols());
    Result<DimExpr> other = check.contains("or") ? DimExpr::parse(text("or")) : *right;
    if (!other)
      return module.emitError() << "onnx.checks entry " << check << " has no valid or";
    symbols.merge(other->symbols());
    if (!llvm::all_of(symbols, [&](const std::string &symbol) { return known.contains(symbol); }))
      continue;
    plan::v1::Condition *condition = model.add_conditions();
    condition->set_node(text("node"));
    condition->set_left(left->print());
    condition->set_right(right->print());
    if (check.contains("or"))
      condition->set_other(other->print());
    condition->set_at_most(text("op") == "<=");
  }
  return success();
}

SymbolValues dougong::getExtents(const ModelRanges &ranges) {
  SymbolValues extents;
  for (const auto &[symbol, range] : ranges.ranges)
    extents[symbol] = range.max;
  return extents;
}

LogicalResult dougong::checkInputDims(ModuleOp module) {
  FailureOr<func::FuncOp> main = dist::getMainFunction(module);
  if (failed(main))
    return failure();
  std::vector<std::vector<DimExpr>> inputs;
  for (Type type : main->getArgumentTypes()) {
    std::vector<DimExpr> &dims = inputs.emplace_back();
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (FailureOr<SmallVector<DimExpr>> extents = dist::getExtents(tensor); succeeded(extents))
        dims.assign(extents->begin(), extents->end());
  }
  std::optional<UnboundDim> unbound = findUnboundDim(inputs);
  if (!unbound)
    return success();
  return module.emitError() << "input '" << dist::getArgumentName(*main, unbound->input)
                            << "', dim " << unbound->dim << ": an extent of '"
                            << inputs[unbound->input][unbound->dim].print() << "' does not tell '"
                            << unbound->symbol << "': give it a value with --dim "
                            << unbound->symbol << "=VALUE";
}

FailureOr<ModelRanges> dougong::getModelRanges(ModuleOp module) {
  FailureOr<func::FuncOp> main = dist::getMainFunction(module);
  if (failed(main))
    return failure();
  FailureOr<SymbolRanges> ranges = onnx::getDimRanges(*main);
  if (failed(ranges))
    return failure();
  plan::v1::Model model;
  for (Type type : main->getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (FailureOr<SmallVector<DimExpr>> extents = dist::getExtents(tensor); succeeded(extents))
        for (const DimExpr &extent : *extents)
          model.add_inputs()->add_dims(extent.print());
  addSymbols(model, *ranges);
  return ModelRanges::of(model);
}

/// Whether nobody has said how to partition, and there is something to choose.
static FailureOr<bool> isChoiceWanted(ModuleOp module, const fleet::Fleet &fleet,
                                      const CompileOptions &options) {
  if (!options.parallel.empty() || !options.configuration.empty() || fleet.thisMachine ||
      fleet.getChipCount() < 2)
    return false;
  if (options.strategy.empty())
    return true;
  llvm::Expected<dist::Strategy> strategy = dist::readStrategyFile(options.strategy);
  if (strategy)
    return strategy->isSilent();
  return module.emitError() << llvm::toString(strategy.takeError());
}

FailureOr<std::optional<planner::Decision>>
dougong::chooseIfWanted(ModuleOp module, const fleet::Fleet &fleet, const CompileOptions &options,
                        const ModelRanges &ranges, bool &infeasible) {
  FailureOr<bool> wanted = isChoiceWanted(module, fleet, options);
  if (failed(wanted))
    return failure();
  if (!*wanted)
    return std::optional<planner::Decision>();
  planner::ChoiceRequest request;
  request.extents = getExtents(ranges);
  for (const auto &[symbol, range] : ranges.ranges)
    if (!ranges.assumed.count(symbol))
      request.ranges[symbol] = range;
  dist::Strategy states;
  for (const std::string &state : options.states)
    if (llvm::Error error = dist::addState(states, state))
      return module.emitError() << llvm::toString(std::move(error));
  request.states = states.states;
  FailureOr<planner::Decision> decision =
      planner::chooseStrategy(module, fleet, request, infeasible);
  if (failed(decision))
    return failure();
  return std::optional(std::move(*decision));
}

plan::v1::Choice dougong::describeChoice(const planner::Decision &decision) {
  plan::v1::Choice choice;
  choice.set_rule(decision.rule);
  choice.set_considered(decision.considered);
  for (const planner::Candidate &candidate : decision.candidates) {
    plan::v1::Alternative *entry = choice.add_alternatives();
    entry->set_strategy(candidate.getStrategy());
    for (const fleet::Pool *pool : candidate.pools)
      entry->add_pools(pool->id);
    entry->set_ranks(candidate.getRanks());
    entry->set_step_s(candidate.step);
    entry->set_memory_bytes(candidate.memory);
    entry->set_capacity_bytes(candidate.capacity);
    entry->set_verdict(candidate.verdict);
  }
  return choice;
}
