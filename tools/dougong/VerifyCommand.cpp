//===- VerifyCommand.cpp - dougong verify ---------------------------------===//
#include "Commands.h"

#include "dougong/Runtime/ElementType.h"
#include "dougong/Runtime/Half.h"
#include "dougong/Runtime/TensorIO.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <set>

using namespace dougong;
namespace fs = std::filesystem;

namespace {

struct Tolerance {
  double relative = 1e-3, absolute = 1e-5;
};

struct Difference {
  int64_t beyond = 0;        ///< elements outside the tolerance
  double largest = 0;        ///< largest absolute difference
  int64_t index = -1;        ///< where it is
  double got = 0, expected = 0;
};

template <typename T> double loadAs(const Tensor &tensor, int64_t index) {
  return static_cast<double>(reinterpret_cast<const T *>(tensor.data.data())[index]);
}

double loadElementAsDouble(const Tensor &tensor, int64_t index) {
  switch (tensor.dtype) {
  case DOUGONG_F32: return loadAs<float>(tensor, index);
  case DOUGONG_F64: return loadAs<double>(tensor, index);
  case DOUGONG_F16:
    return f16ToFloat(reinterpret_cast<const uint16_t *>(tensor.data.data())[index]);
  case DOUGONG_BF16:
    return bf16ToFloat(reinterpret_cast<const uint16_t *>(tensor.data.data())[index]);
  case DOUGONG_I8: return loadAs<int8_t>(tensor, index);
  case DOUGONG_U8:
  case DOUGONG_BOOL: return loadAs<uint8_t>(tensor, index);
  case DOUGONG_I16: return loadAs<int16_t>(tensor, index);
  case DOUGONG_U16: return loadAs<uint16_t>(tensor, index);
  case DOUGONG_I32: return loadAs<int32_t>(tensor, index);
  case DOUGONG_U32: return loadAs<uint32_t>(tensor, index);
  case DOUGONG_I64: return loadAs<int64_t>(tensor, index);
  case DOUGONG_U64: return loadAs<uint64_t>(tensor, index);
  default: return std::nan("");
  }
}

/// Compares element by element: |got - expected| <= absolute + relative * |expected|.
Difference compare(const Tensor &got, const Tensor &expected, const Tolerance &tolerance,
                   int64_t count) {
  Difference difference;
  for (int64_t i = 0; i < count; ++i) {
    double a = loadElementAsDouble(got, i), b = loadElementAsDouble(expected, i);
    bool same = a == b || (std::isnan(a) && std::isnan(b));
    double distance = same ? 0 : std::abs(a - b);
    if (!(distance <= tolerance.absolute + tolerance.relative * std::abs(b)) && !same)
      ++difference.beyond;
    if (difference.index < 0 || distance > difference.largest || std::isnan(distance)) {
      difference.largest = distance;
      difference.index = i;
      difference.got = a;
      difference.expected = b;
    }
  }
  return difference;
}

/// The output files of a folder, step by step, in order.
std::vector<fs::path> listOutputs(const fs::path &folder) {
  std::vector<fs::path> files;
  for (int i = 0;; ++i) {
    fs::path file = folder / ("output_" + std::to_string(i) + ".pb");
    if (!fs::exists(file))
      return files;
    files.push_back(file);
  }
}

/// Compares two folders of outputs and prints a row for each output. Whether all
/// agree.
bool compareFolders(const fs::path &got, const fs::path &expected, const Tolerance &tolerance) {
  std::vector<fs::path> references = listOutputs(expected);
  bool agree = true;
  if (references.empty()) {
    llvm::errs() << "error: '" << expected.string() << "' has no output_0.pb to compare with\n";
    return false;
  }
  for (const fs::path &reference : references) {
    Result<Tensor> a = readTensor(got / reference.filename());
    Result<Tensor> b = readTensor(reference);
    if (!a || !b) {
      llvm::errs() << "error: " << (a ? b.message() : a.message()) << "\n";
      return false;
    }
    if (a->dtype != b->dtype || a->dims != b->dims) {
      llvm::outs() << llvm::formatv("{0}: got {1}, expected {2}\n", b->name, a->describe(),
                                    b->describe());
      agree = false;
      continue;
    }
    int64_t count = 1;
    for (int64_t dim : b->dims)
      count *= dim;
    Difference difference = compare(*a, *b, tolerance, count);
    llvm::outs() << llvm::formatv("{0}: {1} of {2} elements differ; largest difference {3:e2}",
                                  b->name.empty() ? reference.filename().string() : b->name,
                                  difference.beyond, count, difference.largest);
    if (difference.beyond)
      llvm::outs() << llvm::formatv(" at element {0} (got {1}, expected {2})", difference.index,
                                    difference.got, difference.expected);
    llvm::outs() << "\n";
    agree &= difference.beyond == 0;
  }
  return agree;
}

} // namespace

Command dougong::addVerifyCommand(CLI::App &app) {
  struct Options {
    CompileOptions compile;
    std::string against = "unpartitioned", ranks = "threads";
    std::vector<std::string> folders;
    std::string model;
    Tolerance tolerance;
  };
  auto options = std::make_shared<Options>();
  app.add_option("package", options->compile.model, "package folder, or ONNX model")->required();
  app.add_option("--inputs", options->folders, "folder with input_0.pb, ...; may repeat")->required();
  app.add_option("--against", options->against,
                 "data: output_*.pb beside the inputs; unpartitioned: --model compiled for one rank")
      ->check(CLI::IsMember(std::set<std::string>{"data", "unpartitioned"}))
      ->capture_default_str();
  app.add_option("--model", options->model, "ONNX model, where the first argument is a package");
  app.add_option("--rtol", options->tolerance.relative)->capture_default_str();
  app.add_option("--atol", options->tolerance.absolute)->capture_default_str();
  app.add_option("--ranks", options->ranks, "how ranks run")
      ->check(CLI::IsMember(std::set<std::string>{"threads", "mpi"}));
  addCompileOptions(app, options->compile);
  return [options] {
    TemporaryFolder folder;
    fs::path package;
    if (ExitCode code = preparePackage(options->compile, folder, package); code != exitOk)
      return code;
    unsigned mpiRanks = 0;
    if (options->ranks == "mpi" && !(mpiRanks = countRanks(package)))
      return exitInputRefused;

    // Several folders are several steps of one run.
    auto run = [&](const fs::path &what, const fs::path &outputs, unsigned ranks) {
      std::vector<std::string> arguments = {"--ranks", ranks ? "mpi" : "threads", "--outputs",
                                            outputs.string()};
      for (const std::string &inputs : options->folders)
        arguments.insert(arguments.end(), {"--inputs", inputs});
      for (const std::string &state : options->compile.states)
        arguments.insert(arguments.end(), {"--state", state});
      return startRunner(what, arguments, ranks);
    };
    fs::path got = folder.getPath() / "got", reference = folder.getPath() / "reference";
    if (int code = run(package, got, mpiRanks))
      return ExitCode(code);
    if (options->against == "unpartitioned") {
      CompileOptions whole = options->compile;
      whole.parallel = whole.strategy = "";
      whole.fleet = "localhost";
      if (isPackage(whole.model))
        whole.model = options->model;
      if (whole.model.empty()) {
        llvm::errs() << "error: give --model to compare a package with its unpartitioned model\n";
        return exitUsage;
      }
      whole.output = (folder.getPath() / "whole").string();
      if (ExitCode code = compileModel(whole, llvm::errs()); code != exitOk)
        return code;
      if (int code = run(whole.output, reference, 0))
        return ExitCode(code);
    }
    bool agree = true;
    for (size_t step = 0; step < options->folders.size(); ++step) {
      auto stepFolder = [&](const fs::path &base) {
        return options->folders.size() == 1 ? base : base / ("step_" + std::to_string(step));
      };
      fs::path expected = options->against == "data" ? fs::path(options->folders[step])
                                                     : stepFolder(reference);
      if (options->folders.size() > 1)
        llvm::outs() << "step " << step << "\n";
      agree &= compareFolders(stepFolder(got), expected, options->tolerance);
    }
    llvm::outs() << (agree ? "agrees\n" : "differs\n");
    return agree ? exitOk : exitStepFailed;
  };
}
