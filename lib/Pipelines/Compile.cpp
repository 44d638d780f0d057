//===- Compile.cpp - a model and a fleet to a package ---------------------===//
#include "dougong/Pipelines/Compile.h"

#include "dougong/Fleet/Yaml.h"
#include "dougong/Import/Import.h"
#include "dougong/Onnx/Passes.h"
#include "dougong/Package/Plan.h"
#include "dougong/Pipelines/Diagnostics.h"
#include "dougong/Pipelines/Package.h"
#include "dougong/Pipelines/Partition.h"
#include "dougong/Registration.h"
#include "dougong/Support/Sha256.h"
#include "dougong/Target/Cpu/CpuTarget.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <chrono>

using namespace mlir;
using namespace dougong;

ArrayRef<StringRef> dougong::getPhaseNames() {
  static const StringRef names[] = {"import", "normalize", "plan", "shard", "stage"};
  return names;
}

namespace {

/// Tells which phase runs, once it has taken a second in all.
class Progress {
public:
  explicit Progress(raw_ostream &stream) : stream(stream), start(Clock::now()) {}

  void begin(StringRef phase) {
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds > 1)
      stream << llvm::formatv("[{0,6:f1} s] {1}\n", seconds, phase);
  }

private:
  using Clock = std::chrono::steady_clock;
  raw_ostream &stream;
  Clock::time_point start;
};

/// One run of the pipeline.
class Compilation {
public:
  Compilation(const CompileOptions &options, raw_ostream &errors)
      : options(options), errors(errors), progress(errors), registry(makeRegistry()),
        printer(&context, errors) {
    // Kernels are lowered by passes on functions that add constants to the
    // module: one after the other, so that names, and with them the bytes of a
    // package, do not depend on timing.
    context.disableMultithreading();
    // Users read the node, not its IR.
    // Appended, not given to the constructor: only so do extensions reach the
    // builtin dialect, which is loaded from the start.
    context.printOpOnDiagnostic(false);
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
    errors << "error: " << message << "\n";
    return code;
  }

  /// Dumps the module; whether to go on with the next phase.
  bool endPhase(StringRef phase, ModuleOp module);
  bool writeModule(StringRef path, ModuleOp module);
  FailureOr<std::unique_ptr<Target>> createTarget();

  const CompileOptions &options;
  raw_ostream &errors;
  Progress progress;
  DialectRegistry registry;
  MLIRContext context;
  DiagnosticPrinter printer;
  unsigned phaseNumber = 0;
  bool writeFailed = false;
};

bool Compilation::writeModule(StringRef path, ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().enableDebugInfo());
  Result<void> written = writeFileAtomically(path.str(), text);
  if (!written)
    errors << "error: " << written.message() << "\n";
  return static_cast<bool>(written);
}

bool Compilation::endPhase(StringRef phase, ModuleOp module) {
  ++phaseNumber;
  if (!options.dumpPhases.empty()) {
    llvm::sys::fs::create_directories(options.dumpPhases);
    SmallString<128> path(options.dumpPhases);
    llvm::sys::path::append(path, llvm::formatv("{0}-{1}.mlir", phaseNumber, phase).str());
    writeFailed |= !writeModule(path, module);
  }
  if (options.stopAfter != phase)
    return true;
  writeFailed |= !writeModule(options.output, module);
  return false;
}

FailureOr<std::unique_ptr<Target>> Compilation::createTarget() {
  StringRef name = options.target;
  if (name.consume_front("cpu-")) {
    cpu::CpuOptions cpuOptions;
    cpuOptions.cpu = name.str();
    llvm::Expected<cpu::CpuTraits> traits = cpu::getCpuTraits(cpuOptions);
    if (traits)
      return cpu::createCpuTarget(cpuOptions);
    errors << "error: target '" << options.target << "': " << llvm::toString(traits.takeError())
           << "\n";
    return failure();
  }
  errors << "error: unknown target '" << options.target
         << "': expected cpu-native, cpu-x86-64-v4, cpu-x86-64-v3 or cpu-<processor>\n";
  return failure();
}

ExitCode Compilation::run() {
  llvm::Expected<fleet::Fleet> fleet = fleet::loadFleet(options.fleet);
  if (!fleet)
    return refuse(llvm::toString(fleet.takeError()));
  if (fleet->pools.empty())
    return refuse("fleet '" + options.fleet + "' has no pools of chips");
  FailureOr<std::unique_ptr<Target>> target = createTarget();
  if (failed(target))
    return exitUsage;

  progress.begin("import");
  ImportOptions importing;
  importing.expandOperators = true;
  OwningOpRef<ModuleOp> module = importModel(options.model, context, importing);
  if (!module)
    return exitInputRefused;
  if (!endPhase("import", *module))
    return writeFailed ? exitInternal : exitOk;

  progress.begin("normalize");
  PassManager manager(&context);
  onnx::NormalizeOptions normalize;
  normalize.dims.append(options.dims.begin(), options.dims.end());
  onnx::buildNormalizePipeline(manager, normalize);
  if (failed(manager.run(*module)))
    return exitInputRefused;
  if (!endPhase("normalize", *module))
    return writeFailed ? exitInternal : exitOk;

  progress.begin("partition");
  bool infeasible = false, stopped = false;
  FailureOr<PartitionedModel> partitioned =
      partitionModel(std::move(module), *fleet, options, infeasible,
                     [&](StringRef phase, ModuleOp phaseModule) {
                       stopped = !endPhase(phase, phaseModule);
                       return !stopped;
                     });
  if (stopped)
    return writeFailed ? exitInternal : exitOk;
  if (failed(partitioned))
    return infeasible ? exitInfeasible : exitInputRefused;
  partitioned->model.set_name(llvm::sys::path::stem(options.model).str());
  Result<std::string> digest = sha256File(options.model);
  if (!digest)
    return refuse(digest.message());
  partitioned->model.set_sha256(*digest);

  progress.begin("lower and generate code");
  StringRef modelFolder = llvm::sys::path::parent_path(options.model);
  if (llvm::Error error = writePackage(*partitioned, *fleet, **target,
                                       modelFolder.empty() ? "." : modelFolder, options.output))
    return refuse(llvm::toString(std::move(error)));
  progress.begin("done");
  return writeFailed ? exitInternal : exitOk;
}

} // namespace

ExitCode dougong::compileModel(const CompileOptions &options, raw_ostream &errors) {
  return Compilation(options, errors).run();
}
