//===- ExportCommand.cpp - dougong export ---------------------------------===//
#include "dougong/Driver/Commands.h"

#include "Options.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace dougong;

Command dougong::addExportCommand(CLI::App &app) {
  auto options = std::make_shared<CompileOptions>();
  auto format = std::make_shared<std::string>();
  app.add_option("model", options->model, "ONNX model, or IR that --stop-after wrote (.mlir)")
      ->required();
  app.add_option("--to", *format, "onnx: the annotated model, and a model for each rank")
      ->required()
      ->check(CLI::IsMember(std::set<std::string>{"onnx"}));
  app.add_option("-o,--output", options->output, "folder of the files")->required();
  addPartitionOptions(app, *options);
  app.footer("Example: dougong export model.onnx --to onnx --parallel tp=2 -o files");
  return [options] {
    options->exportOnnx = true;
    return compileModel(*options, llvm::errs());
  };
}
