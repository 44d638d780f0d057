//===- Compile.h - a model and a fleet to a package -------------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_COMPILE_H
#define DOUGONG_PIPELINES_COMPILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>
#include <string>
#include <vector>

namespace dougong {

/// Exit codes of the tools, by class of failure.
enum ExitCode : int {
  exitOk = 0,
  exitUsage = 2,        ///< the command line, or a place that cannot be written
  exitInputRefused = 3, ///< a model, fleet, strategy or input file
  exitInfeasible = 4,   ///< nothing fits, or a package is refused
  exitStepFailed = 5,   ///< a program failed while it ran
  exitInternal = 6      ///< a defect of ours
};

/// What `dougong compile` takes.
struct CompileOptions {
  std::string model;               ///< ONNX file, or IR (.mlir) that stopAfter wrote
  std::string fleet = "localhost"; ///< file, or name of the catalogue
  std::string strategy;            ///< strategy.yaml, or empty
  std::string parallel;            ///< "tp=2,pp=2", or empty
  std::string configuration;       ///< device configuration of the model, or empty
  std::vector<std::string> dims;   ///< "name=value" or "name=low..high"
  std::vector<std::string> states; ///< "past.*=present.*": input pattern, output pattern
  std::string target = "cpu-native";
  std::string output;        ///< folder of the package, or file with stopAfter
  std::string stopAfter;     ///< phase after which the IR is written
  bool exportOnnx = false;   ///< ONNX files of the stages in `output`, no package
  std::string dumpPhases;    ///< folder for the IR after each phase, or empty
  bool timing = false;       ///< tell what each part took and the peak memory
  std::string reproducer;    ///< file for what dougong-opt needs to repeat a failed pass
  bool exposeValues = false; ///< inner values become outputs, to compare them
  bool advice = true;        ///< warnings about what the plan rests on; off for a single run
  bool quiet = false;        ///< nothing on `errors` but diagnostics
};

/// The phases, in order. All but the last are names for stopAfter.
llvm::ArrayRef<llvm::StringRef> getPhaseNames();

/// Runs the pipeline. Diagnostics go to `errors`, one line each, with the file
/// and the ONNX node; what takes over a second is told on `errors` too. Nothing is left
/// on disk unless all went well. With `stopAfter` the files of weights may be
/// missing: that is a warning.
ExitCode compileModel(const CompileOptions &options, llvm::raw_ostream &errors);

} // namespace dougong

#endif // DOUGONG_PIPELINES_COMPILE_H
