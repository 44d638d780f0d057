//===- Lower.cpp - the lower and codegen phases ---------------------------===//
#include "dougong/Pipelines/Lower.h"

#include "Onnx/IR/Recipes.h"
#include "dougong/Conversion/KernelPasses.h"
#include "dougong/Conversion/Passes.h"
#include "dougong/Dist/PartitionResult.h"
#include "dougong/Package/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace mlir;
using namespace dougong;

llvm::Error dougong::buildLowerPipeline(OpPassManager &pipeline, const Target &target) {
  // Data movement around collectives becomes ops that kernels are made of.
  pipeline.addPass(createExpandCollectivesPass());
  if (target.wantsChannelsLast())
    pipeline.addPass(createAssignLayoutsPass());
  // While values still are tensors with symbolic extents: what is computed
  // together, and equal kernels once. All later work is on distinct kernels.
  pipeline.addPass(createFormKernelsPass());
  pipeline.addNestedPass<func::FuncOp>(createConvertOnnxToLinalgPass());
  // The patterns make an extent wherever they need one: merge them before
  // tiling looks at the loops.
  pipeline.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pipeline.addNestedPass<func::FuncOp>(createCSEPass());
  // Kernels in their calling form come before the schedule, which must know
  // which of them want a workspace.
  if (llvm::Error error = target.addKernelPasses(pipeline))
    return error;
  pipeline.addPass(createBuildSchedulePass());
  return llvm::Error::success();
}

namespace {

/// The weights of a program, in the order of their first use: programs with
/// equal code have the same order.
SmallVector<Attribute> getWeightsInOrder(ModuleOp program) {
  llvm::SetVector<Attribute> weights;
  program.walk([&](onnx::UseOp use) { weights.insert(use.getWeightAttr()); });
  return llvm::to_vector(weights);
}

/// Code that several programs may share, and the weights it was lowered with.
struct Code {
  ModuleOp module;
  SmallVector<Attribute> weights;
  int program; ///< number of the program that it was lowered from
};

/// Lowers the programs of a staged module.
class Lowering {
public:
  Lowering(ModuleOp staged, plan::v1::Plan &plan, const Target &target, Progress &progress)
      : staged(staged), plan(plan), target(target), progress(progress) {}

  LogicalResult run(const dist::PartitionResult &partition);

private:
  LogicalResult lower(ModuleOp module, unsigned number);
  LogicalResult addRecipes(const dist::ProgramInfo &info, const Code &code,
                           ArrayRef<Attribute> weights, SmallVector<Operation *> recipes,
                           plan::v1::Program &entry);
  /// What of a code takes a slow path; `program` is one that runs it.
  void addFallbacks(ModuleOp code, const plan::v1::Program &program);
  void addFacts(const dist::ProgramInfo &info, ModuleOp code, const plan::v1::Program &lowered,
                plan::v1::Program &program);

  ModuleOp staged;
  plan::v1::Plan &plan;
  const Target &target;
  Progress &progress;
};

} // namespace

LogicalResult Lowering::lower(ModuleOp module, unsigned number) {
  PassManager manager(staged.getContext());
  if (llvm::Error error = buildLowerPipeline(manager, target))
    return staged.emitError(llvm::toString(std::move(error)));
  progress.watch(manager);
  if (failed(manager.run(module)))
    return failure();
  module.setSymName("code" + std::to_string(number));
  return success();
}

/// Writes the module that says which code a program runs, and how its weights
/// are made. `entry` is the program in the plan: its nodes then name the weights
/// as the code reads them.
LogicalResult Lowering::addRecipes(const dist::ProgramInfo &info, const Code &code,
                                   ArrayRef<Attribute> weights, SmallVector<Operation *> recipes,
                                   plan::v1::Program &entry) {
  ModuleOp codeModule = code.module;
  OpBuilder builder = OpBuilder::atBlockEnd(staged.getBody());
  auto program = ModuleOp::create(builder, staged.getLoc(), info.name);
  for (Operation *recipe : recipes)
    program.push_back(recipe);
  SymbolTable symbols(program);

  // From the names that the code was lowered with to the program's own.
  llvm::DenseMap<Attribute, Attribute> own;
  for (auto [lowered, mine] : llvm::zip_equal(code.weights, weights))
    own[lowered] = mine;
  // The target may have laid weights down anew: (weight, suffix, type, steps).
  llvm::StringMap<SmallVector<std::string, 1>> laidDown; // by the weight
  llvm::DenseMap<Attribute, Attribute> added;
  if (auto list = codeModule->getAttrOfType<ArrayAttr>("dougong.added_weights"))
    for (ArrayAttr entry : list.getAsRange<ArrayAttr>()) {
      auto base = cast<FlatSymbolRefAttr>(entry[0]);
      StringRef suffix = cast<StringAttr>(entry[1]).getValue();
      auto weight =
          symbols.lookup<onnx::WeightOp>(cast<FlatSymbolRefAttr>(own.lookup(base)).getValue());
      OpBuilder inner = OpBuilder::atBlockEnd(program.getBody());
      auto packed = onnx::WeightOp::create(
          inner, weight.getLoc(), (weight.getSymName() + suffix).str(),
          cast<TypeAttr>(entry[2]).getValue(),
          onnx::continueRecipe(weight, cast<ArrayAttr>(entry[3]).getValue()));
      symbols.insert(packed);
      laidDown[weight.getSymName()].push_back(packed.getSymName().str());
      added[FlatSymbolRefAttr::get(builder.getContext(), (base.getValue() + suffix).str())] =
          FlatSymbolRefAttr::get(packed.getSymNameAttr());
    }
  SmallVector<Attribute> names;
  for (Attribute name : codeModule->getAttrOfType<ArrayAttr>(weightsAttrName)) {
    Attribute mine = own.lookup(name);
    names.push_back(mine ? mine : added.lookup(name));
    if (!names.back())
      return program.emitError() << "the code uses weight " << name << ", which has no recipe";
  }
  for (plan::v1::Node &node : *entry.mutable_work()->mutable_nodes()) {
    google::protobuf::RepeatedPtrField<std::string> read;
    for (const std::string &name : node.weights()) {
      if (llvm::is_contained(names, FlatSymbolRefAttr::get(builder.getContext(), name)))
        read.Add(std::string(name));
      for (const std::string &packed : laidDown[name])
        read.Add(std::string(packed));
    }
    *node.mutable_weights() = std::move(read);
  }
  program->setAttr(weightsAttrName, builder.getArrayAttr(names));
  program->setAttr(codeAttrName, FlatSymbolRefAttr::get(codeModule.getSymNameAttr()));
  return success();
}

/// The program's checks, memory and communication. Nodes are the program's own: the code may have
/// been lowered for other layers, those of the program `lowered`.
void Lowering::addFacts(const dist::ProgramInfo &info, ModuleOp code,
                        const plan::v1::Program &lowered, plan::v1::Program &program) {
  for (Attribute check : code->getAttrOfType<ArrayAttr>("dougong.checks"))
    program.add_checks(cast<StringAttr>(check).getValue().str());
  auto addTexts = [&](StringRef name, google::protobuf::RepeatedPtrField<std::string> &texts) {
    if (auto list = code->getAttrOfType<ArrayAttr>(name))
      for (StringRef text : list.getAsValueRange<StringAttr>())
        texts.Add(text.str());
  };
  addTexts("dougong.arena", *program.mutable_allocation()->mutable_arena());
  addTexts("dougong.workspace", *program.mutable_allocation()->mutable_workspace());
  addTexts("dougong.unproved", *program.mutable_allocation()->mutable_unproved());
  addTexts("dougong.library_nodes", *program.mutable_library_nodes());
  if (const plan::v1::Work &theirs = lowered.work(), &own = program.work();
      theirs.nodes_size() == own.nodes_size()) {
    llvm::StringMap<std::string> names;
    for (int index = 0; index < own.nodes_size(); ++index)
      names.try_emplace(theirs.nodes(index).name(), own.nodes(index).name());
    for (std::string &node : *program.mutable_library_nodes())
      if (auto it = names.find(node); it != names.end())
        node = it->second;
  }
  if (auto groups = code->getAttrOfType<ArrayAttr>("dougong.groups"))
    for (Attribute group : groups) {
      plan::v1::Group *entry = program.add_groups();
      for (Attribute axis : cast<ArrayAttr>(group))
        entry->add_axes(cast<StringAttr>(axis).getValue().str());
    }
  auto calls = code->getAttrOfType<ArrayAttr>("dougong.calls");
  if (!calls)
    return;
  bool sameCalls = calls.size() == info.calls.size();
  for (auto [index, attribute] : llvm::enumerate(calls)) {
    auto call = cast<DictionaryAttr>(attribute);
    auto text = [&](StringRef name) {
      auto value = call.getAs<StringAttr>(name);
      return value ? value.getValue().str() : std::string();
    };
    plan::v1::Call *entry = program.add_calls();
    entry->set_kind(text("kind"));
    entry->set_group(call.getAs<IntegerAttr>("group").getInt());
    entry->set_dtype(call.getAs<IntegerAttr>("dtype").getInt());
    entry->set_elements(text("elements"));
    entry->set_reduction(text("reduction"));
    if (auto from = call.getAs<IntegerAttr>("from"))
      entry->set_from(from.getInt());
    entry->set_node(sameCalls ? info.calls[index].node : text("node"));
  }
}

void Lowering::addFallbacks(ModuleOp code, const plan::v1::Program &program) {
  auto fallbacks = code->getAttrOfType<ArrayAttr>(fallbacksAttrName);
  if (!fallbacks)
    return;
  std::map<std::string, std::string> ops; // by node
  for (const plan::v1::Node &node : program.work().nodes())
    ops[node.name()] = node.op();
  for (auto fallback : fallbacks.getAsRange<DictionaryAttr>()) {
    std::string node = fallback.getAs<StringAttr>("node").getValue().str();
    plan::v1::Fallback *entry = plan.add_fallbacks();
    entry->set_op(ops[node]);
    entry->set_node(node);
    entry->set_reason(fallback.getAs<StringAttr>("reason").getValue().str());
  }
}

LogicalResult Lowering::run(const dist::PartitionResult &partition) {
  std::map<unsigned, Code> codes; // by class
  std::set<unsigned> classes;
  for (const dist::ProgramInfo &info : partition.programs)
    classes.insert(info.codeClass);
  for (const auto &[index, info] : llvm::enumerate(partition.programs)) {
    SmallVector<Attribute> weights = getWeightsInOrder(info.module);
    // Recipes are taken out before lowering, which drops them.
    SmallVector<Operation *> recipes;
    ModuleOp programModule = info.module;
    for (auto weight : programModule.getOps<onnx::WeightOp>())
      recipes.push_back(weight->clone());
    auto known = codes.find(info.codeClass);
    if (known == codes.end()) {
      progress.setDetail(llvm::formatv("program {0} of {1}", codes.size() + 1, classes.size()));
      if (failed(lower(programModule, codes.size())))
        return failure();
      known =
          codes.try_emplace(info.codeClass, Code{programModule, weights, static_cast<int>(index)})
              .first;
      addFallbacks(programModule, plan.programs(index));
    } else {
      programModule.erase();
    }
    addFacts(info, known->second.module, plan.programs(known->second.program),
             *plan.mutable_programs(index));
    if (failed(addRecipes(info, known->second, weights, std::move(recipes),
                          *plan.mutable_programs(index))))
      return failure();
  }
  return success();
}

LogicalResult dougong::lowerModel(ModuleOp staged, plan::v1::Plan plan, const Target &target,
                                  Progress &progress) {
  FailureOr<dist::PartitionResult> partition = dist::getPartitionResult(staged);
  if (failed(partition) || failed(Lowering(staged, plan, target, progress).run(*partition)))
    return failure();
  for (Operation &op : llvm::make_early_inc_range(*staged.getBody()))
    if (!isa<ModuleOp>(op))
      op.erase();
  for (NamedAttribute attribute : llvm::to_vector(staged->getDiscardableAttrs()))
    if (attribute.getName().getValue().starts_with("dist."))
      staged->removeDiscardableAttr(attribute.getName());
  return setPlan(staged, plan);
}

LogicalResult dougong::setPlan(ModuleOp module, plan::v1::Plan plan) {
  plan.set_api_version(std::string(planApiVersion));
  Result<std::string> text = printPlan(plan);
  if (!text)
    return module.emitError(text.message());
  module->setAttr(planAttrName, StringAttr::get(module.getContext(), *text));
  return success();
}

llvm::Error dougong::generateCode(ModuleOp lowered, const Target &target, Progress &progress) {
  auto codes = llvm::make_filter_range(
      lowered.getOps<ModuleOp>(), [](ModuleOp module) { return !module->hasAttr(codeAttrName); });
  size_t count = llvm::range_size(codes);
  for (auto [index, module] : llvm::enumerate(codes)) {
    progress.setDetail(llvm::formatv("program {0} of {1}", index + 1, count));
    if (llvm::Error error = target.generate(module))
      return error;
  }
  return llvm::Error::success();
}

Result<plan::v1::Plan> dougong::getPlan(ModuleOp module) {
  auto text = module->getAttrOfType<StringAttr>(planAttrName);
  if (!text)
    return Error{"the module carries no plan (attribute dougong.plan)"};
  return parsePlan(text.getValue().str(), "dougong.plan");
}
