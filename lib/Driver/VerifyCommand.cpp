//===- VerifyCommand.cpp - dougong verify ---------------------------------===//
#include "dougong/Driver/Commands.h"

#include "Options.h"
#include "Verification.h"

#include <CLI/CLI.hpp>

#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <set>

using namespace dougong;

/// "nan" and "inf" would make everything agree, or nothing.
static std::string isTolerance(const std::string &text) {
  double value = 0;
  bool isNumber = llvm::to_float(text, value) && std::isfinite(value) && value >= 0;
  return isNumber ? "" : "expected a number from 0 on, got '" + text + "'";
}

Command dougong::addVerifyCommand(CLI::App &app) {
  auto options = std::make_shared<VerifyOptions>();
  app.add_option("package", options->compile.model, "package folder, or ONNX model")->required();
  addListOption(app, "--inputs", options->folders,
                "folder with input_0.pb, ...; may repeat: one step each, state kept between")
      ->required();
  app.add_option("--against", options->against,
                 "data: output_*.pb beside the inputs; unpartitioned: the model compiled for one "
                 "rank; onnxruntime: the model in onnxruntime")
      ->check(CLI::IsMember(std::set<std::string>{"data", "unpartitioned", "onnxruntime"}))
      ->capture_default_str();
  app.add_option("--model", options->model,
                 "ONNX model of the reference; needed where the first argument is a package");
  app.add_flag("--values", options->values,
               "compare inner values too, and name the first node that diverges");
  app.add_option("--python", options->python,
                 "Python that has onnxruntime (default: python3 on the PATH)");
  app.add_option("--rtol", options->tolerance.relative, "relative tolerance of floats")
      ->check(isTolerance)
      ->capture_default_str();
  app.add_option("--atol", options->tolerance.absolute,
                 "absolute tolerance; below 1, integers must be equal")
      ->check(isTolerance)
      ->capture_default_str();
  addRanksOption(app, options->ranks);
  app.add_flag("--json", options->json, "differences as JSON");
  addCompileOptions(app, options->compile);
  app.footer("Example: dougong verify model.onnx --inputs data --parallel tp=2 --against "
             "onnxruntime --values");
  return [options] { return verify(*options); };
}
