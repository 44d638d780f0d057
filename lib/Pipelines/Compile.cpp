//===- Compile.cpp - a model and a fleet to a package ---------------------===//
#include "dougong/Pipelines/Compile.h"

#include "Choice.h"
#include "Output.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/States.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Fleet/Yaml.h"
#include "dougong/Import/Import.h"
#include "dougong/Onnx/DimOption.h"
#include "dougong/Onnx/Passes.h"
#include "dougong/Package/Plan.h"
#include "dougong/Pipelines/Diagnostics.h"
#include "dougong/Pipelines/Lower.h"
#include "dougong/Pipelines/OnnxExport.h"
#include "dougong/Pipelines/Package.h"
#include "dougong/Pipelines/Partition.h"
#include "dougong/Pipelines/Progress.h"
#include "dougong/Registration.h"
#include "dougong/Support/Sha256.h"
#include "dougong/Support/Text.h"
#include "dougong/Target/Cpu/CpuTarget.h"
#include "dougong/Target/Onnx/Annotate.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace dougong;

ArrayRef<StringRef> dougong::getPhaseNames() {
  static const StringRef names[] = {"import", "normalize", "plan",    "shard",
                                    "stage",  "lower",     "codegen", "package"};
  return names;
}

namespace {

/// Module attribute: the phase after which the IR was written.
constexpr StringLiteral phaseAttrName = "dougong.phase";

/// One run of the pipeline.
class Compilation {
public:
  Compilation(const CompileOptions &options, raw_ostream &errors)
      : options(options), errors(errors), progress(errors, options), registry(makeRegistry()),
        printer(&context, errors) {
    // Kernels are lowered by passes on functions that add constants to the
    // module: one after the other, so that names, and with them the bytes of a
    // package, do not depend on timing.
    context.disableMultithreading();
    // Users read the node, not its IR.
    context.printOpOnDiagnostic(false);
    // Appended, not given to the constructor: only so do extensions reach the
    // builtin dialect, which is loaded from the start.
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  ExitCode run();

private:
  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }

  ExitCode refuse(const Twine &message, ExitCode code = exitInputRefused) {
    // Errors of a fleet file, one a line, name file and line themselves.
    std::string text = message.str();
    if (StringRef(text).contains(": error: "))
      errors << text << "\n";
    else
      errors << "error: " << escapeControl(text) << "\n";
    return code;
  }

  ExitCode checkOptions();
  ExitCode checkOutput();
  ExitCode importFile();
  ExitCode readIR(size_t &next);
  ExitCode runPasses(llvm::function_ref<void(PassManager &)> add);
  /// The options --dim, but for that of a batch which micro-batches cut: it stays a
  /// symbol, with a range of one value, for programs see fewer rows.
  std::vector<std::string> getDims();
  /// Tells which dims are taken at their least because nobody says their greatest.
  void warnOfAssumed(const ModelRanges &ranges);
  ExitCode runPlanPhase();
  ExitCode runPhase(StringRef phase);
  ExitCode runPhases();
  /// Writes the ONNX files of a staged module.
  ExitCode exportStages();
  /// Tells what the annotated model leaves unsaid, and what it does not come with.
  void warnOfAnnotated();
  ExitCode refuse(llvm::Error error);
  StringRef getModelFolder();
  /// Writes the module where the options say so.
  ExitCode endPhase(StringRef phase);
  ExitCode writeModule(StringRef path);
  FailureOr<std::unique_ptr<Target>> createTarget();

  const CompileOptions &options;
  raw_ostream &errors;
  Progress progress;
  DialectRegistry registry;
  MLIRContext context;
  DiagnosticPrinter printer;
  fleet::Fleet fleet;
  std::unique_ptr<Target> target;
  OwningOpRef<ModuleOp> module;
  std::optional<exporter::AnnotatedModel> annotated; ///< what is exported beside the stages
  std::optional<ModelRanges> assumed; ///< what the plan rests on, if that is to be told
};

/// Refuses what the command line says wrongly without a look at the model.
ExitCode Compilation::checkOptions() {
  if (!options.parallel.empty() + !options.strategy.empty() + !options.configuration.empty() > 1)
    return refuse("give one of --parallel, --strategy and --configuration", exitUsage);
  if (auto strategy = dist::parseShortStrategy(options.parallel); !strategy)
    return refuse("--parallel: " + llvm::toString(strategy.takeError()), exitUsage);
  dist::Strategy states;
  for (const std::string &state : options.states)
    if (llvm::Error error = dist::addState(states, state))
      return refuse("--state: " + llvm::toString(std::move(error)), exitUsage);
  llvm::StringSet<> dims;
  for (const std::string &dim : options.dims) {
    if (auto option = onnx::parseDimOption(dim); !option)
      return refuse("--dim: " + llvm::toString(option.takeError()), exitUsage);
    if (StringRef name = StringRef(dim).split('=').first; !dims.insert(name).second)
      return refuse("--dim: '" + name + "' is given twice", exitUsage);
  }
  return exitOk;
}

/// Refuses places that cannot be written: before the work, not after it.
ExitCode Compilation::checkOutput() {
  OutputKind kind = options.exportOnnx ? OutputKind::OnnxExport : OutputKind::Package;
  if (llvm::Error error = options.stopAfter.empty() ? checkOutputFolder(options.output, kind)
                                                    : checkOutputFile(options.output))
    return refuse(llvm::toString(std::move(error)), exitUsage);
  if (!options.reproducer.empty())
    if (llvm::Error error = checkOutputFile(options.reproducer))
      return refuse("--reproducer: " + llvm::toString(std::move(error)), exitUsage);
  if (!options.dumpPhases.empty())
    if (llvm::Error error = makeOutputFolder(options.dumpPhases))
      return refuse("--dump-phases: " + llvm::toString(std::move(error)), exitUsage);
  return exitOk;
}

ExitCode Compilation::writeModule(StringRef path) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream, OpPrintingFlags().enableDebugInfo());
  Result<void> written = writeFileAtomically(path.str(), text);
  return written ? exitOk : refuse(written.message(), exitUsage);
}

ExitCode Compilation::endPhase(StringRef phase) {
  if (phase == "package")
    return exitOk;
  (*module)->setAttr(phaseAttrName, StringAttr::get(&context, phase));
  if (!options.dumpPhases.empty()) {
    SmallString<128> path(options.dumpPhases);
    size_t number = llvm::find(getPhaseNames(), phase) - getPhaseNames().begin() + 1;
    llvm::sys::path::append(path, llvm::formatv("{0}-{1}.mlir", number, phase).str());
    if (ExitCode code = writeModule(path); code != exitOk)
      return code;
  }
  return options.stopAfter == phase ? writeModule(options.output) : exitOk;
}

FailureOr<std::unique_ptr<Target>> Compilation::createTarget() {
  StringRef name = options.target;
  if (name.consume_front("cpu-")) {
    cpu::CpuOptions cpuOptions;
    cpuOptions.cpu = name.str();
    llvm::Expected<cpu::CpuTraits> traits = cpu::getCpuTraits(cpuOptions);
    if (traits)
      return cpu::createCpuTarget(cpuOptions);
    refuse("--target '" + options.target + "': " + llvm::toString(traits.takeError()));
  } else {
    refuse("unknown target '" + options.target +
           "': expected cpu-native, cpu-x86-64-v4, cpu-x86-64-v3 or cpu-<processor>");
  }
  return failure();
}

/// Reads an ONNX file, and notes which one it was.
ExitCode Compilation::importFile() {
  // Only packaging reads weights.
  ImportOptions importing;
  importing.allowMissingData = !options.stopAfter.empty();
  importing.expandOperators = true;
  module = importModel(options.model, context, importing);
  if (!module)
    return exitInputRefused;
  Result<std::string> digest = sha256File(options.model);
  if (!digest)
    return refuse(digest.message());
  Builder builder(&context);
  (*module)->setAttr(modelAttrName,
                     builder.getDictionaryAttr(
                         {builder.getNamedAttr(
                              "name", builder.getStringAttr(llvm::sys::path::stem(options.model))),
                          builder.getNamedAttr("sha256", builder.getStringAttr(*digest))}));
  return exitOk;
}

/// Reads the IR that an earlier run wrote after a phase; sets the phase to go on
/// with.
ExitCode Compilation::readIR(size_t &next) {
  module = parseSourceFile<ModuleOp>(options.model, &context);
  if (!module)
    return exitInputRefused;
  auto name = (*module)->getAttrOfType<StringAttr>(phaseAttrName);
  ArrayRef<StringRef> phases = getPhaseNames().drop_back();
  const StringRef *phase = name ? llvm::find(phases, name.getValue()) : phases.end();
  if (phase == phases.end())
    return refuse("'" + options.model +
                  "' does not say after which phase it was written (module "
                  "attribute " +
                  phaseAttrName + "): write it with --stop-after or --dump-phases");
  next = phase - phases.begin() + 1;
  auto isOver = [&](StringRef other) {
    return size_t(llvm::find(phases, other) - phases.begin()) < next;
  };
  if (isOver("normalize") && !options.dims.empty())
    return refuse("'" + options.model + "' is normalized: --dim must be given before");
  if (isOver("plan") && !(options.parallel.empty() && options.strategy.empty() &&
                          options.configuration.empty() && options.states.empty()))
    return refuse(
        "'" + options.model +
        "' is planned: --parallel, --strategy, --configuration and --state must be given before");
  if (options.exportOnnx && next > size_t(llvm::find(phases, "lower") - phases.begin()))
    return refuse("'" + options.model + "' was written after " + name.getValue() +
                  ": it can be exported up to stage");
  if (!options.stopAfter.empty() && isOver(options.stopAfter))
    return refuse("'" + options.model + "' was written after " + name.getValue() +
                  ": it cannot stop after " + options.stopAfter);
  return exitOk;
}

ExitCode Compilation::runPasses(llvm::function_ref<void(PassManager &)> add) {
  PassManager manager(&context);
  add(manager);
  progress.watch(manager);
  if (succeeded(manager.run(*module)))
    return exitOk;
  // What these prove holds for every model; only that a shape is known may be the
  // model's fault.
  StringRef failed = progress.getFailedPass();
  return failed.contains("-verify-") && failed != "onnx-verify-normalized" ? exitInternal
                                                                           : exitInputRefused;
}

std::vector<std::string> Compilation::getDims() {
  std::vector<std::string> dims(options.dims.begin(), options.dims.end());
  llvm::Expected<dist::Strategy> strategy = options.strategy.empty()
                                                ? dist::parseShortStrategy(options.parallel)
                                                : dist::readStrategyFile(options.strategy);
  if (!strategy) {
    llvm::consumeError(strategy.takeError()); // dist-plan refuses it
    return dims;
  }
  if (strategy->microBatches == 1)
    return dims;
  FailureOr<func::FuncOp> main = dist::getMainFunction(*module);
  Result<DimExpr> batch = DimExpr::parse(succeeded(main) ? dist::getBatch(*main) : "");
  if (!batch || batch->kind() != DimExpr::Kind::Symbol)
    return dims;                                           // dist-plan refuses it
  auto isBatchOf = [&](StringRef target, unsigned index) { // "x[0]"
    auto type = dyn_cast<RankedTensorType>(main->getArgument(index).getType());
    FailureOr<SmallVector<DimExpr>> extents = failure();
    if (type && type.getRank() > 0)
      extents = dist::getExtents(type);
    return target == (dist::getArgumentName(*main, index) + "[0]").str() && succeeded(extents) &&
           extents->front() == *batch;
  };
  for (std::string &dim : dims)
    if (llvm::Expected<onnx::DimOption> option = onnx::parseDimOption(dim)) {
      bool isBatch = option->target == batch->name();
      for (unsigned index = 0; !isBatch && index < main->getNumArguments(); ++index)
        isBatch = isBatchOf(option->target, index);
      if (!option->isRange && isBatch)
        dim += ".." + std::to_string(option->high);
    } else {
      llvm::consumeError(option.takeError()); // normalize refuses it
    }
  return dims;
}

void Compilation::warnOfAssumed(const ModelRanges &ranges) {
  if (ranges.assumed.empty())
    return;
  errors << "warning: dims without an upper bound count as little in choice, prediction and memory "
            "proof: ";
  llvm::interleaveComma(ranges.assumed, errors, [&](const std::string &symbol) {
    errors << symbol << " = " << ranges.ranges.at(symbol).max;
  });
  errors << "; give each a range (--dim " << *ranges.assumed.begin() << "=LOW..HIGH) or a value\n";
}

ExitCode Compilation::runPlanPhase() {
  if (failed(checkInputDims(*module)))
    return exitInputRefused;
  FailureOr<ModelRanges> ranges = getModelRanges(*module);
  if (failed(ranges))
    return exitInputRefused;
  bool infeasible = false;
  FailureOr<std::optional<planner::Decision>> decision =
      chooseIfWanted(*module, fleet, options, *ranges, infeasible);
  if (failed(decision))
    return infeasible ? exitInfeasible : exitInputRefused;
  plan::v1::Plan plan;
  if (*decision)
    *plan.mutable_choice() = describeChoice(**decision);
  if (failed(addConditions(*module, *plan.mutable_model())))
    return exitInputRefused;
  if (failed(setPlan(*module, std::move(plan))))
    return exitInternal;
  if (options.advice && !options.quiet)
    assumed = std::move(*ranges);
  ExitCode code = runPasses([&](PassManager &manager) {
    addPartitionPasses("plan", manager, options,
                       *decision ? &(*decision)->candidates.front() : nullptr);
  });
  if (code != exitOk || !options.exportOnnx)
    return code;
  if (StringRef(options.model).ends_with(".mlir"))
    return exitOk; // the ONNX file is not at hand
  FailureOr<exporter::AnnotatedModel> model = exporter::annotateModel(*module, options.model);
  if (failed(model))
    return exitInputRefused;
  annotated = std::move(*model);
  return exitOk;
}

ExitCode Compilation::runPhase(StringRef phase) {
  if (phase == "import")
    return importFile();
  if (phase == "normalize")
    return runPasses([&](PassManager &manager) {
      onnx::NormalizeOptions normalize;
      std::vector<std::string> dims = getDims();
      normalize.dims.append(dims.begin(), dims.end());
      normalize.exposeValues = options.exposeValues;
      onnx::buildNormalizePipeline(manager, normalize);
    });
  if (phase == "plan")
    return runPlanPhase();
  if (phase == "shard" || phase == "stage")
    return runPasses([&](PassManager &manager) { addPartitionPasses(phase, manager, options); });
  if (phase == "lower") {
    bool infeasible = false;
    FailureOr<plan::v1::Plan> plan = describePlan(*module, fleet, infeasible);
    if (failed(plan))
      return infeasible ? exitInfeasible : exitInputRefused;
    return succeeded(lowerModel(*module, std::move(*plan), *target, progress)) ? exitOk
                                                                               : exitInputRefused;
  }
  if (phase == "codegen") {
    llvm::Error error = generateCode(*module, *target, progress);
    return error ? refuse(llvm::toString(std::move(error)), exitInternal) : exitOk;
  }
  llvm::Error error =
      writePackage(*module, fleet, *target, getModelFolder(), options.output, progress);
  return error ? refuse(std::move(error)) : exitOk;
}

StringRef Compilation::getModelFolder() {
  auto folder = (*module)->getAttrOfType<StringAttr>("onnx.model_dir");
  return folder && !folder.empty() ? folder.getValue() : ".";
}

ExitCode Compilation::refuse(llvm::Error error) {
  if (error.isA<ReportedError>()) {
    llvm::consumeError(std::move(error));
    return exitInputRefused;
  }
  ExitCode code = error.isA<InfeasibleError>() ? exitInfeasible
                  : error.isA<OutputError>()   ? exitUsage
                  : error.isA<DefectError>()   ? exitInternal
                                               : exitInputRefused;
  return refuse(llvm::toString(std::move(error)), code);
}

void Compilation::warnOfAnnotated() {
  auto tell = [&](ArrayRef<std::string> names) {
    constexpr size_t shown = 5;
    llvm::interleaveComma(names.take_front(shown), errors, [&](const std::string &name) {
      errors << "'" << escapeControl(name) << "'";
    });
    errors << (names.size() > shown ? ", ...\n" : "\n");
  };
  if (!annotated->unsaid.empty()) {
    errors << "warning: " << exporter::annotatedFileName << " cannot say how operators of "
           << countOf(annotated->unsaid.size(), "node")
           << " are cut, which are other ones when the model is partitioned: ";
    tell(annotated->unsaid);
  }
  if (!annotated->files.empty()) {
    errors << "warning: " << exporter::annotatedFileName
           << " refers to weights by the names that the model has for them: put it, or a copy of "
              "the files, beside them: ";
    tell(annotated->files);
  }
}

ExitCode Compilation::exportStages() {
  FailureOr<dist::PartitionResult> partition = dist::getPartitionResult(*module);
  if (failed(partition))
    return exitInputRefused;
  if (ExitCode code = runPasses(addExportPasses); code != exitOk)
    return code;
  for (const dist::ProgramInfo &program : partition->programs)
    if (failed(checkExportable(program.module)))
      return exitInputRefused;
  OnnxExport model = makeOnnxExport(std::move(*partition));
  llvm::Expected<PendingFolder> pending =
      PendingFolder::create(options.output, OutputKind::OnnxExport);
  if (!pending)
    return refuse(llvm::toString(pending.takeError()), exitUsage);
  if (llvm::Error error =
          writeOnnxExport(model, annotated, getModelFolder(), pending->getPath().string()))
    return refuse(std::move(error));
  if (annotated && !options.quiet)
    warnOfAnnotated();
  llvm::Error error = pending->commit();
  return error ? refuse(llvm::toString(std::move(error)), exitUsage) : exitOk;
}

ExitCode Compilation::runPhases() {
  size_t first = 0;
  if (StringRef(options.model).ends_with(".mlir"))
    if (ExitCode code = readIR(first); code != exitOk)
      return code;
  for (StringRef phase : getPhaseNames().drop_front(first)) {
    if (options.exportOnnx && phase == "lower") {
      progress.begin("export");
      ExitCode code = exportStages();
      progress.end();
      return code;
    }
    progress.begin(phase);
    if (ExitCode code = runPhase(phase); code != exitOk)
      return code;
    progress.end();
    if (ExitCode code = endPhase(phase); code != exitOk || options.stopAfter == phase)
      return code;
  }
  return exitOk;
}

ExitCode Compilation::run() {
  if (ExitCode code = checkOptions(); code != exitOk)
    return code;
  llvm::Expected<fleet::Fleet> loaded = fleet::loadFleet(options.fleet);
  if (!loaded)
    return refuse(llvm::toString(loaded.takeError()));
  fleet = std::move(*loaded);
  if (fleet.pools.empty())
    return refuse("fleet '" + options.fleet + "' has no pools of chips");
  FailureOr<std::unique_ptr<Target>> created = createTarget();
  if (failed(created))
    return exitUsage;
  target = std::move(*created);
  if (ExitCode code = checkOutput(); code != exitOk)
    return code;
  ExitCode code = runPhases();
  if (code == exitOk && assumed)
    warnOfAssumed(*assumed);
  if (code == exitInternal)
    errors << "note: this is a defect of Dougong, unless the IR was edited: please report it "
              "with the model\n";
  return code;
}

} // namespace

ExitCode dougong::compileModel(const CompileOptions &options, raw_ostream &errors) {
  return Compilation(options, errors).run();
}
